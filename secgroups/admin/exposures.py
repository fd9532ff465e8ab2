"""What groups open to the public."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import F, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest

from inventory.admin.base import LinkedAdmin, LinkFilter, ProviderFilter, ReadOnly
from inventory.admin.columns import Counted, Linked
from secgroups.admin.groups import RuleColumns
from secgroups.analysis.exposure_scope import SCOPED
from secgroups.messages import first_of
from secgroups.models import Exposure, FirewallRule
from secgroups.querysets import BY_SEVERITY

#: How many ranges a page shows.
RANGES = 100


@admin.register(Exposure)
class ExposureAdmin(RuleColumns, ReadOnly, LinkedAdmin[Exposure]):
    list_display = [
        "shown_severity",
        Linked("security_group"),
        "protocol",
        "ports",
        "service",
        "breadth",
        "shown_total_vms",
        "shown_total_public_vms",
        Linked("provider"),
    ]
    list_filter = [
        ("provider", ProviderFilter),
        "severity",
        "breadth",
        "network_protocol",
        "service",
        ("security_group", LinkFilter),
        ("firewall_rules", LinkFilter),
    ]
    search_fields = ["security_group__name", "service", "host_protocol"]
    ordering = [BY_SEVERITY, "id"]
    links = [Counted(FirewallRule, "exposures")]
    fields = [
        "security_group",
        ("shown_severity", "breadth", "service"),
        ("protocol", "ports"),
        "ranges",
        ("shown_total_vms", "shown_total_public_vms"),
        "provider",
    ]
    readonly_fields = ["protocol", "ports", "ranges", *(f"shown_{name}" for name in SCOPED)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Exposure]:
        """With the severity and the numbers that the user may know."""
        shown = {f"shown_{name}": make(request.user) or F(name) for name, make in SCOPED.items()}
        return super().get_queryset(request).annotate(**shown)

    def get_list_filter(self, request: HttpRequest) -> Any:
        return [name for name in super().get_list_filter(request) if self._is_known(name, request)]

    def get_ordering(self, request: HttpRequest) -> Any:
        return super().get_ordering(request) if self._is_known("severity", request) else ["id"]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        known = self._is_known(lookup.partition(LOOKUP_SEP)[0], request)
        return known and super().lookup_allowed(lookup, value, request)

    def _is_known(self, name: Any, request: HttpRequest) -> bool:
        """Whether the user may know what is in a column, and so may filter and sort by it."""
        return name not in SCOPED or SCOPED[name](request.user) is None

    @admin.display(description="severity", ordering="shown_severity")
    def shown_severity(self, exposure: Any) -> str:
        return str(Exposure.Severity(exposure.shown_severity).label)

    @admin.display(description="total vms", ordering="shown_total_vms")
    def shown_total_vms(self, exposure: Any) -> int:
        return int(exposure.shown_total_vms)

    @admin.display(description="total public vms", ordering="shown_total_public_vms")
    def shown_total_public_vms(self, exposure: Any) -> int:
        """Those whose port with the group has a public address of the family."""
        return int(exposure.shown_total_public_vms)

    @admin.display(description="from")
    def ranges(self, exposure: Exposure) -> str:
        ranges = exposure.source_ip_ranges
        return first_of(ranges[:RANGES], max(len(ranges) - RANGES, 0))
