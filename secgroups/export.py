"""Exporting a provider's inventory as drivers' values, one part after the other.

A refresh that writes at the same time may be visible in only some parts. References that then lead nowhere are
left out when the export is read, as they are if a cloud changes during a refresh.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from inventory.db.expressions import ByCodePoint
from inventory.drivers.values import Network, Port
from inventory.models import CloudNetwork, CloudTenant, NetworkPort, Provider, Vm
from inventory.querysets import OwnedQuerySet
from secgroups.models import AddressList, FirewallRule, Membership, SecurityGroup

Rows = TypeVar("Rows", bound=OwnedQuerySet)

#: Ports in memory at a time.
BATCH = 500
#: The relations of a group, which are sorted too.
RELATED = ("shared_with__ems_ref", "associated_networks__ems_ref")


def exported(provider: Provider) -> Mapping[str, Iterator[object]]:
    """The parts of `values.Inventory`, each sorted by ref, an order that refreshes don't change."""
    return {
        "tenants": _of(provider, CloudTenant.objects.all()).as_values(),
        "networks": _networks(provider),
        "groups": _of(provider, SecurityGroup.objects.all(), *RELATED).as_values(),
        "rules": _of(provider, FirewallRule.objects.all()).as_values(),
        "instances": _of(provider, Vm.objects.instances()).as_values(),
        "ports": _ports(provider),
        "address_lists": _of(provider, AddressList.objects.all()).as_values(),
    }


def _of(provider: Provider, rows: Rows, *then: str) -> Rows:
    return rows.filter(provider=provider).order_by(*map(ByCodePoint, ("ems_ref", *then)))


def _networks(provider: Provider) -> Iterator[Network]:
    pairs = _of(provider, CloudNetwork.objects.filter(peers__isnull=False), "peers__ems_ref")
    peers: defaultdict[str, list[str]] = defaultdict(list)
    for ref, peer in pairs.values_list("ems_ref", "peers__ems_ref"):
        peers[ref].append(peer)
    for network in _of(provider, CloudNetwork.objects.all()).as_values():
        yield replace(network, peer_refs=tuple(peers[network.ref]))


def _ports(provider: Provider) -> Iterator[Port]:
    mapping = NetworkPort.mapping
    rows = _of(provider, NetworkPort.objects.all()).values_list("pk", *mapping.paths.values()).iterator(BATCH)
    while batch := list(islice(rows, BATCH)):
        groups = _groups_on([pk for pk, *_ in batch])
        for pk, *columns in batch:
            yield mapping.value(columns, group_refs=tuple(groups[pk]))


def _groups_on(ports: Collection[int]) -> Mapping[int, list[str]]:
    """The sorted refs of the groups of each of these ports."""
    by_port: defaultdict[int, list[str]] = defaultdict(list)
    memberships = Membership.objects.filter(network_port__in=ports).order_by(
        ByCodePoint("security_group__ems_ref")
    )
    for port, group in memberships.values_list("network_port", "security_group__ems_ref"):
        by_port[port].append(group)
    return by_port
