"""What refreshes import: security groups, their rules and memberships, and address lists."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.text import smart_split

from inventory.admin.base import LinkedAdmin, LinkFilter, ProviderFilter, ReadOnly
from inventory.admin.columns import Counted, Linked, link_to, visible, with_named
from inventory.admin.refreshable import RefreshableAdmin
from inventory.models import NetworkPort, Vm
from secgroups.admin.explained import REACHABILITY, ExplainedAdmin
from secgroups.admin.reachability import reachability_view
from secgroups.analysis.group_use import Use, in_use, uses_of
from secgroups.messages import ANYBODY, HIDDEN_GROUP, NO_ENTRIES, UNKNOWN_ENTRIES, ports_called, protocol_called
from secgroups.models import AddressList, Exposure, FirewallRule, Membership, SecurityGroup
from secgroups.querysets import FirewallRuleQuerySet

#: A search for ports: 22, or 20-25.
PORTS = re.compile(r"(?P<first>[0-9]{1,5})(-(?P<last>[0-9]{1,5}))?")


class RuleColumns:
    @admin.display(description="protocol", ordering="host_protocol")
    def protocol(self, rule: FirewallRule | Exposure) -> str:
        return protocol_called(rule.host_protocol, rule.network_protocol)

    @admin.display(description="ports", ordering="port")
    def ports(self, rule: FirewallRule | Exposure) -> str:
        return ports_called(rule.host_protocol, rule.port, rule.end_port)

    @admin.display(description="other side", ordering="source_ip_range")
    def other_side(self, rule: FirewallRule) -> str:
        if rule.source_security_group:
            return link_to(rule.source_security_group)
        if rule.source_security_group_id:
            return HIDDEN_GROUP
        if rule.source_address_list:
            return link_to(rule.source_address_list)
        return rule.source_ip_range or ANYBODY


class FirewallRuleInline(RuleColumns, ReadOnly, admin.TabularInline[FirewallRule, SecurityGroup]):
    model = FirewallRule
    fk_name = "security_group"
    fields = ["direction", "protocol", "ports", "other_side", "description"]
    readonly_fields = ["protocol", "ports", "other_side"]
    ordering = ["direction", "host_protocol", "port", "id"]
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[FirewallRule]:
        rules = visible(super().get_queryset(request), request)
        return with_named(rules, request, "source_security_group", "source_address_list")


class UnusedFilter(admin.SimpleListFilter):
    """By whether anything uses a group, as the parameter of the API."""

    title = "use"
    parameter_name = "unused"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("true", "Unused"), ("false", "In use")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SecurityGroup]) -> QuerySet[SecurityGroup]:
        match self.value():
            case "true":
                return queryset.filter(~in_use(request.user))
            case "false":
                return queryset.filter(in_use(request.user))
        return queryset


@admin.register(SecurityGroup)
class SecurityGroupAdmin(ReadOnly, ExplainedAdmin[SecurityGroup], RefreshableAdmin[SecurityGroup]):
    kind = "security_group"
    list_display = ["name", "ems_ref", Linked("cloud_network"), Linked("cloud_tenant"), Linked("provider")]
    list_filter = [
        ("provider", ProviderFilter),
        UnusedFilter,
        "stateful",
        ("cloud_tenant", LinkFilter),
        ("cloud_network", LinkFilter),
        ("vms", LinkFilter),
        ("network_ports", LinkFilter),
    ]
    search_fields = ["name", "ems_ref", "description"]
    ordering = ["name"]
    counts = [Counted(Vm, "security_groups"), Counted(FirewallRule, "security_group")]
    links = [
        Counted(NetworkPort, "security_groups"),
        Counted(Membership, "security_group"),
        Counted(Exposure, "security_group"),
    ]
    fieldsets = [
        (None, {"fields": ["description", ("provider", "cloud_tenant", "cloud_network")]}),
        (
            "Identity",
            {"fields": [("ems_ref", "stateful"), "vendor", ("created_on", "updated_on")], "classes": ["collapse"]},
        ),
    ]
    inlines = [FirewallRuleInline]

    def explain(self, request: HttpRequest, obj: SecurityGroup) -> dict[str, Any]:
        """Also what uses the group."""
        use = uses_of([obj.pk], request.user).get(obj.pk)
        explained = super().explain(request, obj)
        return {**explained, "used_by": use, "users": self._users(request, obj, use)} if use else explained

    def _users(self, request: HttpRequest, group: SecurityGroup, use: Use) -> list[tuple[str, int, str]]:
        """What uses a group: names, numbers, and addresses of the lists, if the user may look at these."""

        def url(listed: Counted, number: int) -> str:
            may_view = self.admin_site.get_model_admin(listed.model).has_view_permission(request)
            return listed.url(group) if number and may_view else ""

        users = {
            "Network ports": (use["network_ports"], Counted(NetworkPort, "security_groups")),
            "VMs": (use["vms"], Counted(Vm, "security_groups")),
            "Rules of other groups": (use["firewall_rules"], Counted(FirewallRule, "source_security_group")),
        }
        return [(label, number, url(listed, number)) for label, (number, listed) in users.items()]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(partial(reachability_view, model_admin=self))
        return [path("reachability/", view, name=REACHABILITY), *super().get_urls()]


@admin.register(FirewallRule)
class FirewallRuleAdmin(RuleColumns, ReadOnly, LinkedAdmin[FirewallRule]):
    list_display = [
        "ems_ref",
        Linked("security_group"),
        "direction",
        "protocol",
        "ports",
        "other_side",
        "description",
    ]
    list_filter = [
        ("provider", ProviderFilter),
        "direction",
        "network_protocol",
        "host_protocol",
        ("security_group", LinkFilter),
        ("source_security_group", LinkFilter),
        ("source_address_list", LinkFilter),
        ("exposures", LinkFilter),
    ]
    search_fields = ["ems_ref", "description", "source_ip_range", "security_group__name", "host_protocol"]
    search_help_text = "Enter a port or a range of ports (20-25) to find the rules that allow it."
    ordering = ["security_group__name", "direction"]
    fields = [
        "security_group",
        "direction",
        ("protocol", "ports"),
        "other_side",
        "description",
        ("provider", "ems_ref"),
    ]
    readonly_fields = ["protocol", "ports", "other_side"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[FirewallRule], search_term: str
    ) -> tuple[QuerySet[FirewallRule], bool]:
        """Treat a number as a port. As text it would match addresses and ids, but no ranges."""
        rules, words = cast(FirewallRuleQuerySet, queryset), []
        for word in smart_split(search_term):
            if ports := _ports(word):
                rules = rules.for_ports(*ports)
            else:
                words.append(word)
        return super().get_search_results(request, rules, " ".join(words))


def _ports(word: str) -> tuple[int, int] | None:
    """The first and last port that a search word means, or None."""
    if not (match := PORTS.fullmatch(word)):
        return None
    first, last = int(match["first"]), int(match["last"] or match["first"])
    return (first, last) if first <= last <= 65535 else None


@admin.register(AddressList)
class AddressListAdmin(ReadOnly, LinkedAdmin[AddressList]):
    list_display = ["name", "ems_ref", "network_protocol", Linked("cloud_tenant"), Linked("provider")]
    list_filter = [("provider", ProviderFilter), "network_protocol", ("cloud_tenant", LinkFilter)]
    search_fields = ["name", "ems_ref"]
    ordering = ["name"]
    counts = [Counted(FirewallRule, "source_address_list")]
    fields = [
        ("provider", "cloud_tenant"),
        ("network_protocol", "max_entries"),
        "known_entries",
        "ems_ref",
    ]
    readonly_fields = ["known_entries"]

    @admin.display(description="entries")
    def known_entries(self, address_list: AddressList) -> str:
        if address_list.entries is None:
            return UNKNOWN_ENTRIES
        return ", ".join(address_list.entries) or NO_ENTRIES


@admin.register(Membership)
class MembershipAdmin(ReadOnly, LinkedAdmin[Membership]):
    list_display = ["id", Linked("security_group"), Linked("vm"), Linked("network_port")]
    list_filter = [("security_group", LinkFilter), ("vm", LinkFilter), ("network_port", LinkFilter)]
    search_fields = ["security_group__name", "vm__name", "network_port__ems_ref"]
    ordering = ["id"]
