"""Groups that are in use, and carrying out what takes them out of use, as its tests do it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.test import TestCase

from inventory.models import NetworkPort, Provider, Task
from inventory.runner import run_queue
from inventory.services.parents import settle_unfinished
from secgroups.models import FirewallRule, SecurityGroup
from secgroups.services import Accepted, detached_deletion, group_replacement, request_edits
from tests.cast import Cast
from tests.clouds import MemoryCloud, mirror


class Killed(BaseException):
    """The worker is gone."""


def group_of(group: SecurityGroup) -> SecurityGroup:
    """The group, read again, with its provider."""
    return SecurityGroup.objects.select_related("provider").get(pk=group.pk)


def replaced(group: SecurityGroup, other: SecurityGroup, user: User) -> Task:
    return accepted(group_replacement(group_of(group), group_of(other), user=user), user)


def deleted(group: SecurityGroup, user: User) -> Task:
    return accepted(detached_deletion(group_of(group), user=user), user)


def accepted(decision: Any, user: User) -> Task:
    [answer] = request_edits([decision], user=user)
    assert isinstance(answer, Accepted), answer
    return Task.objects.get(pk=answer.task.pk)


def names(group: SecurityGroup, source: SecurityGroup, port: int = 22, direction: str = "inbound") -> FirewallRule:
    """A rule of a group that names another group, or itself."""
    return FirewallRule.objects.create(
        provider=group.provider,
        ems_ref=f"sgr-{group.ems_ref}-{source.ems_ref}-{direction}-{port}",
        security_group=group,
        direction=direction,
        host_protocol="tcp",
        port=port,
        end_port=port,
        source_security_group=source,
    )


def open_queues() -> list[str]:
    return [*Task.objects.may_run().exclude(queue="").order_by("pk").values_list("queue", flat=True).distinct()]


def run(*, by_sweep: bool = False) -> None:
    """Carry out everything that is queued. `by_sweep` means that workers die before they tell the parent."""
    while queues := open_queues():
        for queue in queues:
            with TestCase.captureOnCommitCallbacks(execute=not by_sweep):
                run_queue(queue)
        if by_sweep:
            settle_unfinished()


def ends(task: Task) -> list[tuple[str, str, str]]:
    return [(part.state, part.status, part.message) for part in task.tasks.order_by("pk")]


def end(task: Task) -> tuple[str, str, str]:
    task.refresh_from_db()
    return task.state, task.status, task.message


def like_inventory(cloud: MemoryCloud, provider: Provider) -> None:
    """Let the cloud have exactly what the inventory has."""
    seen = mirror(provider)
    cloud.port_list, cloud.rule_list, cloud.group_list = seen.port_list, seen.rule_list, seen.group_list
    cloud.instance_list = seen.instance_list
    cloud.calls.clear()


def put_to_use(cloud: MemoryCloud, cast: Cast) -> None:
    """Put the group web of production on three ports, the only one of one; rules of db and of itself name it."""
    site = cast.production
    for port in NetworkPort.objects.filter(vm=site.double):
        port.memberships.create(security_group=site.web, vm=site.double)
    lone = site.single.network_ports.get()
    lone.memberships.all().delete()
    lone.memberships.create(security_group=site.web, vm=site.single)
    names(site.db, site.web, 5432)
    names(site.web, site.web, 80)
    names(site.web, site.db, 443, "outbound")
    like_inventory(cloud, cast.acme)


def port_states(cloud: MemoryCloud, before: dict[str, Sequence[str]]) -> Iterator[dict[str, set[str]]]:
    """The groups of each port, before and after each write in the log of calls."""
    groups = {ref: {*refs} for ref, refs in before.items()}
    yield {ref: {*refs} for ref, refs in groups.items()}
    for ref, refs in cloud.called("change_groups"):
        groups[ref] = {*refs}
        yield {name: {*now} for name, now in groups.items()}
