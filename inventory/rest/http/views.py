"""What every view of the API does, and the views that are no collection."""

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
from inventory.rest.errors import BadInput, NotFound, error_body
from inventory.rest.hrefs import Hrefs
from inventory.rest.http.authentication import authorization, identity, limited_to_group
from inventory.rest.parameters import check_parameters, names_in
from inventory.rest.resources import get_resource_type
from inventory.rest.shapes import ENTRY_POINT, TOKEN


def _break_reference_cycle(answer: Any) -> None:
    """Take the answer from the view, which refers to itself and so lies about until the collector comes by."""
    answer.renderer_context["view"].response = None
    answer.renderer_context, answer.data = {}, None


class ApiView(APIView):
    """A view that knows its version and the addresses under it."""

    #: How errors call what stands at this address.
    place = "Collection"
    #: The query parameters that each of its methods understands; of a viewset each of its actions.
    parameters: ClassVar[Mapping[str, Collection[str]]] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        version = kwargs.get("version")  # not by a class of DRF, which would refuse it before the login
        if version and version not in settings.REST_FRAMEWORK["ALLOWED_VERSIONS"]:
            raise BadInput(f"Unsupported API Version {version} specified")
        self.check_length(request)
        if request.query_params:
            self.check_parameters(request)

    def check_length(self, request: Request) -> None:
        """Refuse a body that is too long, before it is read."""
        length = int(request.META.get("CONTENT_LENGTH") or 0)
        if request.method not in SAFE_METHODS and length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise RequestDataTooBig

    def check_parameters(self, request: Request) -> None:
        """Refuse a query parameter that means nothing here; a method that there is not is refused as such."""
        method = str(request.method).lower()
        if hasattr(self, method):
            check_parameters(request.query_params, self.parameters.get("get" if method == "head" else method, ()))

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        """The answer, marked as this caller's: a proxy must not hand it to another."""
        answer: Response = super().finalize_response(request, response, *args, **kwargs)
        if not answer.has_header("Cache-Control"):
            patch_cache_control(answer, private=True, no_cache=True)
        if isinstance(answer, Response):
            answer.add_post_render_callback(_break_reference_cycle)
        return answer

    def perform_authentication(self, request: Request) -> None:
        """Also limits the caller to the group that the request names."""
        super().perform_authentication(request)
        request.user = limited_to_group(request)

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        method = (request.method or "").lower()
        raise BadInput(f"Unsupported HTTP Method {method} for the {self.place} specified")

    @property
    def user(self) -> User:
        """The caller, who is known: a view that wants to know answers nobody else."""
        return cast(User, self.request.user)

    @cached_property
    def hrefs(self) -> Hrefs:
        return Hrefs.of(self.request, self.kwargs.get("version"))


class Auth(ApiView):
    """Tokens for `X-Auth-Token`."""

    place = "Collection auth"
    parameters = {"get": ("requester_type",)}

    @extend_schema(
        parameters=[OpenApiParameter("requester_type", {"type": "string", "enum": list(settings.TOKEN_TTL)})],
        responses={200: TOKEN},
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        """Issue a token to the caller; `requester_type=ui` for one that lives longer."""
        requester = request.query_params.get("requester_type", "api")
        if requester not in settings.TOKEN_TTL:
            known = ", ".join(settings.TOKEN_TTL)
            raise BadInput(f"Unsupported requester_type {requester} specified: it must be one of {known}")
        ttl = settings.TOKEN_TTL[requester]
        token, text = AuthToken.objects.create(user=request.user, expiry=ttl, ttl=ttl)
        issued = {"auth_token": text, "token_ttl": int(ttl.total_seconds()), "expires_on": token.expiry}
        return Response(issued, headers={"Cache-Control": "no-store"})

    @extend_schema(responses={204: OpenApiResponse(description="Forgotten")}, auth=[{"token": []}])  # type: ignore[list-item]
    def delete(self, request: Request, **kwargs: Any) -> Response:
        """Forget the token that this request came with."""
        if not isinstance(request.auth, AuthToken):
            raise BadInput("There is no token to forget: the request came without X-Auth-Token")
        AuthToken.objects.filter(pk=request.auth.pk).delete()
        return Response(status=204)


#: What this is.
PRODUCT = {
    "name": "Portcullis",
    "name_full": "Portcullis",
    "license": "Apache-2.0",
    # How clients may log in: with a user and a password.
    "authentication": {"mode": "database", "oidc_enabled": False, "saml_enabled": False, "sso_enabled": False},
}


class ProductInfo(ApiView):
    """What this is, for everybody: clients show it before a login."""

    place = "Product Info"
    authentication_classes = ()
    permission_classes = ()

    @extend_schema(responses={200: {"type": "object"}}, auth=[{}])  # type: ignore[list-item]
    def get(self, request: Request, **kwargs: Any) -> Response:
        """What this is."""
        return Response(PRODUCT)


class EntryPoint(ApiView):
    """The entry point: who you are here, and what there is."""

    place = "Entry Point"
    parameters = {"get": ("attributes",)}

    @extend_schema(
        parameters=[OpenApiParameter("attributes", {"enum": ["authorization", "all"]})],
        responses={200: ENTRY_POINT},
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        """Who you are here, and what there is; with `attributes=authorization` also what you may do."""
        asked = names_in(request.query_params, "attributes", {"authorization", "all"})
        hrefs, version = self.hrefs, settings.REST_FRAMEWORK["DEFAULT_VERSION"]
        return Response(
            {
                "name": "API",
                "description": "REST API",
                "version": version,
                "versions": [{"name": version, "href": request.build_absolute_uri(f"/api/v{version}")}],
                "settings": {
                    "locale": to_locale(settings.LANGUAGE_CODE),
                    "max_results_per_page": settings.API_PAGE_LIMIT,
                },
                "identity": identity(request, hrefs),
                "server_info": {"version": settings.VERSION, "time": timezone.now()},
                "product_info": PRODUCT,
                **({"authorization": authorization(request)} if "authorization" in asked else {}),
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
    """Every other address under the API: says which part of it is wrong."""

    schema = None  # no address of the API

    def check_parameters(self, request: Request) -> None:
        """The address is wrong, whatever it is asked for."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        collection, *below = kwargs["path"].split("/")
        if collection not in settings.COLLECTIONS:
            raise BadInput(f"Unsupported Collection {collection} specified")
        if len(below) > 1 and below[1] not in get_resource_type(collection).subcollections:
            raise BadInput(f"Unsupported Sub-Collection {below[1]} specified")
        raise NotFound("resource", kwargs["path"])


@csrf_exempt
def ping(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    """Says that the service answers, to anybody."""
    if request.method not in {"GET", "HEAD"}:
        refused = f"Unsupported HTTP Method {(request.method or '').lower()} for the Ping specified"
        return JsonResponse(error_body(400, refused), status=400)
    return HttpResponse("pong", content_type="text/plain")
