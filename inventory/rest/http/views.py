"""The base of every view, and the views that are not collections."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any, ClassVar, cast

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import to_locale
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from inventory.models import AuthToken
from inventory.rest import messages
from inventory.rest.errors import BadInput, NotFound, error_body
from inventory.rest.hrefs import Hrefs
from inventory.rest.http.authentication import authorization, identity, limited
from inventory.rest.http.quota import spend
from inventory.rest.parameters import check_parameters, names_in
from inventory.rest.resources import get_resource_type
from inventory.rest.shapes import ENTRY_POINT, TOKEN
from inventory.services import TokenLogin, issue_token, revoke_token


def _break_reference_cycle(response: Any) -> None:
    """Detach the answer from the view: the cycle would keep both alive until the garbage collector runs."""
    response.renderer_context["view"].response = None
    response.renderer_context, response.data = {}, None


class ApiView(APIView):
    """A view that knows its API version and can make addresses."""

    #: What errors call this address.
    error_subject = "Collection"
    #: The query parameters of each method; in a viewset, of each action.
    parameters: ClassVar[Mapping[str, Collection[str]]] = {}
    #: Whether query parameters name resources, which may not exist.
    names_resources = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        version = kwargs.get("version")  # not by a class of DRF, which would refuse it before the login
        if version and version not in settings.REST_FRAMEWORK["ALLOWED_VERSIONS"]:
            raise BadInput(messages.unsupported_version(version))
        self.check_length(request)
        if request.query_params:
            self.check_parameters(request)

    def check_length(self, request: Request) -> None:
        """Refuse a body that is too large, before it is read."""
        length = int(request.META.get("CONTENT_LENGTH") or 0)
        if request.method not in SAFE_METHODS and length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise RequestDataTooBig

    def check_parameters(self, request: Request) -> None:
        """Refuse unknown query parameters. An unsupported method is refused elsewhere."""
        method = str(request.method).lower()
        if hasattr(self, method):
            check_parameters(request.query_params, self.parameters.get("get" if method == "head" else method, ()))

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        """Mark the answer as private: a proxy must not give it to another user."""
        answer: Response = super().finalize_response(request, response, *args, **kwargs)
        if not answer.has_header("Cache-Control"):
            patch_cache_control(answer, private=True, no_cache=True)
        if isinstance(answer, Response):
            answer.add_post_render_callback(_break_reference_cycle)
        return answer

    def perform_authentication(self, request: Request) -> None:
        """Also limit the caller to the group in `X-MIQ-Group`, as their token is, and to their quota."""
        super().perform_authentication(request)
        request.user = limited(request)
        spend(request.user)

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        method = (request.method or "").lower()
        raise BadInput(messages.unsupported_method(method, self.error_subject))

    @property
    def user(self) -> User:
        """The user of the request. Views that use it require authentication."""
        return cast(User, self.request.user)

    @cached_property
    def hrefs(self) -> Hrefs:
        return Hrefs.of(self.request, self.kwargs.get("version"))


class Auth(ApiView):
    """Tokens for `X-Auth-Token`."""

    error_subject = "Collection auth"
    parameters = {"get": ("requester_type",)}

    @extend_schema(
        parameters=[OpenApiParameter("requester_type", {"type": "string", "enum": list(settings.TOKEN_TTL)})],
        responses={200: TOKEN},
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        """Issue a token. `requester_type=ui` gives it a longer lifetime."""
        requester = request.query_params.get("requester_type", "api")
        if requester not in settings.TOKEN_TTL:
            raise BadInput(messages.unsupported_requester(requester, settings.TOKEN_TTL))
        ttl = settings.TOKEN_TTL[requester]
        token, text = issue_token(
            user=self.user,
            ttl=ttl,
            group=getattr(self.user, "group", None),
            by=request.auth if isinstance(request.auth, TokenLogin) else None,
        )
        ttl = token.ttl or ttl
        data = {"auth_token": text, "token_ttl": int(ttl.total_seconds()), "expires_on": token.expiry}
        return Response(data, headers={"Cache-Control": "no-store"})

    @extend_schema(responses={204: OpenApiResponse(description="Revoked")}, auth=[{"token": []}])  # type: ignore[list-item]
    def delete(self, request: Request, **kwargs: Any) -> Response:
        """Revoke the token of this request."""
        if not isinstance(request.auth, TokenLogin):
            raise BadInput(messages.NO_TOKEN)
        for token in AuthToken.objects.filter(pk=request.auth.pk):  # none, if it was revoked at the same time
            revoke_token(token=token, user=self.user)
        return Response(status=204)


#: The product, as the entry point and `ProductInfo` describe it.
PRODUCT = {
    "name": "Portcullis",
    "name_full": "Portcullis",
    "license": "Apache-2.0",
    # How clients may log in: with a user and a password. Browsers may go through an OpenID Connect provider too.
    "authentication": {
        "mode": "database",
        "oidc_enabled": bool(settings.OIDC),
        "saml_enabled": False,
        "sso_enabled": False,
    },
}


class ProductInfo(ApiView):
    """The product, which clients show before a login."""

    error_subject = "Product Info"
    authentication_classes = ()
    permission_classes = ()

    @extend_schema(responses={200: {"type": "object"}}, auth=[{}])  # type: ignore[list-item]
    def get(self, request: Request, **kwargs: Any) -> Response:
        """The product."""
        return Response(PRODUCT)


class EntryPoint(ApiView):
    """The entry point: the caller and the collections."""

    error_subject = "Entry Point"
    parameters = {"get": ("attributes",)}

    @extend_schema(
        parameters=[OpenApiParameter("attributes", {"enum": ["authorization", "all"]})],
        responses={200: ENTRY_POINT},
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        """The caller and the collections. `attributes=authorization` adds the caller's permissions."""
        attributes = names_in(request.query_params, "attributes", {"authorization", "all"})
        hrefs, version = self.hrefs, settings.REST_FRAMEWORK["DEFAULT_VERSION"]
        return Response(
            {
                "name": "API",
                "description": "REST API",
                "version": version,
                "versions": [{"name": version, "href": Hrefs.of(request, str(version)).root}],
                "settings": {
                    "locale": to_locale(settings.LANGUAGE_CODE),
                    "max_results_per_page": settings.API_PAGE_LIMIT,
                },
                "identity": identity(request, hrefs),
                "server_info": {"version": settings.VERSION, "time": timezone.now()},
                "product_info": PRODUCT,
                **({"authorization": authorization(request)} if "authorization" in attributes else {}),
                "collections": [
                    {
                        "name": name,
                        "href": hrefs.collection(name),
                        "description": get_resource_type(name).description.partition("\n")[0].rstrip("."),
                    }
                    for name in sorted(settings.COLLECTIONS)
                ],
            }
        )


class NotFoundView(ApiView):
    """Any other address below the API: says which part of it is wrong."""

    schema = None  # not in the description

    def check_parameters(self, request: Request) -> None:
        """Skipped: the address is wrong, whatever its parameters."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        collection, *segments = kwargs["path"].split("/")
        if collection not in settings.COLLECTIONS:
            raise BadInput(messages.unsupported_collection(collection))
        if len(segments) > 1 and segments[1] not in get_resource_type(collection).subcollections:
            raise BadInput(messages.unsupported_subcollection(segments[1]))
        raise NotFound("resource", kwargs["path"])


@csrf_exempt
def ping(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    """Answer `pong`, without a login."""
    if request.method not in {"GET", "HEAD"}:
        message = messages.unsupported_method((request.method or "").lower(), "Ping")
        return JsonResponse(error_body(400, message), status=400)
    return HttpResponse("pong", content_type="text/plain")
