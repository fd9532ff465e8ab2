"""Bringing a provider's inventory in, or a part of it: read from the cloud, then write it in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce
from itertools import chain
from operator import or_
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string

from inventory.arguments import ProviderRefresh
from inventory.backoff import NO_RETRIES, Retries
from inventory.drivers.base import Driver
from inventory.drivers.exceptions import CloudError
from inventory.drivers.limits import storable
from inventory.drivers.values import Inventory, Port, Scope
from inventory.faults import described, leave_to_others, seeing_others, unforeseen
from inventory.fields import UnreadableSecret
from inventory.findings import KINDS, Findings, counted, listed
from inventory.guard import Guard, TooManyGone
from inventory.leases import QueueLease
from inventory.mapping import Columns
from inventory.models import CloudTenant, NetworkPort, Provider, Task, Vm
from inventory.models.provider import DELETED
from inventory.rate_limit import LowPriorityRateLimiter
from inventory.reconcile import AnyThing, Row, ids_of, reconcile
from inventory.services import ProviderRetries, TaskRetries, begin, ensure_same_connection, finish, put_back

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Refresh:
    """One refresh under way. Each part brings its rows in and leaves their ids here for those that follow."""

    provider: Provider
    driver: type[Driver]
    inventory: Inventory
    #: When the reading began: what was read from the cloud later than this is newer than `inventory`.
    read_on: datetime
    force: bool = False
    #: What `inventory` is of; None is everything.
    scope: Scope | None = None
    #: Of an instance: the ports that it had in our inventory before, of which `inventory` has those that exist.
    known_ports: Collection[str] = ()
    tenants: dict[str, int] = field(default_factory=dict)
    networks: dict[str, int] = field(default_factory=dict)
    instances: dict[str, int] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    findings: Findings = field(init=False)

    def __post_init__(self) -> None:
        guard = Guard.from_settings() if self.guarded else None
        self.findings = Findings(guard, list(self.inventory.misfits))

    @property
    def guarded(self) -> bool:
        """Whether it would be suspicious if more than half were gone; of the one thing asked for it is not."""
        return not self.force and (self.scope is None or self.scope.kind == "cloud_tenant")

    def within(self, **fields: str) -> Q | None:
        """Which rows the reading is complete for: of each kind of scope the field that has its ref."""
        if self.scope is None:
            return None
        field = fields.get(self.scope.kind)
        return Q(**{field: self.scope.ref}) if field else Q(pk__in=[])

    def hidden(self, kind: str, tenant: str) -> Q | None:
        """Which rows of a kind would not have been shown; `tenant` is the lookup of the ref of whose they are."""
        covered = self.inventory.covered.get(KINDS[kind])
        if self.force or not self.inventory.covered:
            return None
        if covered is None:
            # What a tenant owns that is not shown would be nobody's without it.
            return owners() if kind == "cloud_tenants" else None
        return ~Q(**{f"{tenant}__in": covered})

    def known(self, model: type[Row], refs: Iterable[str | None]) -> dict[str, int]:
        """The ids of what is referred to and was not read; a reading of everything has it all."""
        return ids_of(model, self.provider, refs) if self.scope else {}

    def reconcile(
        self,
        kind: str,
        model: type[Row],
        things: Iterable[AnyThing],
        columns: Columns[AnyThing],
        *,
        tenant: str = "cloud_tenant__ems_ref",
        within: Q | None = None,
        newer: Q | None = None,
        before_deletion: Callable[[QuerySet[Row]], object] = lambda rows: None,
    ) -> dict[str, int]:
        """Bring in the `things` of a kind, and note what was found; the primary key of each ref.

        `tenant` is the lookup of the ref of the tenant whose a row is.
        """

        def judge(first: QuerySet[Row], gone: int, appeared: int, known: int) -> None:
            # A rule that was made anew has another id, and is no loss.
            self.findings.judge(kind, gone - appeared if kind == "firewall_rules" else gone, known, first)

        stays = self.findings.stays(kind)
        done = reconcile(
            model,
            self.provider,
            things,
            columns,
            within=within,
            newer=newer,
            hidden=self.hidden(kind, tenant),
            stays=stays,
            on_gone=judge,
            before_deletion=before_deletion,
        )
        self.findings.note(kind, done.found, done.went, done.unshown)
        return done.ids

    def summary(self) -> str:
        groups, instances = len(self.inventory.groups), len(self.inventory.instances)
        return f"{counted(instances, 'instances')} and {counted(groups, 'security_groups')}"

    def told(self, subject: str) -> str:
        """What came of it, for a person; `subject` is what was to be refreshed."""
        if self.scope is None or self.scope.kind == "cloud_tenant":
            return f"Refreshed {subject}: {self.summary()}. {self.findings.news()}"
        there = self.inventory.instances if self.scope.kind == "instance" else self.inventory.groups
        if not there and self.findings.unshown:
            return f"The cloud does not show {subject} to these credentials: it stays here as it was."
        if not there and not self.findings.misfits:
            gone = f"{subject} no longer exists in the cloud and was removed from the inventory."
            return gone[0].upper() + gone[1:]
        return f"Refreshed {subject}. {self.findings.news()}"


def owners() -> Q:
    """The tenants that own something."""
    owned = (relation for relation in CloudTenant._meta.related_objects if relation.one_to_many)
    theirs = ((one.related_model._base_manager, {one.field.name: OuterRef("pk")}) for one in owned)
    return reduce(or_, (Q(Exists(rows.filter(**of_it))) for rows, of_it in theirs))


Part = Callable[[Refresh], None]
#: What may keep a refresh from being done, each with words for a person.
FORESEEN = (CloudError, TooManyGone, UnreadableSecret)
#: The reading, and each part of the writing.
STEPS = 1 + len(settings.REFRESH_PARTS)


def handle_refresh_tasks(asked: Mapping[Task, ProviderRefresh], lease: QueueLease) -> None:
    """Handle the queued refreshes of a provider: one reading of its cloud answers all that ask for the same."""
    provider = next(iter(asked)).provider
    same: dict[Scope | None, list[Task]] = {}
    for task, arguments in asked.items():
        same.setdefault(arguments.within, []).append(task)
    _, *later = same.values()
    put_back(chain.from_iterable(later))
    for asking in same.values():
        if provider:
            ensure_same_connection(provider)
        if not (tasks := begin(asking)):
            continue
        try:
            status, message, found = _refreshed(provider, lease, {task: asked[task] for task in tasks})
        except Exception as error:
            status, message, found = Task.Status.ERROR, unforeseen(error, f"The refresh of {provider}"), {}
        lease.ensure()
        for task in tasks:
            finish(task, status, message, **found)


def _refreshed(
    provider: Provider | None, lease: QueueLease, asked: Mapping[Task, ProviderRefresh]
) -> tuple[Task.Status, str, dict[str, Any]]:
    """What came of the tasks that asked for the same."""
    if provider is None:
        return Task.Status.ERROR, DELETED, {}
    first, retries = next(iter(asked.values())), TaskRetries([*asked], provider, lease)
    force = any(arguments.force for arguments in asked.values())
    try:
        done = refresh(provider, lease, scope=first.within, force=force, retries=retries)
    except FORESEEN as error:
        return Task.Status.ERROR, str(error), {}
    status = Task.Status.WARN if done.findings.misfits or done.findings.unshown else Task.Status.OK
    return status, done.told(first.subject or provider.name), done.findings.context()


def refresh(
    provider: Provider,
    lease: QueueLease,
    *,
    scope: Scope | None = None,
    force: bool = False,
    progress: Callable[[], object] = lambda: None,
    retries: Retries | None = None,
) -> Refresh:
    """Make the inventory of a provider, or what is within `scope`, what its cloud has, all of it or nothing.

    `progress` is called after each of `STEPS`, `retries` are told of each pause. Raises `CloudError` or
    `TooManyGone`, whose message the provider keeps in `last_refresh_error` if it was all to be refreshed.
    """
    read_on = timezone.now()
    try:
        done = _read(provider, read_on, force, scope, retries or ProviderRetries(provider))
        progress()
        lease.ensure()
        done = seeing_others(_write, done, progress)
    except Exception as failure:
        if leave_to_others(failure):
            raise
        lease.ensure()
        foreseen = isinstance(failure, FORESEEN)
        unknown = f"Internal error in the refresh ({described(failure)}). See the log of Portcullis for details."
        _note_outcome(provider, scope, read_on, storable(str(failure) if foreseen else unknown))
        raise
    _note_outcome(provider, scope, read_on, None)
    return done


def _note_outcome(provider: Provider, scope: Scope | None, read_on: datetime, error: str | None) -> None:
    """Keep how the provider is doing, of which a part says nothing; where that has changed, log it."""
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
        raise CloudError(f"Portcullis has no driver for {provider.vendor}.")
    driver = provider.driver(LowPriorityRateLimiter(provider, retries))
    if driver.leaves_out_instances:
        known = Vm.objects.filter(provider=provider).order_by().as_values()
        driver.remember({instance.ref: instance for instance in known})
    inventory = driver.inventory_of(scope) if scope else driver.inventory()
    known_ports: set[str] = set()
    if scope and scope.kind == "instance":
        rows = NetworkPort.objects.filter(provider=provider, vm__ems_ref=scope.ref)
        known_ports = set(rows.values_list("ems_ref", flat=True))
        inventory = _with_lost_ports(inventory, driver, known_ports)
    if scope and scope.kind == "cloud_tenant" and scope.ref not in inventory.tenant_refs:
        raise CloudError(
            f"The cloud shows no tenant {scope.ref} any more: refresh {provider.name} to remove what was in it."
        )
    return Refresh(provider, provider.driver_class, inventory, read_on, force, scope, known_ports)


def _with_lost_ports(inventory: Inventory, driver: Driver, known: set[str]) -> Inventory:
    """With those that the instance has no more: they may be another's by now, or nobody's."""
    lost = known - {port.ref for port in inventory.ports}
    lost -= {misfit.ref for misfit in inventory.misfits if misfit.kind is Port and misfit.ref}
    if not lost:
        return inventory
    found = driver.inventory_of_ports(lost)
    ports, misfits = (*inventory.ports, *found.ports), (*inventory.misfits, *found.misfits)
    return replace(inventory, ports=ports, misfits=misfits)


@transaction.atomic
def _write(read: Refresh, progress: Callable[[], object]) -> Refresh:
    """Write what was read; the refresh as it is then."""
    refresh = replace(read)
    if not refresh.provider.is_kept():
        raise CloudError(DELETED)
    for part in settings.REFRESH_PARTS:
        bring_in: Part = import_string(part)
        bring_in(refresh)
        progress()
    if objections := refresh.findings.objections:
        raise TooManyGone(
            f"The refresh of {refresh.provider.name} was stopped and changed nothing: it would remove "
            f'{listed(objections)}. If they are really gone, refresh with "force".'
        )
    return refresh
