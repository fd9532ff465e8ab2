"""Writes a made-up company into the inventory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db import connection, models, transaction

from inventory.db.bulk import analyze, copy_rows, new_ids
from inventory.db.events import UNRECORDED, because
from inventory.models import CloudNetwork, CloudTenant, NetworkPort, Provider, Vm
from secgroups import messages
from secgroups.exposures import settle_exposures
from secgroups.models import AddressList, Exposure, FirewallRule, Membership, PublicPort, SecurityGroup
from secgroups.public_ports import record_public_ports
from secgroups.synthesis import company as made
from secgroups.synthesis.company import (
    FOUNDED,
    Cloud,
    Group,
    Instance,
    Network,
    Port,
    Rule,
    Size,
    Tenant,
    company,
)

#: Number of instances in memory at a time.
BATCH = 10_000

_TENANT = ("provider", "ems_ref", "name", "enabled", "created_on", "updated_on")
_NETWORK = ("provider", "ems_ref", "name", "cidr", "cloud_tenant")
_GROUP = (
    "provider", "ems_ref", "name", "description", "vendor", "cloud_tenant", "cloud_network", "stateful", "shared",
    "created_on", "updated_on",
)  # fmt: skip
_RULE = (
    "provider", "ems_ref", "security_group", "direction", "network_protocol", "host_protocol", "port", "end_port",
    "source_ip_range", "source_security_group", "source_address_list",
)  # fmt: skip
_LIST = ("provider", "ems_ref", "name", "cloud_tenant", "network_protocol", "max_entries", "entries")
_VM = (
    "provider", "ems_ref", "uid_ems", "guid", "name", "vendor", "cloud_tenant", "cloud", "template",
    "power_state", "raw_power_state", "flavor_name", "availability_zone_name", "location", "created_on",
    "updated_on",
)  # fmt: skip
_PORT = (
    "provider", "ems_ref", "name", "vm", "cloud_tenant", "cloud_network", "mac_address", "status", "ipaddresses",
    "public_ipaddresses", "allowed_address_pairs", "device_owner", "requester_managed", "port_security_enabled",
)  # fmt: skip
_MEMBERSHIP = ("security_group", "network_port", "vm")


class AlreadyThere(Exception):
    """The company of this seed is already in the inventory."""


@transaction.atomic
def synthesize(
    seed: int, size: Size, progress: Callable[[int], object] = lambda instances: None
) -> list[Provider]:
    """Add the providers of a synthetic company, with everything in them.

    They are disabled, and their URLs lead nowhere. `progress` gets the number of instances written since the last
    call. Raises `AlreadyThere` for a seed that was used before.
    """
    clouds = {f"synthetic-{seed}-{cloud.name}": cloud for cloud in company(seed, size)}
    if taken := sorted(Provider.objects.connected().filter(name__in=clouds).values_list("name", flat=True)):
        raise AlreadyThere(messages.already_synthesized(taken))
    providers = []
    for name, cloud in clouds.items():
        provider = Provider.objects.create(
            name=name,
            vendor=cloud.dialect.vendor,
            provider_region=cloud.region,
            url=cloud.dialect.url,
            enabled=False,
            known_since=FOUNDED,
        )
        providers.append(provider)
        with because(UNRECORDED):
            _Writing(cloud, provider.pk).write(progress)
        settle_exposures(provider.pk)
    return providers


def settle() -> None:
    """Update the database's statistics."""
    analyze(
        Provider, CloudTenant, CloudNetwork, SecurityGroup, AddressList, FirewallRule, Vm, NetworkPort, Membership,
        PublicPort, Exposure,
    )  # fmt: skip


