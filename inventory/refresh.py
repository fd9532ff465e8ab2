"""Bringing a provider's inventory in: read everything from the cloud, then write it in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.module_loading import import_string

from inventory.drivers.base import CloudError, Driver, Inventory, Port
from inventory.fields import UnreadableSecret
from inventory.leases import Holding
from inventory.models import CloudNetwork, CloudTenant, NetworkPort, Provider, Task, Vm
from inventory.reconcile import TooManyGone, reconcile
from inventory.services.tasks import finish


@dataclass(slots=True)
class Refresh:
    """One refresh under way. Each part brings its rows in and leaves their ids here for those that follow."""

    provider: Provider
    driver: type[Driver]
    inventory: Inventory
    #: When the reading began: what was read from the cloud later than this is newer than `inventory`.
    read_on: datetime
    force: bool = False
    tenants: dict[str, int] = field(default_factory=dict)
    networks: dict[str, int] = field(default_factory=dict)
    instances: dict[str, int] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)

    def summary(self) -> str:
        return f"{len(self.instances)} instances and {len(self.groups)} security groups"


Part = Callable[[Refresh], None]
#: The reading, and each part of the writing.
STEPS = 1 + len(settings.REFRESH_PARTS)


def carry_out(tasks: Sequence[Task], holding: Holding) -> None:
    """Handle the queued refreshes of a provider: one reading of its cloud answers them all."""
    provider = tasks[0].provider
    status, message = Task.Status.ERROR, "The provider was deleted."
    if provider:
        try:
            message = (
                f"Refreshed {provider.name}: {refresh(provider, holding, force=_any_forced(tasks)).summary()}."
            )
            status = Task.Status.OK
        except (CloudError, TooManyGone, UnreadableSecret) as error:
            message = str(error)
    for task in tasks:
        finish(task, status, message)


def refresh(
    provider: Provider, holding: Holding, *, force: bool = False, progress: Callable[[], object] = lambda: None
) -> Refresh:
    """Make the inventory of a provider what its cloud has, all of it or nothing.

    `progress` is called after each of `STEPS`. Raises `CloudError` or `TooManyGone`, whose message the provider
    keeps in `last_refresh_error`.
    """
    read_on = timezone.now()
    outcome = Provider.objects.filter(pk=provider.pk)
    try:
        done = _read(provider, read_on, force)
        progress()
        holding.ensure()
        _write(done, progress)
    except Exception as failure:
        foreseen = isinstance(failure, CloudError | TooManyGone | UnreadableSecret)
        reason = str(failure) if foreseen else "Portcullis failed to refresh; its log says why."
        outcome.update(last_refresh_date=read_on, last_refresh_error=reason)
        raise
    outcome.update(last_refresh_date=read_on, last_refresh_error=None)
    return done


def _read(provider: Provider, read_on: datetime, force: bool) -> Refresh:
    if not provider.enabled:
        raise CloudError(f"Provider {provider.name} is disabled.")
    if provider.driver_class is None:
        raise CloudError(f"Portcullis has no driver for {provider.type}.")
    return Refresh(provider, provider.driver_class, provider.driver().inventory(), read_on, force)


@transaction.atomic
def _write(refresh: Refresh, progress: Callable[[], object]) -> None:
    try:
        for part in settings.REFRESH_PARTS:
            bring_in: Part = import_string(part)
            bring_in(refresh)
            progress()
    except TooManyGone as refused:
        raise TooManyGone(
            f"The refresh of {refresh.provider.name} was stopped and changed nothing: it would remove {refused}. "
            'If they are really gone, refresh with "force".'
        ) from refused


def bring_in_tenants(refresh: Refresh) -> None:
    refresh.tenants = reconcile(
        CloudTenant,
        refresh.provider,
        {
            tenant.ref: {"name": tenant.name, "description": tenant.description}
            for tenant in refresh.inventory.tenants
        },
    )


def bring_in_networks(refresh: Refresh) -> None:
    refresh.networks = reconcile(
        CloudNetwork,
        refresh.provider,
        {
            network.ref: {
                "name": network.name,
                "cidr": network.cidr,
                "cloud_tenant_id": refresh.tenants.get(network.tenant_ref or ""),
            }
            for network in refresh.inventory.networks
        },
    )


def bring_in_instances(refresh: Refresh) -> None:
    kind = f"ManageIQ::Providers::{refresh.driver.namespace}::CloudManager::Vm"
    refresh.instances = reconcile(
        Vm,
        refresh.provider,
        {
            instance.ref: {
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
            }
            for instance in refresh.inventory.instances
        },
        guarded=not refresh.force,
    )


def bring_in_ports(refresh: Refresh) -> None:
    refresh.ports = reconcile(
        NetworkPort,
        refresh.provider,
        {
            port.ref: port_attributes(port)
            | {
                "vm_id": refresh.instances.get(port.instance_ref or ""),
                "cloud_tenant_id": refresh.tenants.get(port.tenant_ref or ""),
                "cloud_network_id": refresh.networks.get(port.network_ref or ""),
            }
            for port in refresh.inventory.ports
        },
        newer=Q(groups_read_on__gt=refresh.read_on),
    )


def port_attributes(port: Port) -> dict[str, Any]:
    """What a port row takes from the cloud's port as it is."""
    return {
        "name": port.name,
        "mac_address": port.mac_address,
        "status": port.status,
        "ipaddresses": list(port.ip_addresses),
        "port_security_enabled": port.port_security_enabled,
    }


def _any_forced(tasks: Sequence[Task]) -> bool:
    return any(task.arguments.get("force") for task in tasks)
