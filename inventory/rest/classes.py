"""ManageIQ's class names, such as `ManageIQ::Providers::Amazon::CloudManager::Vm`. Rows have the vendor alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.conf import settings
from django.db.models import Case, CharField, F, QuerySet, Value, When
from django.db.models.expressions import Combinable

from inventory.db.conditions import EVERYTHING, Condition, any_of, compare
from inventory.db.expressions import ByCodePoint, fold
from inventory.models import Provider

_PREFIX, _SEPARATOR = "ManageIQ::Providers::", "::"
#: The name of the class in conditions and in resources.
TYPE = "type"


class ClassNames(dict[str, str]):
    """The class names of a collection by vendor. All of them have the same `ending`.

    A row from an older version may have another class name in place of its vendor. It is shown unchanged.
    """

    def __init__(self, ending: str) -> None:
        super().__init__()
        self.ending = ending
        for vendor in settings.DRIVERS:
            self[vendor]  # so that those of two endings are never equal

    def __missing__(self, vendor: str) -> str:
        word = vendor[:1].upper() + vendor[1:]
        self[vendor] = vendor if _SEPARATOR in vendor else f"{_PREFIX}{word}{_SEPARATOR}{self.ending}"
        return self[vendor]

    def vendors(self) -> dict[str, str]:
        """The vendors that have a driver, by class name."""
        return {self[vendor]: vendor for vendor in settings.DRIVERS}

    def settled(self, condition: Condition) -> Condition:
        """Turn a condition on `TYPE` into one on the vendor, which needs no comparison of class names in each row.

        Every vendor belongs to a provider, and there are few providers. So the database evaluates the condition
        for them, with the same lookups as for any other text.
        """
        names = [When(vendor=vendor, then=Value(self[vendor])) for vendor in _vendors_of(Provider.objects.all())]
        providers = Provider.objects.alias(**{TYPE: Case(*names, output_field=CharField())})
        return any_of([compare("vendor", vendor) for vendor in _vendors_of(providers.filter(condition.q()))])

    def order(self, *, ignore_case: bool) -> Combinable:
        """An expression that sorts rows by class name. It is the vendor itself if that gives the same order."""
        by_name = fold if ignore_case else str
        vendors = sorted(_vendors_of(Provider.objects.all()), key=lambda vendor: by_name(self[vendor]))
        if vendors == sorted(vendors):
            return ByCodePoint(F("vendor"))
        return Case(*(When(vendor=vendor, then=Value(place)) for place, vendor in enumerate(vendors)))


def _vendors_of(providers: QuerySet[Provider]) -> Iterable[str]:
    """The vendors of these providers, without duplicates."""
    return providers.order_by().values_list("vendor", flat=True).distinct()


@dataclass(frozen=True, slots=True)
class Classes:
    """ManageIQ's class names for the resources of a collection, in addition to those of the vendors.

    `everything` has the classes of all resources, with the collection's own class first. `parts` has the classes
    of some resources.
    """

    everything: tuple[str, ...]
    parts: Mapping[str, Condition] = field(default_factory=dict)

    def conditions(self, names: ClassNames | None) -> dict[str, Condition]:
        """Maps each class name to the condition that its resources meet."""
        vendors = {} if names is None else names.vendors()
        of_vendors = {name: compare("vendor", vendor) for name, vendor in vendors.items()}
        return dict.fromkeys(self.everything, EVERYTHING) | dict(self.parts) | of_vendors