@dataclass
class _Writing:
    """Writes one cloud. Maps the numbers of values to the ids of rows."""

    cloud: Cloud
    provider: int
    tenants: Sequence[int] = ()
    networks: Sequence[int] = ()
    groups: Sequence[int] = ()
    address_lists: Sequence[int] = ()

    def write(self, progress: Callable[[int], object]) -> None:
        cloud = self.cloud
        self.tenants = _numbered(CloudTenant, _TENANT, cloud.tenant_count, map(self._tenant, cloud.tenants()))
        self.networks = _numbered(
            CloudNetwork, _NETWORK, cloud.network_count, map(self._network, cloud.networks())
        )
        self.groups = _numbered(SecurityGroup, _GROUP, cloud.size.groups, map(self._group, cloud.groups()))
        self.address_lists = _numbered(
            AddressList, _LIST, cloud.address_list_count, map(self._address_list, cloud.address_lists())
        )
        copy_rows(FirewallRule, _RULE, map(self._rule, cloud.rules()))
        instances = cloud.instances()
        while batch := list(islice(instances, BATCH)):
            self._write_instances(batch)
            if connection.vendor == "postgresql":
                connection.check_constraints()  # now, because deferred checks use memory
            progress(len(batch))

    def _write_instances(self, batch: Sequence[Instance]) -> None:
        """Write instances, their ports and memberships."""
        vms = _numbered(Vm, _VM, len(batch), map(self._vm, batch))
        of_instances = list(zip(vms, batch, strict=True))
        ports = [(vm, instance, port) for vm, instance in of_instances for port in instance.ports]
        ids = _numbered(NetworkPort, _PORT, len(ports), (self._port(*entry) for entry in ports))
        memberships = (
            (self.groups[group], pk, vm)
            for pk, (vm, _, port) in zip(ids, ports, strict=True)
            for group in port.groups
        )
        copy_rows(Membership, _MEMBERSHIP, memberships)
        record_public_ports(ids)

    def _tenant(self, tenant: Tenant) -> tuple[Any, ...]:
        return self.provider, tenant.ref, tenant.name, True, FOUNDED, FOUNDED

    def _network(self, network: Network) -> tuple[Any, ...]:
        return self.provider, network.ref, network.name, network.cidr, self.tenants[network.tenant]

    def _group(self, group: Group) -> tuple[Any, ...]:
        return (
            self.provider,
            group.ref,
            group.name,
            group.description,
            self.cloud.dialect.vendor,
            self.tenants[group.tenant],
            None if group.network is None else self.networks[group.network],
            True,
            group.shared,
            group.created_on,
            group.created_on,
        )

    def _rule(self, rule: Rule) -> tuple[Any, ...]:
        return (
            self.provider,
            rule.ref,
            self.groups[rule.group],
            rule.direction,
            rule.network_protocol,
            "tcp",
            rule.port,
            rule.port,
            rule.source_ip_range,
            None if rule.source_group is None else self.groups[rule.source_group],
            None if rule.address_list is None else self.address_lists[rule.address_list],
        )

    def _address_list(self, address_list: made.AddressList) -> tuple[Any, ...]:
        return (
            self.provider,
            address_list.ref,
            address_list.name,
            self.tenants[address_list.tenant],
            address_list.network_protocol,
            address_list.max_entries,
            address_list.entries,
        )

    def _vm(self, instance: Instance) -> tuple[Any, ...]:
        return (
            self.provider,
            instance.ref,
            instance.ref,
            instance.guid,
            instance.name,
            self.cloud.dialect.vendor,
            self.tenants[instance.tenant],
            True,
            False,
            instance.power_state,
            instance.raw_power_state,
            instance.flavor_name,
            instance.availability_zone_name,
            self.cloud.region,
            instance.created_on,
            instance.created_on,
        )

    def _port(self, vm: int, instance: Instance, port: Port) -> tuple[Any, ...]:
        public = [port.public_ip_address] if port.public_ip_address else []
        return (
            self.provider,
            port.ref,
            port.name,
            vm,
            self.tenants[instance.tenant],
            self.networks[instance.network],
            port.mac_address,
            self.cloud.dialect.port_status,
            [port.ip_address, *public],
            public,
            [],
            self.cloud.dialect.device_owner,
            False,
            True,
        )


def _numbered(
    model: type[models.Model], fields: Sequence[str], count: int, rows: Iterable[tuple[Any, ...]]
) -> Sequence[int]:
    """Write rows with new primary keys, and return these."""
    ids = new_ids(model, count)
    copy_rows(model, ("id", *fields), ((pk, *row) for pk, row in zip(ids, rows, strict=True)))
    return ids
