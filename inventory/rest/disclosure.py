"""Parts of stored JSON that were computed for one user, and that others may see if they see as much.

Such a part says how much of some collections the user saw. It is left out for everybody who sees something else of
them, unless that is everything. Its addresses are stored without the root of the API.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from hashlib import sha256
from typing import Any

from inventory.db.conditions import EVERYTHING
from inventory.rest.hrefs import Hrefs
from inventory.rest.resources import Viewer, get_resource_type

#: The key in a part that has what the user saw: a digest of the scope, by collection.
SEEN = "seen"
#: What names groups on ports, whoever may see them. Whoever sees only some groups is shown none of it.
NAMING = frozenset({"before", "after", "network_ports"})
#: Makes addresses without a root.
ROOTLESS = Hrefs("")


def disclosable(part: Mapping[str, Any], viewer: Viewer, collections: Collection[str]) -> dict[str, Any]:
    """A part that was computed for this viewer from what they see of these collections."""
    return {SEEN: {name: _digest(viewer, name) for name in collections}, **part}


class Disclosure:
    """Shows JSON objects to one viewer, without the parts that are not for them."""

    def __init__(self, viewer: Viewer, hrefs: Hrefs) -> None:
        self._root = hrefs.root
        self._sees = cache(lambda collection, seen: _sees(viewer, collection, seen))
        groups = get_resource_type("security_groups").queryset
        self._sees_every_group = groups.scope_of(viewer.user) is EVERYTHING

    def __call__(self, values: dict[str, Any]) -> dict[str, Any]:
        shown = dict(values)
        for name, part in values.items():
            if name in NAMING and not self._sees_every_group:
                del shown[name]
            elif is_disclosable(part):
                if all(self._sees(*each) for each in part[SEEN].items()):
                    shown[name] = self._rooted({key: value for key, value in part.items() if key != SEEN})
                else:
                    del shown[name]
        return shown

    def _rooted(self, value: Any) -> Any:
        """The same with whole addresses."""
        if isinstance(value, list):
            return list(map(self._rooted, value))
        if isinstance(value, dict):
            return {
                key: f"{self._root}{child}" if key == "href" else self._rooted(child)
                for key, child in value.items()
            }
        return value


def disclosed_to_nobody(values: dict[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in values.items() if not is_disclosable(part)}


def is_disclosable(part: Any) -> bool:
    return isinstance(part, dict) and SEEN in part


def _sees(viewer: Viewer, collection: str, seen: str) -> bool:
    return viewer.scope(get_resource_type(collection)) is EVERYTHING or _digest(viewer, collection) == seen


def _digest(viewer: Viewer, collection: str) -> str:
    return sha256(repr(viewer.scope(get_resource_type(collection))).encode()).hexdigest()[:16]
