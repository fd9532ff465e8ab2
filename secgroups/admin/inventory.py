"""What security groups add to the lists and pages of the inventory.

Each class replaces the registered class that it extends.
"""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join

from inventory import admin as base
from inventory.admin.base import LinkFilter
from inventory.admin.columns import Counted, link_to, visible_rows
from inventory.models import CloudNetwork, CloudTenant, NetworkPort, Provider
from secgroups.admin.explained import ExplainedAdmin
from secgroups.models import SecurityGroup

admin.site.unregister([Provider, CloudTenant, CloudNetwork, NetworkPort])


class PortColumns:
    def get_queryset(self, request: HttpRequest) -> QuerySet[NetworkPort]:
        groups = Prefetch("security_groups", visible_rows(SecurityGroup, request))
        rows: QuerySet[NetworkPort] = super().get_queryset(request)  # type: ignore[misc]
        return rows.prefetch_related(groups)

    @admin.display(description="security groups")
    def groups(self, port: NetworkPort) -> str:
        return format_html_join(", ", "{}", ((link_to(group),) for group in port.security_groups.all())) or "-"


@admin.register(Provider)
class ProviderAdmin(base.ProviderAdmin):
    counts = [*base.ProviderAdmin.counts, Counted(SecurityGroup, "provider")]


@admin.register(CloudTenant)
class CloudTenantAdmin(base.CloudTenantAdmin):
    counts = [*base.CloudTenantAdmin.counts, Counted(SecurityGroup, "cloud_tenant")]


@admin.register(CloudNetwork)
class CloudNetworkAdmin(base.CloudNetworkAdmin):
    counts = [*base.CloudNetworkAdmin.counts, Counted(SecurityGroup, "cloud_network")]


@admin.register(NetworkPort)
class NetworkPortAdmin(PortColumns, ExplainedAdmin[NetworkPort], base.NetworkPortAdmin):
    list_filter = [*base.NetworkPortAdmin.list_filter, ("security_groups", LinkFilter)]
    counts = [Counted(SecurityGroup, "network_ports")]
    fields = [*base.NetworkPortAdmin.fields, "groups"]
    readonly_fields = [*base.NetworkPortAdmin.readonly_fields, "groups"]


class PortInline(PortColumns, base.PortInline):
    fields = [*base.PortInline.fields, "groups"]
    readonly_fields = [*base.PortInline.readonly_fields, "groups"]
