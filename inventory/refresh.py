"""Refreshing a provider, or a part of it: read from the cloud, then write in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce
from itertools import chain
from operator import or_

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string

from inventory import messages
from inventory.arguments import ProviderRefresh
from inventory.backoff import NO_RETRIES, Retries
from inventory.db.events import UNRECORDED, because
from inventory.drivers.base import Driver
from inventory.drivers.exceptions import CloudError
from inventory.drivers.limits import storable
from inventory.drivers.values import Inventory, Port, Scope
from inventory.faults import described, leave_to_others, seeing_others, unforeseen
from inventory.findings import KINDS, VERBS, Findings, counted, listed
from inventory.guard import Guard, TooManyGone
from inventory.leases import QueueLease
from inventory.logs import running
from inventory.mapping import Columns
from inventory.models import CloudTenant, NetworkPort, Provider, Task, Vm
from inventory.rate_limit import LowPriorityRateLimiter
from inventory.reconcile import AnyThing, Row, ids_of, reconcile
from inventory.services import (
    Audience,
    ProviderRetries,
    TaskResult,
    TaskRetries,
    begin,
    cause_of_refresh,
    complete_tasks,
    ensure_same_connection,
    found_at_cloud,
    put_back,
    record_event,
)

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Refresh:
    """A refresh in progress. Each part writes its rows, and leaves their ids here for the parts that follow."""

    provider: Provider
    driver: type[Driver]
    inventory: Inventory
    #: When the read began. Data that was read from the cloud after this is newer than `inventory`.
    read_on: datetime
    force: bool = False
    #: The scope of `inventory`; None for everything.
    scope: Scope | None = None
    #: For an instance: the ports that it had before. `inventory` has those of them that still exist.
    known_ports: Collection[str] = ()
    tenants: dict[str, int] = field(default_factory=dict)
    networks: dict[str, int] = field(default_factory=dict)
    instances: dict[str, int] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    #: The primary keys of groups that go after the rules that name them.
    leaving_groups: list[int] = field(default_factory=list)
    address_lists: dict[str, int] = field(default_factory=dict)
    findings: Findings = field(init=False)

    def __post_init__(self) -> None:
        guard = Guard.from_settings() if self.guarded else None
        self.findings = Findings(guard, list(self.inventory.misfits))

    @property
    def guarded(self) -> bool:
        """Whether the deletion guard applies. It does not to a refresh of one instance or group."""
        return not self.force and (self.scope is None or self.scope.kind == "cloud_tenant")

    def within(self, **fields: str) -> Q | None:
        """The rows for which the read is complete. `fields` has, for each kind of scope, the lookup of its ref."""
        if self.scope is None:
            return None
        field = fields.get(self.scope.kind)
        return Q(**{field: self.scope.ref}) if field else Q(pk__in=[])

    def hidden(self, kind: str, tenant: str) -> Q | None:
        """The rows of a kind that the credentials can't see. `tenant` is the lookup of the owner's ref."""
        covered = self.inventory.covered.get(KINDS[kind])
        if self.force or not self.inventory.covered:
            return None
        if covered is None:
            # Keep tenants that own something that is not shown.
            return owners() if kind == "cloud_tenants" else None
        return ~Q(**{f"{tenant}__in": covered})

    def untold(self, kind: str, model: type[Row], attribute: str) -> QuerySet[Row]:
        """The rows of a kind whose attribute may be incomplete in this read."""
        rows = model._default_manager.filter(provider=self.provider)
        if attribute in self.inventory.untold and not self.force:
            return rows
        hidden = self.hidden(kind, "cloud_tenant__ems_ref")
        return rows.filter(hidden) if hidden else rows.none()

    def known(self, model: type[Row], refs: Iterable[str | None]) -> dict[str, int]:
        """The ids of rows that are referred to but were not read; empty for a full read."""
        return ids_of(model, self.provider, refs) if self.scope else {}

    def owner_ids(self, refs: Iterable[str | None]) -> dict[str, int]:
        """The ids of these tenants and of those that were read. Not all owners are of a part."""
        return self.tenants | self.known(CloudTenant, set(refs) - self.tenants.keys())

    def reconcile(
        self,
        kind: str,
        model: type[Row],
        values: Iterable[AnyThing],
        columns: Columns[AnyThing],
        *,
        tenant: str = "cloud_tenant__ems_ref",
        within: Q | None = None,
        newer: Q | None = None,
        before_deletion: Callable[[QuerySet[Row]], object] = lambda rows: None,
        delete_later: list[int] | None = None,
    ) -> dict[str, int]:
        """Write the `values` of a kind, and note the changes. Returns the primary key of each ref.

        `tenant` is the lookup of the ref of a row's tenant.
        """

        def judge(examples: QuerySet[Row], gone: int, appeared: int, total: int) -> None:
            # A rule that was recreated has another id, and is no loss.
            self.findings.judge(kind, gone - appeared if kind == "firewall_rules" else gone, total, examples)

        stays = self.findings.stays(kind)
        result = reconcile(
            model,
            self.provider,
            values,
            columns,
            within=within,
            newer=newer,
            hidden=self.hidden(kind, tenant),
            stays=stays,
            on_gone=judge,
            before_deletion=before_deletion,
            delete_later=delete_later,
        )
        self.findings.note(kind, result.found, result.went, result.unshown)
        return result.ids

    def summary(self) -> str:
        groups, instances = len(self.inventory.groups), len(self.inventory.instances)
        return f"{counted(instances, 'instances')} and {counted(groups, 'security_groups')}"

    def told(self, subject: str) -> str:
        """The result for people; `subject` is what was refreshed."""
        if self.scope is None or self.scope.kind == "cloud_tenant":
            return messages.refreshed(subject, self.findings.news(), self.summary())
        resources = self.inventory.instances if self.scope.kind == "instance" else self.inventory.groups
        if not resources and self.findings.unshown:
            return messages.not_shown(subject)
        if not resources and not self.findings.misfits:
            return messages.gone(subject)
        return messages.refreshed(subject, self.findings.news())


def owners() -> Q:
    """The tenants that own something."""
    relations = (relation for relation in CloudTenant._meta.related_objects if relation.one_to_many)
    lookups = (
        (relation.related_model._base_manager, {relation.field.name: OuterRef("pk")}) for relation in relations
    )
    return reduce(or_, (Q(Exists(rows.filter(**filters))) for rows, filters in lookups))


Part = Callable[[Refresh], None]
#: Expected errors of a refresh, with messages for people.
FORESEEN = (CloudError, TooManyGone)
#: The read, and each part of the write.
STEPS = 1 + len(settings.REFRESH_PARTS)


def handle_refresh_tasks(refreshes: Mapping[Task, ProviderRefresh], lease: QueueLease) -> None:
    """Handle the queued refreshes of a provider. Those with the same scope share one read."""
    provider = next(iter(refreshes)).provider
    by_scope: dict[Scope | None, list[Task]] = {}
    for task, arguments in refreshes.items():
        by_scope.setdefault(arguments.within, []).append(task)
    _, *others = by_scope.values()
    put_back(chain.from_iterable(others))
    for queued in by_scope.values():
        if provider:
            ensure_same_connection(provider)
        if not (tasks := begin(queued)):
            continue
        try:
            with running(tasks):
                results = _refreshed(provider, lease, {task: refreshes[task] for task in tasks})
        except Exception as error:
            message = unforeseen(error, f"The refresh of {provider}")
            results = [TaskResult(task, Task.Status.ERROR, message) for task in tasks]
        lease.ensure()
        complete_tasks(results)


def _refreshed(
    provider: Provider | None, lease: QueueLease, refreshes: Mapping[Task, ProviderRefresh]
) -> list[TaskResult]:
    """The results of tasks with the same scope."""
    tasks, first = [*refreshes], next(iter(refreshes.values()))
    if provider is None:
        return [TaskResult(task, Task.Status.ERROR, messages.PROVIDER_DELETED) for task in tasks]
    retries = TaskRetries(tasks, provider, lease)
    force = any(arguments.force for arguments in refreshes.values())
    try:
        result = refresh(provider, lease, scope=first.within, force=force, retries=retries)
    except FORESEEN as error:
        audience = Audience(provider, tasks)
        return [TaskResult(task, Task.Status.ERROR, str(audience.shown(task, error))) for task in tasks]
    status = Task.Status.WARN if result.findings.misfits or result.findings.unshown else Task.Status.OK
    told, context = result.told(first.subject or provider.name), result.findings.context()
    return [TaskResult(task, status, told, context) for task in tasks]


def refresh(
    provider: Provider,
    lease: QueueLease,
    *,
    scope: Scope | None = None,
    force: bool = False,
    progress: Callable[[], object] = lambda: None,
    retries: Retries | None = None,
) -> Refresh:
    """Update the inventory of a provider, or what is within `scope`, from its cloud, all or nothing.

    Calls `progress` after each of `STEPS`, and tells `retries` of each pause. Raises `CloudError` or
    `TooManyGone`. After a full refresh, `last_refresh_error` has the message.
    """
    read_on = timezone.now()
    try:
        result = _read(provider, read_on, force, scope, retries or ProviderRetries(provider))
        progress()
        lease.ensure()
        result = seeing_others(_write, result, progress)
    except Exception as error:
        if leave_to_others(error):
            raise
        lease.ensure()
        is_foreseen = isinstance(error, FORESEEN)
        message = messages.refresh_failed(described(error))
        _note_outcome(provider, scope, read_on, storable(str(error) if is_foreseen else message))
        raise
    _note_outcome(provider, scope, read_on, None)
    return result


def _note_outcome(provider: Provider, scope: Scope | None, read_on: datetime, error: str | None) -> None:
    """Save the outcome of a full refresh at the provider, and log changes between success and failure."""
    if scope:
        return
    rows = Provider.objects.filter(pk=provider.pk)
    outcome = {"last_refresh_date": read_on, "last_refresh_error": error}
    if rows.filter(last_refresh_error__isnull=error is None).update(**outcome) or not rows.update(**outcome):
        return
    if error is None:
        logger.info("Provider %s is well again", provider.name)
    else:
        logger.warning("Provider %s is failing: %s", provider.name, error)


def _read(
    provider: Provider, read_on: datetime, force: bool, scope: Scope | None, retries: Retries = NO_RETRIES
) -> Refresh:
    provider.ensure_enabled()
    if provider.driver_class is None:
        raise CloudError(messages.no_driver(provider.vendor))
    driver = provider.driver(LowPriorityRateLimiter(provider, retries))
    if driver.leaves_out_instances:
        instances = Vm.objects.filter(provider=provider).order_by().as_values()
        driver.remember({instance.ref: instance for instance in instances})
    inventory = driver.inventory_of(scope) if scope else driver.inventory()
    known_ports: set[str] = set()
    if scope and scope.kind == "instance":
        rows = NetworkPort.objects.filter(provider=provider, vm__ems_ref=scope.ref)
        known_ports = set(rows.values_list("ems_ref", flat=True))
        inventory = _with_lost_ports(inventory, driver, known_ports)
    if scope and scope.kind == "cloud_tenant" and scope.ref not in inventory.tenant_refs:
        raise CloudError(messages.tenant_gone(scope.ref, provider.name))
    return Refresh(provider, provider.driver_class, inventory, read_on, force, scope, known_ports)


def _with_lost_ports(inventory: Inventory, driver: Driver, known_ports: set[str]) -> Inventory:
    """Add the ports that the instance no longer has, because they may have moved to another one."""
    lost = known_ports - {port.ref for port in inventory.ports}
    lost -= {misfit.ref for misfit in inventory.misfits if misfit.kind is Port and misfit.ref}
    if not lost:
        return inventory
    recovered = driver.inventory_of_ports(lost)
    ports, misfits = (*inventory.ports, *recovered.ports), (*inventory.misfits, *recovered.misfits)
    return replace(inventory, ports=ports, misfits=misfits, untold=inventory.untold | recovered.untold)


@transaction.atomic
def _write(reading: Refresh, progress: Callable[[], object]) -> Refresh:
    """Write what was read. Returns the refresh with its findings."""
    refresh = replace(reading)
    if not refresh.provider.is_kept():
        raise CloudError(messages.PROVIDER_DELETED)
    is_known = Provider.objects.filter(pk=refresh.provider.pk, known_since__isnull=False).exists()
    with because(found_at_cloud() if is_known else UNRECORDED):
        for part in settings.REFRESH_PARTS:
            bring_in: Part = import_string(part)
            bring_in(refresh)
            progress()
    if objections := refresh.findings.objections:
        raise TooManyGone(messages.too_many_gone(refresh.provider.name, listed(objections)))
    _record(refresh, is_first=not is_known and refresh.scope is None)
    return refresh


def _record(refresh: Refresh, is_first: bool) -> None:
    """Leave an event of a refresh that found something. One event tells of all rows of a first one."""
    provider, numbers = refresh.provider, refresh.findings.numbers()
    if is_first:
        Provider.objects.filter(pk=provider.pk).update(known_since=refresh.read_on)
    if is_first or any(counts[verb] for counts in numbers.values() for verb in VERBS):
        told = refresh.told(provider.name)
        record_event("provider_refreshed", told, cause_of_refresh(), provider=provider, after=numbers)
