"""The collections of the API, as `settings.COLLECTIONS` lists them, and how they hang together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from inventory.rest.viewsets import CollectionViewSet


@dataclass(frozen=True, slots=True)
class ToOne:
    """A relation to one resource of `collection`; `column` of the own model holds its id."""

    collection: str
    column: str


@dataclass(frozen=True, slots=True)
class ToMany:
    """A relation to many resources of `collection`; `lookup` leads from their model back to the own one."""

    collection: str
    lookup: str


@dataclass(frozen=True, slots=True)
class Subcollection:
    """What stands below a resource: its viewset, by dotted path, and the `lookup` from its model to the parent."""

    viewset: str
    lookup: str


Relation = ToOne | ToMany


@cache
def viewset_at(path: str) -> type[CollectionViewSet]:
    loaded: type[CollectionViewSet] = import_string(path)
    return loaded


def viewset_of(collection: str) -> type[CollectionViewSet]:
    """The viewset that declares a collection; `KeyError` if there is none of that name."""
    return viewset_at(settings.COLLECTIONS[collection])
