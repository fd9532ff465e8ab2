"""What groups open to the public."""

from __future__ import annotations

from django.contrib import admin

from inventory.admin.base import LinkedAdmin, LinkFilter, ProviderFilter, ReadOnly
from inventory.admin.columns import Counted, Linked
from secgroups.admin.groups import RuleColumns
from secgroups.messages import first_of
from secgroups.models import Exposure, FirewallRule
from secgroups.querysets import BY_SEVERITY

#: How many ranges a page shows.
RANGES = 100


@admin.register(Exposure)
class ExposureAdmin(RuleColumns, ReadOnly, LinkedAdmin[Exposure]):
    list_display = [
        "severity",
        Linked("security_group"),
        "protocol",
        "ports",
        "service",
        "breadth",
        "total_vms",
        "total_public_vms",
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
        ("severity", "breadth", "service"),
        ("protocol", "ports"),
        "ranges",
        ("total_vms", "total_public_vms"),
        "provider",
    ]
    readonly_fields = ["protocol", "ports", "ranges"]

    @admin.display(description="from")
    def ranges(self, exposure: Exposure) -> str:
        ranges = exposure.source_ip_ranges
        return first_of(ranges[:RANGES], max(len(ranges) - RANGES, 0))
