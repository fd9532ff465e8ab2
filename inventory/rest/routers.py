"""URL patterns of collections and subcollections."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.urls import URLPattern, URLResolver, path, re_path
from django.urls.resolvers import RoutePattern
from django.utils.module_loading import import_string
from rest_framework.routers import DynamicRoute, Route, SimpleRouter
from rest_framework_nested.routers import NestedMixin

from inventory.rest.http.views import Auth, EntryPoint, NotFoundView, ProductInfo, ping
from inventory.rest.schema.views import DocsView, SchemaView

_ON_ONE = {"get": "retrieve", "post": "act", "put": "update", "patch": "partial_update", "delete": "destroy"}


class CollectionRouter(SimpleRouter):
    """Routes a POST to the action in its body. Actions on a whole collection also have their own addresses."""

    routes = [
        Route(r"^{prefix}$", {"get": "list", "post": "act"}, "{basename}-list", False, {}),
        DynamicRoute(r"^{prefix}/{url_path}$", "{basename}-{url_name}", False, {}),
        Route(r"^{prefix}/{lookup}$", _ON_ONE, "{basename}-detail", True, {}),
    ]

    def __init__(self) -> None:
        super().__init__(trailing_slash=False)

    def get_routes(self, viewset: Any) -> list[Any]:
        """The address of an action implies its name, as if the body had it."""
        names = {action.__name__: action.url_path for action in viewset.declared_actions()}
        return [
            route._replace(mapping={"post": "act"}, initkwargs={"named_action": names[name]})
            if (name := dict(route.mapping).get("post")) in names
            else route
            for route in super().get_routes(viewset)
        ]


class SubcollectionRouter(NestedMixin, CollectionRouter):
    """Routes below a parent resource. Its id is the keyword argument `<parent_collection>_pk`."""

    def __init__(self, parent_router: CollectionRouter, parent_collection: str) -> None:
        super().__init__(parent_router, parent_collection, lookup=parent_collection)

    def get_routes(self, viewset: Any) -> list[Any]:
        """Tell the views their parent's collection."""
        above = {"parent_collection": self.parent_prefix}
        return [route._replace(initkwargs=route.initkwargs | above) for route in super().get_routes(viewset)]


class _PrefixPattern(RoutePattern):
    """Matches paths that begin with a name, and consumes nothing. So other collections' patterns aren't tried."""

    def __init__(self, name: str) -> None:
        super().__init__("")
        self._name = name

    def match(self, path: str) -> tuple[str, tuple[()], dict[str, Any]] | None:
        return (path, (), {}) if path.startswith(self._name) else None


def api_urls() -> list[URLPattern | URLResolver]:
    """All URL patterns of the API, from the declared collections."""
    return [
        path("", EntryPoint.as_view(), name="entry-point"),
        path("ping", ping, name="ping"),
        path("auth", Auth.as_view(), name="auth"),
        path("product_info", ProductInfo.as_view(), name="product-info"),
        path("schema", SchemaView.as_view(), name="schema"),
        path("docs", DocsView.as_view(), name="docs"),
        *(path(name, import_string(view).as_view(), name=name) for name, view in settings.API_VIEWS.items()),
        *(URLResolver(_PrefixPattern(name), _urls_of(name)) for name in settings.COLLECTIONS),
        re_path(r"^(?P<path>.*)$", NotFoundView.as_view(), name="nowhere"),
    ]


def viewset_of(collection: str) -> Any:
    """The viewset of a collection."""
    return import_string(settings.COLLECTIONS[collection])


def _urls_of(name: str) -> list[URLPattern | URLResolver]:
    """The URL patterns of a collection and its subcollections."""
    viewset, router = viewset_of(name), CollectionRouter()
    router.register(name, viewset, basename=name)
    nested = SubcollectionRouter(router, name)
    for subcollection, declared in viewset.subcollections.items():
        nested.register(subcollection, import_string(declared.viewset), basename=f"{name}-{subcollection}")
    return [*router.urls, *nested.urls]
