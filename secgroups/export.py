"""A provider's inventory out of the database, as values of the drivers: each part, and never all of it at once.

A refresh that writes meanwhile may be in one part and not yet in another. What then leads nowhere is left out when
the values are read again, as it is where a cloud changes while it is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import Prefetch, QuerySet

from inventory.db.expressions import ByCodePoint
from inventory.drivers.values import Group, Instance, Network, Port, Rule, Tenant
from inventory.models import CloudNetwork, CloudTenant, NetworkPort, Provider, Vm
from secgroups.models import FirewallRule, SecurityGroup

#: Ports that are held at a time.
BATCH = 500


def exported(provider: Provider) -> Mapping[str, Iterator[object]]:
    """The parts of `values.Inventory`, each in the order of its refs, which no refresh changes."""
    return {
        "tenants": _tenants(provider),
        "networks": _networks(provider),
        "groups": _groups(provider),
        "rules": _rules(provider),
        "instances": _instances(provider),
        "ports": _ports(provider),
    }


def _of(provider: Provider, rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.filter(provider=provider).order_by(ByCodePoint("ems_ref"))


def _tenants(provider: Provider) -> Iterator[Tenant]:
    rows = _of(provider, CloudTenant.objects.all()).values_list("ems_ref", "name", "description")
    return (Tenant(*row) for row in rows.iterator())


def _networks(provider: Provider) -> Iterator[Network]:
    rows = _of(provider, CloudNetwork.objects.all())
    found = rows.values_list("ems_ref", "name", "cidr", "cloud_tenant__ems_ref")
    return (Network(*row) for row in found.iterator())


def _groups(provider: Provider) -> Iterator[Group]:
    groups = SecurityGroup.objects.filter(provider=provider)
    related = ("shared_with__ems_ref", "associated_networks__ems_ref")
    return groups.order_by(*map(ByCodePoint, ("ems_ref", *related))).as_values()


def _rules(provider: Provider) -> Iterator[Rule]:
    rows = _of(provider, FirewallRule.objects.all()).values_list(
        "ems_ref",
        "security_group__ems_ref",
        "direction",
        "network_protocol",
        "host_protocol",
        "port",
        "end_port",
        "source_ip_range",
        "source_security_group__ems_ref",
        "description",
    )
    return (Rule(*row) for row in rows.iterator())


def _instances(provider: Provider) -> Iterator[Instance]:
    instances: Iterator[Instance] = _of(provider, Vm.objects.instances()).as_values()  # type: ignore[attr-defined]
    return instances


def _ports(provider: Provider) -> Iterator[Port]:
    groups = Prefetch("security_groups", SecurityGroup.objects.only("ems_ref").order_by(ByCodePoint("ems_ref")))
    rows = _of(provider, NetworkPort.objects.select_related("vm", "cloud_tenant", "cloud_network"))
    for row in rows.prefetch_related(groups).iterator(BATCH):
        yield Port(
            ref=row.ems_ref,
            name=row.name,
            instance_ref=row.vm and row.vm.ems_ref,
            tenant_ref=row.cloud_tenant and row.cloud_tenant.ems_ref,
            network_ref=row.cloud_network and row.cloud_network.ems_ref,
            mac_address=row.mac_address,
            status=row.status,
            ip_addresses=tuple(row.ipaddresses),
            group_refs=tuple(group.ems_ref for group in row.security_groups.all()),
            port_security_enabled=row.port_security_enabled,
        )
