"""Whatever a handler meets at whichever of its steps, all of its tasks end, each with what became of it.

Only what passes leaves them to be taken again: a database that is away, a lease that is another's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pkgutil import resolve_name
from typing import Any

import pytest
from django.conf import settings
from django.db import DataError, OperationalError

from inventory import runner
from inventory.drivers.values import Group, Scope
from inventory.models import Task
from inventory.services import TaskSpec, delete_provider, request_refresh, request_refresh_of
from secgroups.arguments import KnownGroup, PortDetachment, RuleDetachment, Substitutes, WantedGroup
from secgroups.models import FirewallRule
from secgroups.services import Edit, group_creation, group_deletion, group_edit, rule_creation, rule_deletion
from tests import cast as actors
from tests.cast import Cast, Site
from tests.cloud_groups import rule_of
from tests.clouds import Grip, MemoryCloud
from tests.secgroups import carrying, editing
from tests.secgroups.in_use import names

pytestmark = pytest.mark.walk

ERRORS: list[Exception] = [
    ValueError("no"),
    RecursionError(),
    MemoryError(),
    DataError("value too long"),
    OperationalError("no such table"),
]
ERRORS[-1].__cause__ = type("Cause", (Exception,), {"sqlstate": "42P01"})()
#: The calls that a handler makes, by what it carries out. Of a driver they are called `cloud.<method>`.
REFRESH = [
    "cloud.inventory",
    "inventory.refresh._write",
    *settings.REFRESH_PARTS,
    "inventory.reconcile.copy_rows",
    "inventory.reconcile.update_rows",
]
#: Of one group.
PART = ["cloud.inventory_of", *REFRESH[1:]]
DELETION = [
    "inventory.deletion._Deletion._outwait_writers",
    "inventory.deletion._Deletion._look_how_far_it_is",
    "inventory.deletion.steps",
    "inventory.deletion.Step.execute",
    "inventory.deletion.note",
    "inventory.deletion.complete_tasks",
]
CHANGE = [
    "cloud.ports",
    "cloud.change_groups",
    "cloud.ports_again",
    "secgroups.changes.plan",
    "secgroups.changes.record_ports",
    "secgroups.known_groups.KnownGroups.look_up",
    "secgroups.known_groups.KnownGroups.missing",
    "secgroups.changes._Changes._seen",
]
GROUPS, RULES = "secgroups.editing.groups", "secgroups.editing.rules"
EDITS: dict[str, list[str]] = {
    "create_group": [
        "cloud.placed",
        "cloud.namesakes",
        "cloud.create_group",
        "cloud.rules_of",
        f"{GROUPS}.record_group",
        f"{GROUPS}.write_rules",
    ],
    "edit_group": ["cloud.edit_group", f"{GROUPS}.EditGroup.record"],
    "delete_group": ["cloud.delete_group", f"{GROUPS}.DeleteGroup.record"],
    "create_rule": ["cloud.create_rule", f"{RULES}.write_rules", f"{RULES}.CreateRule.record"],
    "detach_port": [
        "cloud.inventory",
        "cloud.change_groups",
        "secgroups.editing.detaching.plan",
        "secgroups.editing.detaching.DetachPort.record",
    ],
    "detach_rules": ["cloud.rules_of", "cloud.delete_rule", "secgroups.editing.detaching.DetachRules.record"],
    "delete_rule": ["cloud.delete_rule", f"{RULES}.write_rules", f"{RULES}.DeleteRule.record"],
}
#: The calls that write, of kinds that are not called after them.
WRITES = {"detach_port": "change_groups", "detach_rules": "delete_rule"}


@pytest.fixture
def broken(cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Exception], None]:
    """Makes one step raise, the first time that it is taken."""

    def break_it(step: str, error: Exception) -> None:
        where, _, name = step.rpartition(".")
        owner = cloud if where == "cloud" else resolve_name(where)
        original, left = getattr(owner, name), [error]

        def step_that_fails(*arguments: Any, **named: Any) -> Any:
            if left:
                raise left.pop()
            return original(*arguments, **named)

        monkeypatch.setattr(owner, name, step_that_fails)

    return break_it


def edits(cast: Cast, kind: str) -> list[Any]:
    """Two of a kind."""
    site = cast.production
    if kind == "create_group":
        return [group_creation(cast.acme, name=name) for name in ("one", "two")]
    if kind == "edit_group":
        return [group_edit(group, description="new") for group in (site.web, site.db)]
    if kind == "delete_group":
        return [group_deletion(group) for group in (site.web, site.db)]
    if kind == "create_rule":
        ranges = ("10.0.0.0/8", "10.1.0.0/16")
        return [rule_creation(site.web, direction="inbound", source_ip_range=one) for one in ranges]
    if kind == "detach_port":
        return [Edit(cast.acme, TaskSpec("", "", detachment)) for detachment in port_detachments(site)]
    if kind == "detach_rules":
        return [Edit(cast.acme, TaskSpec("", "", detachment)) for detachment in rule_detachments(cast)]
    return [rule_deletion(rule) for rule in FirewallRule.objects.filter(security_group=site.web).order_by("pk")]


def known(group: Any) -> KnownGroup:
    return KnownGroup(id=str(group.pk), name=group.name, ems_ref=group.ems_ref)


def port_detachments(site: Site) -> list[PortDetachment]:
    substitutes = Substitutes((WantedGroup(site.web.name, site.web.ems_ref),), always=True)
    return [
        PortDetachment(verb="remove", subject="x", group=known(site.default), port=ref, substitutes=substitutes)
        for ref in ("eni-production-double-1", "eni-production-double-2")
    ]


def rule_detachments(cast: Cast) -> list[RuleDetachment]:
    return [
        RuleDetachment(verb="delete", subject="x", group=known(site.default), source=known(cast.staging.db))
        for site in (cast.production, cast.staging)
    ]


def carry_out(queue: str) -> list[Task]:
    """As a worker does, whose handler may raise."""
    tasks = runner._claim_tasks(queue)
    with contextlib.suppress(OperationalError):
        runner._handle(tasks, Grip())
    return list(Task.objects.order_by("pk"))


@pytest.fixture(autouse=True)
def rules(cast: Cast, cloud: MemoryCloud) -> None:
    for port in (22, 80):
        cloud.rule_list.append(rule_of(actors.rule(cast.production.web, port)))
    for site in (cast.production, cast.staging):
        cloud.rule_list.append(rule_of(names(site.default, cast.staging.db)))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
class TestEveryTaskEnds:
    @pytest.mark.parametrize("step", REFRESH)
    def test_of_a_refresh(self, step: str, error: Exception, cast: Cast, cloud: MemoryCloud, broken: Any) -> None:
        cloud.group_list = [
            *(replace(group, name="renamed") for group in cloud.group_list),
            Group("sg-new", "new"),
        ]
        request_refresh(provider=cast.acme, user=None)
        request_refresh(provider=cast.acme, user=None)
        broken(step, error)
        tasks = carry_out(f"providers/{cast.acme.pk}")
        message = f"Internal error ({type(error).__name__}). See the Portcullis log for details."
        assert [(task.state, task.status, task.message) for task in tasks] == 2 * [("Finished", "Error", message)]
        cast.acme.refresh_from_db()
        failed = f"Internal error in the refresh ({type(error).__name__}). See the Portcullis log for details."
        assert cast.acme.last_refresh_error == failed

    @pytest.mark.parametrize("step", PART)
    def test_of_a_refresh_of_a_part(
        self, step: str, error: Exception, cast: Cast, cloud: MemoryCloud, broken: Any
    ) -> None:
        cloud.group_list = [replace(group, name="renamed") for group in cloud.group_list]
        cloud.rule_list.append(replace(cloud.rule_list[0], ref="r-new", port=81))
        scope = Scope("security_group", cast.production.web.ems_ref)
        request_refresh_of(scope=scope, name="web", provider=cast.acme, user=None)
        broken(step, error)
        [task] = carry_out(f"providers/{cast.acme.pk}")
        assert (task.state, task.status) == ("Finished", "Error"), task.message
        assert "See the Portcullis log" in task.message

    @pytest.mark.parametrize("step", DELETION)
    def test_of_the_deletion_of_a_provider(
        self, step: str, error: Exception, cast: Cast, cloud: MemoryCloud, broken: Any, django_user_model: Any
    ) -> None:
        delete_provider(provider=cast.acme, user=django_user_model.objects.create_user("ann"))
        broken(step, error)
        [task] = carry_out(f"providers/{cast.acme.pk}")
        assert (task.state, task.status) == ("Finished", "Error"), task.message
        assert "See the Portcullis log" in task.message

    @pytest.mark.parametrize("step", CHANGE)
    def test_of_a_change(self, step: str, error: Exception, cast: Cast, cloud: MemoryCloud, broken: Any) -> None:
        vm = cast.production.double
        carrying.queue(vm, "add", "web", "db")
        broken(step, error)
        tasks = carry_out(f"vms/{vm.pk}")
        assert {task.state for task in tasks} == {"Finished"}
        there = [
            {"sg-production-web", "sg-production-db"} <= set(refs) for refs in cloud.groups_of(vm.ems_ref).values()
        ]
        for task in tasks:
            if all(there):
                assert task.message.startswith("Added ") or "These ports had already been changed" in task.message
            else:
                assert task.status == "Error"
                assert type(error).__name__ in task.message
            assert "See the Portcullis log" in task.message or task.status == "Ok"

    @pytest.mark.parametrize(("kind", "step"), [(kind, step) for kind, steps in EDITS.items() for step in steps])
    def test_of_an_edit_and_those_behind_it_go_on(
        self, kind: str, step: str, error: Exception, cast: Cast, cloud: MemoryCloud, broken: Any
    ) -> None:
        editing.queue(*edits(cast, kind))
        broken(step, error)
        first, second = carry_out(f"security_groups/{cast.acme.pk}")
        assert (second.state, second.status) == ("Finished", "Ok"), second.message
        assert first.state == "Finished"
        assert f"Internal error ({type(error).__name__}). See the Portcullis log" in first.message
        done = len(cloud.called(WRITES.get(kind, kind))) == 2
        assert first.status == ("Warn" if done else "Error"), first.message
        if done:
            assert "the inventory will show it after the next refresh" in first.message
        else:
            assert first.message.startswith("Cannot ")


@pytest.mark.parametrize("step", ["cloud.ports", "secgroups.changes.record_ports"])
def test_a_change_is_taken_again_where_the_database_was_away(
    step: str, cast: Cast, cloud: MemoryCloud, broken: Any
) -> None:
    vm = cast.production.single
    carrying.queue(vm, "add", "web")
    broken(step, OperationalError("The database is gone."))
    [task] = carry_out(f"vms/{vm.pk}")
    assert task.state == "Active"
    [task] = carry_out(f"vms/{vm.pk}")
    assert (task.state, task.status) == ("Finished", "Ok")


@pytest.mark.parametrize("kind", EDITS)
def test_an_edit_is_taken_again_where_the_database_was_away(
    kind: str, cast: Cast, cloud: MemoryCloud, broken: Any
) -> None:
    editing.queue(*edits(cast, kind))
    broken(EDITS[kind][-1], OperationalError("The database is gone."))
    tasks = carry_out(f"security_groups/{cast.acme.pk}")
    assert [task.state for task in tasks] == ["Active", "Queued"]
    tasks = carry_out(f"security_groups/{cast.acme.pk}")
    assert {(task.state, task.status) for task in tasks} == {("Finished", "Ok")}
