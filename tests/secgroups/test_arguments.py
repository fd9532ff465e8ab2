"""What tasks of groups and rules are to do, as values that outlive an upgrade."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from inventory import runner
from inventory.arguments import Arguments, UnreadableArguments
from inventory.drivers.values import Group, Rule
from inventory.models import Task
from inventory.services import note
from secgroups.arguments import (
    ChangeNotes,
    EditNotes,
    GroupAttributes,
    GroupCreation,
    GroupDeletion,
    GroupEdit,
    GroupRestoration,
    KnownGroup,
    KnownRule,
    MembershipChange,
    NewGroup,
    NewRule,
    PlacedGroup,
    PortDetachment,
    RuleCreation,
    RuleDeletion,
    RuleDetachment,
    Substitutes,
    WantedGroup,
    edit_notes,
    edit_task,
    membership_task,
)
from secgroups.models import FirewallRule
from secgroups.services import Edit, group_creation, group_deletion, group_edit, rule_creation, rule_deletion
from tests import cast as actors
from tests.cast import Cast
from tests.clouds import Grip, MemoryCloud
from tests.secgroups import carrying, editing
from tests.secgroups.reverting import accepted

KNOWN = {"id": "2", "name": "web", "ems_ref": "sg-1"}
RULE = {
    "direction": "inbound",
    "network_protocol": "IPV4",
    "host_protocol": "ipv6-icmp",
    "port": None,
    "end_port": None,
}
#: As they were stored before there was a version, beside what they say.
CHANGES: list[tuple[dict[str, Any], MembershipChange]] = [
    (
        {"action": "add", "group": {"name": "web", "ems_ref": "sg-1"}, "ports": []},
        MembershipChange("add", WantedGroup("web", "sg-1")),
    ),
    (
        {
            "action": "remove",
            "group": {"name": "behind", "ems_ref": None},
            "ports": ["eni-1"],
            "undone": {"eni-1": {"sg-1": False}},
            "unsure": True,
        },
        MembershipChange("remove", WantedGroup("behind", None), ("eni-1",)),
    ),
]
EDITS: list[tuple[dict[str, Any], Arguments]] = [
    (
        {
            "edit": "create_group",
            "verb": "create",
            "subject": "security group new",
            "group": {"name": "new", "description": None, "tenant_ref": None, "network_ref": "vpc-1"},
        },
        GroupCreation(subject="security group new", group=NewGroup("new", network_ref="vpc-1")),
    ),
    (
        {"edit": "edit_group", "verb": "edit", "subject": "x", "group": KNOWN, "attributes": {"description": "y"}},
        GroupEdit(subject="x", group=KnownGroup(**KNOWN), attributes=GroupAttributes(description="y")),
    ),
    (
        {"edit": "delete_group", "verb": "delete", "subject": "x", "group": KNOWN, "unsure": True},
        GroupDeletion(subject="x", group=KnownGroup(**KNOWN)),
    ),
    (
        {
            "edit": "create_rule",
            "verb": "create",
            "subject": "x",
            "rule": RULE
            | {"source_ip_range": "::/0", "description": None, "group_ref": "sg-1", "source_group_ref": None},
        },
        RuleCreation(subject="x", rule=NewRule(group_ref="sg-1", source_ip_range="::/0", **RULE)),
    ),
    (
        {
            "edit": "create_rule",
            "verb": "create",
            "subject": "x",
            "rule": RULE | {"group_ref": "sg-1", "source_ip_range": "pl-1", "address_list_ref": "pl-1"},
        },
        RuleCreation(subject="x", rule=NewRule("sg-1", source_ip_range="pl-1", address_list_ref="pl-1", **RULE)),
    ),
    (
        {
            "edit": "create_rule",
            "verb": "create",
            "subject": "x",
            "rule": RULE | {"group_ref": "sg-1", "source_ip_range": "::/0"},
        },
        RuleCreation(subject="x", rule=NewRule(group_ref="sg-1", source_ip_range="::/0", **RULE)),
    ),
    (
        {
            "edit": "delete_rule",
            "verb": "delete",
            "subject": "x",
            "rule": {"ref": "r-1", "group_ref": "sg-1", "direction": "outbound"},
        },
        RuleDeletion(subject="x", rule=KnownRule("r-1", "sg-1", "outbound")),
    ),
    (
        {
            "edit": "detach_port",
            "verb": "remove",
            "subject": "x",
            "group": KNOWN,
            "port": "eni-1",
            "substitutes": {"groups": [{"name": "default", "ems_ref": "sg-0"}], "always": False},
        },
        PortDetachment(
            verb="remove",
            subject="x",
            group=KnownGroup(**KNOWN),
            port="eni-1",
            substitutes=Substitutes((WantedGroup("default", "sg-0"),)),
        ),
    ),
    (
        {"edit": "detach_rules", "verb": "delete", "subject": "x", "group": KNOWN, "source": KNOWN},
        RuleDetachment(verb="delete", subject="x", group=KnownGroup(**KNOWN), source=KnownGroup(**KNOWN)),
    ),
]
#: Those that are tasks of their own. The others are parts: `test_groups_in_use`.
SINGLE = [meant for _, meant in EDITS if not isinstance(meant, PortDetachment | RuleDetachment)]
#: A creation that was attempted: its group as the cloud places it stands in the place of the one asked for.
ATTEMPTED: dict[str, Any] = EDITS[0][0] | {
    "group": {
        "ref": "",
        "name": "new",
        "description": "new",
        "tenant_ref": "t-1",
        "network_ref": "vpc-1",
        "stateful": True,
        "shared_with": [],
        "associated_network_refs": [],
    },
    "namesakes": ["sg-old"],
}


@pytest.mark.parametrize(("stored", "meant"), CHANGES)
def test_a_change_from_before_there_were_versions_is_read(stored: dict[str, Any], meant: MembershipChange) -> None:
    assert membership_task(stored) == meant
    assert ChangeNotes.read(stored) == ChangeNotes(
        unsure=stored.get("unsure", False), undone=stored.get("undone", {})
    )


@pytest.mark.parametrize(("stored", "meant"), EDITS, ids=lambda value: getattr(value, "subject", None))
def test_an_edit_from_before_there_were_versions_is_read(stored: dict[str, Any], meant: Arguments) -> None:
    assert edit_task(stored) == meant
    assert edit_notes(stored) == EditNotes(unsure=stored.get("unsure", False))


def test_a_creation_that_was_attempted_before_there_were_versions_is_read() -> None:
    placed = NewGroup("new", "new", "t-1", "vpc-1")
    assert edit_task(ATTEMPTED) == GroupCreation(subject="security group new", group=placed)
    assert edit_notes(ATTEMPTED) == EditNotes(placed=PlacedGroup(placed, ("sg-old",)))
    unsure = ATTEMPTED | {"unsure": True}
    assert edit_task(unsure) == edit_task(ATTEMPTED)
    assert edit_notes(unsure).unsure


def test_a_creation_that_was_attempted_before_there_were_versions_makes_no_second_group(
    cast: Cast, cloud: MemoryCloud
) -> None:
    [task] = editing.queue(group_creation(cast.acme, name="new", cloud_network=cast.production.network))
    task = Task.objects.get(pk=task.pk)
    group = ATTEMPTED["group"] | {"tenant_ref": "t-account", "network_ref": cast.production.network.ems_ref}
    stored = ATTEMPTED | {"group": group, "namesakes": []}
    Task.objects.filter(pk=task.pk).update(arguments=stored)
    made, _ = cloud.create_group(Group("", "new", "new", "t-account", group["network_ref"]))
    cloud.calls.clear()
    [task] = editing.edited(cast.acme)
    assert (task.status, task.context_data["security_group"]["ems_ref"]) == ("Ok", made.ref)
    assert not cloud.called("create_group")


@pytest.mark.django_db
class TestRoundTrip:
    @pytest.mark.parametrize("ports", [(), ("eni-new",)])
    def test_of_a_change(self, ports: tuple[str, ...], cast: Cast, cloud: MemoryCloud) -> None:
        asked = carrying.GroupReference("web", ports=ports)
        [task] = carrying.queue(cast.production.single, "add", asked)
        stored = Task.objects.get(pk=task.pk).arguments
        assert stored["version"] == 1
        assert "reverts" not in stored  # which a worker of an older version would not know
        assert membership_task(stored) == MembershipChange("add", WantedGroup("web", "sg-production-web"), ports)

    @pytest.mark.parametrize("kind", SINGLE, ids=lambda kind: type(kind).__name__)
    def test_of_an_edit(self, kind: Arguments, cast: Cast, cloud: MemoryCloud) -> None:
        web = cast.production.web
        actors.rule(web, 22)
        rule = FirewallRule.objects.get()
        decided = {
            GroupCreation: lambda: group_creation(cast.acme, name="防火墙", description="%s"),
            GroupEdit: lambda: group_edit(web, description="new"),
            GroupDeletion: lambda: group_deletion(web),
            RuleCreation: lambda: rule_creation(web, direction="inbound", source_security_group=web, port=1),
            RuleDeletion: lambda: rule_deletion(rule),
        }[type(kind)]()
        assert isinstance(decided, Edit)
        [task] = editing.queue(decided)
        stored = Task.objects.get(pk=task.pk).arguments
        assert stored["version"] == 1
        assert "reverts" not in stored
        assert edit_task(stored) == decided.spec.arguments

    def test_of_a_revert(self, cast: Cast, cloud: MemoryCloud) -> None:
        web = cast.production.web
        actors.rule(web, 22)
        FirewallRule.objects.update(source_security_group=web, source_ip_range=None)
        [task] = editing.edited(cast.acme, group_deletion(web))
        reverting = accepted(task)
        restoration = edit_task(reverting.arguments)
        assert isinstance(restoration, GroupRestoration)
        assert (restoration.reverts, restoration.was, restoration.group.name) == (task.pk, web.ems_ref, "web")
        [rule] = restoration.rules
        assert (rule.group_ref, rule.source_group_ref, rule.port) == (web.ems_ref, web.ems_ref, 22)
        [task] = carrying.queue(cast.production.single, "add", "db")
        carrying.carried_out(cast.production.single)
        change = membership_task(accepted(task).arguments)
        assert (change.action, change.reverts) == ("remove", task.pk)
        assert change.ports == ("eni-production-single-1",)

    def test_of_notes(self, cast: Cast, cloud: MemoryCloud) -> None:
        [change] = carrying.queue(cast.production.single, "add", "web")
        [edit] = editing.queue(group_creation(cast.acme, name="new"))
        undone = ChangeNotes(undone={"eni-1": {"sg-1": True}})
        placed = EditNotes(placed=PlacedGroup(NewGroup("new", network_ref="vpc-1"), ()))
        for task, notes in ((change, undone), (edit, placed)):
            note([task], notes)
            task.save(update_fields=["arguments"])
        assert ChangeNotes.read(Task.objects.get(pk=change.pk).arguments) == undone
        stored = Task.objects.get(pk=edit.pk).arguments
        assert edit_notes(stored) == placed
        assert edit_task(stored) == GroupCreation(subject="security group new", group=NewGroup("new"))


UNKNOWN: list[tuple[dict[str, Any], str]] = [
    (EDITS[0][0] | {"edit": "merge_groups"}, "Invalid value 'merge_groups' - at `$.edit`"),
    ({"verb": "create", "subject": "x"}, "Object missing required field `edit`"),
    (EDITS[0][0] | {"undone": {}}, "Object contains unknown field `undone`"),
    (EDITS[2][0] | {"group": KNOWN | {"owner": "x"}}, "Object contains unknown field `owner` - at `$.group`"),
]


@pytest.mark.parametrize(("stored", "problem"), UNKNOWN)
def test_an_edit_that_it_does_not_know_is_refused_in_plain_words(stored: dict[str, Any], problem: str) -> None:
    with pytest.raises(UnreadableArguments) as refused:
        edit_task(stored)
    assert str(refused.value) == f"Can't read what this task should do: {problem}. Repeat the request."


@pytest.mark.parametrize("version", [2, "two", None])
def test_another_version_is_refused(version: Any) -> None:
    for read, stored in ((membership_task, CHANGES[0][0]), (edit_task, EDITS[0][0])):
        with pytest.raises(UnreadableArguments, match=f"version {version} instead of 1"):
            read(stored | {"version": version})


def carried_out(bad: Task, good: Task) -> tuple[Task, Task]:
    """Both, after the first was given arguments that nobody knows and the queue was carried out."""
    Task.objects.filter(pk=bad.pk).update(arguments={"version": 2, "of": "the future"})
    runner._handle(runner._claim_tasks(good.queue), Grip())
    return Task.objects.get(pk=bad.pk), Task.objects.get(pk=good.pk)


def assert_refused(task: Task) -> None:
    assert (task.state, task.status) == ("Finished", "Error")
    assert task.message.startswith("This task was accepted by another version of Portcullis")
    assert task.arguments == {"version": 2, "of": "the future"}


def test_a_change_that_cannot_be_read_ends_and_the_others_go_on(cast: Cast, cloud: MemoryCloud) -> None:
    vm = cast.production.single
    bad, good = carried_out(*carrying.queue(vm, "add", "web", "db"))
    assert_refused(bad)
    assert (good.status, good.message) == ("Ok", f"Added security group db to {vm.name}.")
    assert "sg-production-web" not in set().union(*cloud.groups_of(vm.ems_ref).values())


def test_an_instance_of_which_nothing_can_be_read_is_left_alone(cast: Cast, cloud: MemoryCloud) -> None:
    [task] = carrying.queue(cast.production.single, "add", "web")
    bad, _ = carried_out(task, task)
    assert_refused(bad)
    assert cloud.calls == []


def test_an_edit_that_cannot_be_read_ends_and_the_others_go_on(cast: Cast, cloud: MemoryCloud) -> None:
    tasks = editing.queue(*(group_creation(cast.acme, name=name) for name in ("one", "two")))
    bad, good = carried_out(*tasks)
    assert_refused(bad)
    assert (good.status, good.message) == ("Ok", "Created security group two.")
    assert cloud.called("create_group") == ["two"]


def test_a_rule_that_is_made_can_have_what_drivers_know_of_one() -> None:
    assert {field.name for field in fields(Rule)} - {"ref"} == set(NewRule.__struct_fields__)
