"""What every view of the API does, and the views that are no collection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.views.decorators.csrf import csrf_exempt
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from inventory.rest.collections import viewset_of
from inventory.rest.errors import BadInput, NotFound, body
from inventory.rest.hrefs import Hrefs
from inventory.rest.idempotency import once


class ApiView(APIView):
    """A view that knows its version and the addresses under it."""

    #: How errors call what stands at this address.
    place = "Collection"
    post: Callable[..., Response]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.version not in settings.REST_FRAMEWORK["ALLOWED_VERSIONS"]:
            raise BadInput(f"Unsupported API Version {request.version} specified")
        if hasattr(self, "post"):
            self.post = once(self.post, self.handle_exception)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        """The answer, marked as this caller's: a proxy must not hand it to another."""
        answer: Response = super().finalize_response(request, response, *args, **kwargs)
        if not answer.has_header("Cache-Control"):
            patch_cache_control(answer, private=True, no_cache=True)
        return answer

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        method = (request.method or "").lower()
        raise BadInput(f"Unsupported HTTP Method {method} for the {self.place} specified")

    @property
    def hrefs(self) -> Hrefs:
        return Hrefs.of(self.request, self.kwargs.get("version"))


class EntryPoint(ApiView):
    """The entry point: who you are here, and what there is."""

    place = "Entry Point"

    def get(self, request: Request, **kwargs: Any) -> Response:
        hrefs, version = self.hrefs, settings.REST_FRAMEWORK["DEFAULT_VERSION"]
        return Response(
            {
                "name": "API",
                "description": "REST API",
                "version": version,
                "versions": [{"name": version, "href": request.build_absolute_uri(f"/api/v{version}")}],
                "settings": {"locale": settings.LANGUAGE_CODE, "max_results_per_page": settings.API_PAGE_LIMIT},
                "identity": {"userid": request.user.get_username(), "name": str(request.user)},
                "server_info": {"version": settings.VERSION, "time": timezone.now()},
                "product_info": {"name": "Portcullis", "name_full": "Portcullis", "license": "Apache-2.0"},
                "collections": [
                    {
                        "name": name,
                        "href": hrefs.collection(name),
                        "description": (viewset_of(name).__doc__ or "").partition("\n")[0].rstrip("."),
                    }
                    for name in sorted(settings.COLLECTIONS)
                ],
            }
        )


class Nowhere(ApiView):
    """Every other address under the API: says which part of it is wrong."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        collection, *below = kwargs["path"].split("/")
        if collection not in settings.COLLECTIONS:
            raise BadInput(f"Unsupported Collection {collection} specified")
        if len(below) > 1 and below[1] not in viewset_of(collection).subcollections:
            raise BadInput(f"Unsupported Sub-Collection {below[1]} specified")
        raise NotFound("resource", kwargs["path"])


@csrf_exempt
def ping(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    """Says that the service answers, to anybody."""
    if request.method not in {"GET", "HEAD"}:
        refused = f"Unsupported HTTP Method {(request.method or '').lower()} for the Ping specified"
        return JsonResponse(body(400, refused), status=400)
    return HttpResponse("pong", content_type="text/plain")
