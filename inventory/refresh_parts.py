"""This app's parts of a refresh: tenants, networks, instances and VMs, ports."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from typing import TypeVar

from django.db.models import Q, QuerySet

from inventory.db.bulk import among, batches
from inventory.drivers.values import Group, Network, Port, Tenant
from inventory.models import CloudNetwork, CloudTenant, NetworkPort, Vm
from inventory.reconcile import Attributes, Row
from inventory.refresh import Refresh

Listed = TypeVar("Listed", Network, Tenant)


def bring_in_tenants(refresh: Refresh) -> None:
    inventory = refresh.inventory
    unlisted = _unlisted(
        refresh, "cloud_tenants", CloudTenant, Tenant, inventory.tenants, inventory.tenant_refs, "description"
    )
    refresh.tenants = refresh.reconcile(
        "cloud_tenants",
        CloudTenant,
        [*inventory.tenants, *unlisted],
        lambda tenant: {"name": tenant.name, "description": tenant.description},
        tenant="ems_ref",
        within=refresh.within(cloud_tenant="ems_ref"),
    )


def bring_in_networks(refresh: Refresh) -> None:
    inventory = refresh.inventory
    on: Iterable[Group | Port] = chain(inventory.groups, inventory.ports)
    refs = (one.network_ref for one in on)
    columns = ("cidr", "cloud_tenant__ems_ref")
    unlisted = _unlisted(refresh, "cloud_networks", CloudNetwork, Network, inventory.networks, refs, *columns)
    associated = (ref for group in inventory.groups for ref in group.associated_network_refs)
    refresh.networks = refresh.reconcile(
        "cloud_networks",
        CloudNetwork,
        [*inventory.networks, *unlisted],
        lambda network: {
            "name": network.name,
            "cidr": network.cidr,
            "cloud_tenant_id": refresh.tenants.get(network.tenant_ref or ""),
        },
        within=refresh.within(cloud_tenant="cloud_tenant__ems_ref"),
    )
    refresh.networks |= refresh.known(CloudNetwork, associated)


def _unlisted(
    refresh: Refresh,
    kind: str,
    model: type[Row],
    value: Callable[..., Listed],
    listed: Iterable[Listed],
    refs: Iterable[str | None],
    *columns: str,
) -> list[Listed]:
    """What the cloud did not list though something there belongs to it: as its row has it, or named by its ref."""
    left_out = refresh.findings.stays(kind)
    missing = {ref for ref in refs if ref and not left_out(ref)} - {one.ref for one in listed}
    rows = model._default_manager.filter(provider=refresh.provider)
    known = {
        row[0]: value(*row)
        for batch in batches(sorted(missing))
        for row in rows.filter(ems_ref__in=batch).values_list("ems_ref", "name", *columns)
    }
    return [known.get(ref) or value(ref, ref) for ref in sorted(missing)]


def bring_in_instances(refresh: Refresh) -> None:
    kind = f"ManageIQ::Providers::{refresh.driver.namespace}::CloudManager::Vm"
    refresh.instances = refresh.reconcile(
        "instances",
        Vm,
        refresh.inventory.instances,
        lambda instance: {
            "name": instance.name,
            "uid_ems": instance.ref,
            "description": instance.description,
            "vendor": refresh.driver.vendor,
            "type": kind,
            "cloud": True,
            "cloud_tenant_id": refresh.tenants.get(instance.tenant_ref or ""),
            "power_state": instance.power_state,
            "raw_power_state": instance.raw_power_state,
            "flavor_name": instance.flavor_name,
            "availability_zone_name": instance.availability_zone_name,
            "location": instance.location,
        },
        within=refresh.within(cloud_tenant="cloud_tenant__ems_ref", instance="ems_ref"),
        before_deletion=partial(_spare_ports, refresh),
    )
    refresh.instances |= refresh.known(Vm, (port.instance_ref for port in refresh.inventory.ports))


def _spare_ports(refresh: Refresh, gone: QuerySet[Vm]) -> None:
    """Take the ports that exist from the instances that go: they are another's now, or nobody's."""
    there, stays = {port.ref for port in refresh.inventory.ports}, refresh.findings.stays("network_ports")
    rows = NetworkPort.objects.filter(vm__in=gone).values_list("pk", "ems_ref")
    spared = [pk for pk, ref in rows if ref in there or stays(ref)]
    NetworkPort.objects.filter(pk__in=among(spared)).update(vm=None)


def bring_in_ports(refresh: Refresh) -> None:
    within = refresh.within(cloud_tenant="cloud_tenant__ems_ref")
    refresh.ports = refresh.reconcile(
        "network_ports",
        NetworkPort,
        refresh.inventory.ports,
        lambda port: (
            port_attributes(port)
            | {
                "vm_id": refresh.instances.get(port.instance_ref or ""),
                "cloud_tenant_id": refresh.tenants.get(port.tenant_ref or ""),
                "cloud_network_id": refresh.networks.get(port.network_ref or ""),
            }
        ),
        within=within and within | Q(ems_ref__in=refresh.known_ports),
        newer=Q(groups_read_on__gt=refresh.read_on),
    )


def port_attributes(port: Port) -> Attributes:
    """What a port row takes from the cloud's port as it is."""
    return {
        "name": port.name,
        "mac_address": port.mac_address,
        "status": port.status,
        "ipaddresses": list(port.ip_addresses),
        "port_security_enabled": port.port_security_enabled,
    }
