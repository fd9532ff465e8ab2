"""The addresses of the declared collections and of what stands below them."""

from __future__ import annotations

from django.conf import settings
from django.urls import URLPattern, URLResolver, path, re_path
from rest_framework.routers import DynamicRoute, Route, SimpleRouter
from rest_framework_nested.routers import NestedMixin

from inventory.rest.collections import viewset_at, viewset_of
from inventory.rest.schema.views import DocsView, SchemaView
from inventory.rest.views import Auth, EntryPoint, Nowhere, ping

_ON_ONE = {"get": "retrieve", "post": "act", "put": "update", "patch": "partial_update", "delete": "destroy"}


class CollectionRouter(SimpleRouter):
    """A POST runs the action that its body names; one of a whole collection has an address of its own too."""

    routes = [
        Route(r"^{prefix}$", {"get": "list", "post": "act"}, "{basename}-list", False, {}),
        DynamicRoute(r"^{prefix}/{url_path}$", "{basename}-{url_name}", False, {}),
        Route(r"^{prefix}/{lookup}$", _ON_ONE, "{basename}-detail", True, {}),
    ]

    def __init__(self) -> None:
        super().__init__(trailing_slash=False)


class SubcollectionRouter(NestedMixin, CollectionRouter):
    """The same below one resource, whose id comes as the keyword argument `<lookup>_pk`."""


def api_urls() -> list[URLPattern | URLResolver]:
    """Every address under the API, as the collections declare them."""
    router = CollectionRouter()
    below: list[URLPattern | URLResolver] = []
    for name in settings.COLLECTIONS:
        viewset = viewset_of(name)
        router.register(name, viewset, basename=name)
        nested = SubcollectionRouter(router, name, lookup=name)
        for subcollection, declared in viewset.subcollections.items():
            nested.register(subcollection, viewset_at(declared.viewset), basename=f"{name}-{subcollection}")
        below += nested.urls
    return [
        path("", EntryPoint.as_view(), name="entry-point"),
        path("ping", ping, name="ping"),
        path("auth", Auth.as_view(), name="auth"),
        path("schema", SchemaView.as_view(), name="schema"),
        path("docs", DocsView.as_view(), name="docs"),
        *router.urls,
        *below,
        re_path(r"^(?P<path>.*)$", Nowhere.as_view(), name="nowhere"),
    ]
