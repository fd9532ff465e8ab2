"""This app's parts of a refresh: tenants, networks, instances and VMs, ports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

from django.db.models import Q, QuerySet

from inventory.db.bulk import among, batches
from inventory.drivers.values import Group, Network, Port, Tenant
from inventory.models import CloudNetwork, CloudTenant, NetworkPort, Vm
from inventory.refresh import Refresh
from inventory.relations import relate


def bring_in_tenants(refresh: Refresh) -> None:
    inventory = refresh.inventory
    unlisted = _unlisted(refresh, "cloud_tenants", CloudTenant, inventory.tenants, inventory.tenant_refs)
    refresh.tenants = refresh.reconcile(
        "cloud_tenants",
        CloudTenant,
        [*inventory.tenants, *unlisted],
        CloudTenant.mapping.columns(),
        tenant="ems_ref",
        within=refresh.within(cloud_tenant="ems_ref"),
    )


def bring_in_networks(refresh: Refresh) -> None:
    inventory = refresh.inventory
    resources: Iterable[Group | Port] = chain(inventory.groups, inventory.ports)
    refs = (resource.network_ref for resource in resources)
    networks = [
        *inventory.networks,
        *_unlisted(refresh, "cloud_networks", CloudNetwork, inventory.networks, refs),
    ]
    tenants = refresh.owner_ids(network.tenant_ref for network in networks)
    associated = (ref for group in inventory.groups for ref in group.associated_network_refs)
    peers = (ref for network in inventory.networks for ref in network.peer_refs)
    refresh.networks = refresh.reconcile(
        "cloud_networks",
        CloudNetwork,
        networks,
        CloudNetwork.mapping.columns({"tenant_ref": tenants}),
        within=refresh.within(cloud_tenant="cloud_tenant__ems_ref"),
    )
    refresh.networks |= refresh.known(CloudNetwork, chain(associated, peers))


def bring_in_peers(refresh: Refresh) -> None:
    """Which networks are peered."""
    networks, field = refresh.inventory.networks, CloudNetwork.peers.field
    relate(
        refresh, "cloud_networks", networks, "peer_refs", field, rows=refresh.networks, related=refresh.networks
    )


def _unlisted(
    refresh: Refresh,
    kind: str,
    model: type[CloudTenant] | type[CloudNetwork],
    listed: Iterable[Tenant | Network],
    refs: Iterable[str | None],
) -> list[Any]:
    """Things that were not listed, although others refer to them: from their rows, or named by their refs."""
    left_out = refresh.findings.stays(kind)
    missing = {ref for ref in refs if ref and not left_out(ref)} - {value.ref for value in listed}
    rows = model.objects.filter(provider=refresh.provider)
    existing = {
        row.ref: row for batch in batches(sorted(missing)) for row in rows.filter(ems_ref__in=batch).as_values()
    }
    return [existing.get(ref) or model.mapping.kind(ref=ref, name=ref) for ref in sorted(missing)]


def bring_in_instances(refresh: Refresh) -> None:
    refresh.instances = refresh.reconcile(
        "instances",
        Vm,
        refresh.inventory.instances,
        Vm.mapping.columns({"tenant_ref": refresh.tenants}, vendor=refresh.provider.vendor, cloud=True),
        within=refresh.within(cloud_tenant="cloud_tenant__ems_ref", instance="ems_ref"),
        before_deletion=partial(_spare_ports, refresh),
    )
    refresh.instances |= refresh.known(Vm, (port.instance_ref for port in refresh.inventory.ports))


def _spare_ports(refresh: Refresh, gone: QuerySet[Vm]) -> None:
    """Detach existing ports from the instances to be deleted, because they may have moved to another one."""
    listed, stays = {port.ref for port in refresh.inventory.ports}, refresh.findings.stays("network_ports")
    rows = NetworkPort.objects.filter(vm__in=gone).values_list("pk", "ems_ref")
    spared = [pk for pk, ref in rows if ref in listed or stays(ref)]
    NetworkPort.objects.filter(pk__in=among(spared)).update(vm=None)


def bring_in_ports(refresh: Refresh) -> None:
    within = refresh.within(cloud_tenant="cloud_tenant__ems_ref")
    refresh.ports = refresh.reconcile(
        "network_ports",
        NetworkPort,
        _with_known_addresses(refresh),
        NetworkPort.mapping.columns(
            {
                "instance_ref": refresh.instances,
                "tenant_ref": refresh.tenants,
                "network_ref": refresh.networks,
            }
        ),
        within=within and within | Q(ems_ref__in=refresh.known_ports),
        newer=Q(groups_read_on__gt=refresh.read_on),
    )


def _with_known_addresses(refresh: Refresh) -> Iterable[Port]:
    """The ports. Those whose public addresses may be untold keep the known ones."""
    rows = refresh.untold("network_ports", NetworkPort, "public_ip_addresses").exclude(public_ipaddresses=[])
    known: dict[str, list[str]] = dict(rows.values_list("ems_ref", "public_ipaddresses"))
    return (
        replace(port, public_ip_addresses=tuple(known[port.ref]))
        if port.ref in known and not port.public_ip_addresses
        else port
        for port in refresh.inventory.ports
    )
