"""`collection_class`: a list of the resources of one of ManageIQ's classes alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings

from inventory import drivers
from inventory.db.conditions import EVERYTHING, Condition, compare


@dataclass(frozen=True, slots=True)
class Classes:
    """What ManageIQ calls the resources of a collection.

    `everything` are the names of what all of them are, the collection's own class first; `parts` those of some.
    `of_clouds` is how the names end that each cloud has, which `type` shows: `CloudManager::Vm`.
    """

    everything: tuple[str, ...]
    parts: Mapping[str, Condition] = field(default_factory=dict)
    of_clouds: str | None = None

    def conditions(self) -> dict[str, Condition]:
        """Each name with what holds for its resources."""
        found = dict.fromkeys(self.everything, EVERYTHING) | dict(self.parts)
        if self.of_clouds:
            namespaces = (drivers.driver_class(name).namespace for name in settings.DRIVERS)
            types = [f"ManageIQ::Providers::{namespace}::{self.of_clouds}" for namespace in namespaces]
            found |= {name: compare("type", name) for name in types}
        return found
