"""What refreshes import: tenants, networks, instances and VMs, ports."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest

from inventory.admin.base import LinkedAdmin, LinkFilter, ProviderFilter, ReadOnly
from inventory.admin.columns import Counted, Linked, visible, visible_rows, with_named
from inventory.admin.refreshable import RefreshableAdmin
from inventory.models import CloudNetwork, CloudTenant, Instance, NetworkPort, Task, Vm


class PortColumns:
    @admin.display(description="IP addresses")
    def addresses(self, port: NetworkPort) -> str:
        return ", ".join(port.ipaddresses)

    @admin.display(description="Public IP addresses")
    def public_addresses(self, port: NetworkPort) -> str:
        return ", ".join(port.public_ipaddresses)

    @admin.display(description="Allowed address pairs")
    def address_pairs(self, port: NetworkPort) -> str:
        return ", ".join(port.allowed_address_pairs)


@admin.register(CloudTenant)
class CloudTenantAdmin(ReadOnly, RefreshableAdmin[CloudTenant]):
    kind = "cloud_tenant"
    actions = ["refresh", "refresh_by_force"]
    list_display = ["name", "ems_ref", Linked("provider"), "enabled"]
    list_filter = [("provider", ProviderFilter), "enabled"]
    search_fields = ["name", "ems_ref", "description"]
    ordering = ["name"]
    counts = [Counted(CloudNetwork, "cloud_tenant"), Counted(Vm, "cloud_tenant")]
    fields = ["provider", "ems_ref", "description", "enabled", ("created_on", "updated_on")]


@admin.register(CloudNetwork)
class CloudNetworkAdmin(ReadOnly, LinkedAdmin[CloudNetwork]):
    list_display = ["name", "cidr", "ems_ref", Linked("provider"), Linked("cloud_tenant")]
    list_filter = [("provider", ProviderFilter), ("cloud_tenant", LinkFilter)]
    search_fields = ["name", "ems_ref", "cidr"]
    ordering = ["name"]
    counts = [Counted(NetworkPort, "cloud_network")]
    fields = ["cidr", ("provider", "cloud_tenant"), "ems_ref"]


class PortInline(PortColumns, ReadOnly, admin.TabularInline[NetworkPort, Vm]):
    model = NetworkPort
    fk_name = "vm"
    fields = [
        "status",
        "cloud_network",
        "mac_address",
        "addresses",
        "public_addresses",
        "address_pairs",
        "port_security_enabled",
    ]
    readonly_fields = ["addresses", "public_addresses", "address_pairs"]
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[NetworkPort]:
        return with_named(visible(super().get_queryset(request), request), request, "cloud_network")


@admin.register(Vm, Instance)
class VmAdmin(ReadOnly, RefreshableAdmin[Vm]):
    kind = "instance"
    list_display = [
        "name",
        Linked("provider"),
        Linked("cloud_tenant"),
        "power_state",
        "addresses",
        "public_addresses",
    ]
    list_filter = [("provider", ProviderFilter), "power_state", ("cloud_tenant", LinkFilter)]
    search_fields = ["name", "ems_ref", "uid_ems", "guid"]
    ordering = ["name"]
    links = [Counted(NetworkPort, "vm"), Counted(Task, "vm")]
    inlines = [PortInline]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("provider", "cloud_tenant"),
                    ("power_state", "raw_power_state"),
                    ("flavor_name", "availability_zone_name", "location"),
                    "description",
                ]
            },
        ),
        (
            "Identity",
            {
                "fields": [
                    ("ems_ref", "uid_ems", "guid"),
                    "vendor",
                    ("cloud", "template"),
                    ("created_on", "updated_on"),
                ],
                "classes": ["collapse"],
            },
        ),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Vm]:
        ports = Prefetch("network_ports", visible_rows(NetworkPort, request))
        return super().get_queryset(request).prefetch_related(ports)

    @admin.display(description="IP addresses")
    def addresses(self, vm: Vm) -> str:
        return ", ".join(address for port in vm.network_ports.all() for address in port.ipaddresses)

    @admin.display(description="Public IP addresses")
    def public_addresses(self, vm: Vm) -> str:
        return ", ".join(address for port in vm.network_ports.all() for address in port.public_ipaddresses)


@admin.register(NetworkPort)
class NetworkPortAdmin(PortColumns, ReadOnly, LinkedAdmin[NetworkPort]):
    list_display = [
        "__str__",
        Linked("vm"),
        "device_owner",
        Linked("cloud_network"),
        "addresses",
        "public_addresses",
        "mac_address",
        "status",
    ]
    list_filter = [("provider", ProviderFilter), "status", ("vm", LinkFilter), ("cloud_network", LinkFilter)]
    search_fields = ["name", "ems_ref", "mac_address", "vm__name"]
    ordering = ["ems_ref"]
    fields = [
        ("name", "ems_ref"),
        ("vm", "device_owner", "requester_managed"),
        ("provider", "cloud_tenant", "cloud_network"),
        ("mac_address", "addresses", "public_addresses", "address_pairs"),
        ("status", "port_security_enabled"),
        "groups_read_on",
    ]
    readonly_fields = ["addresses", "public_addresses", "address_pairs"]
