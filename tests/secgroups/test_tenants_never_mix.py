"""No group of one tenant or network is accepted for another's instance unless it is shared or associated.

And none of one's own is refused. Random clouds are read by the real drivers, each group is asked for in each way
for each instance, and all that was accepted is carried out. The rules are written here once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.models import Provider, Vm
from inventory.refresh import refresh
from secgroups.models import SecurityGroup
from secgroups.services import Accepted, GroupReference, request_changes
from tests.clouds import Clock, Grip
from tests.examples import EXAMPLES
from tests.secgroups.carrying import carried_out
from tests.secgroups.small_clouds import Account, Stack, provider_of

#: Keystone lists the first alone: the second is deleted, the third of another domain. The last is not known.
PROJECTS = ["listed", "deleted", "hidden", ""]
VPCS = ["vpc-1", "vpc-2", "vpc-unlisted"]
NAMES = ["web", "db"]
PROPERTY = settings(
    max_examples=max(5, EXAMPLES // 4),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def numbered(kind: str, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": f"{kind}-{number}", **item} for number, item in enumerate(items)]


@st.composite
def stacks(draw: st.DrawFn) -> Stack:
    """Servers and groups of four projects; anybody's port may name anybody's server, and have anybody's groups."""
    project = st.sampled_from(PROJECTS)
    groups = numbered("sg", draw(st.lists(st.builds(_group, project, st.sampled_from(NAMES)), max_size=5)))
    servers = numbered("i", draw(st.lists(st.builds(_server, project), min_size=1, max_size=3)))
    refs = st.sampled_from([group["id"] for group in groups]) if groups else st.nothing()
    port = st.builds(
        _port, st.sampled_from(servers), project | st.none(), st.lists(refs, max_size=1) if groups else st.just([])
    )
    shares = st.builds(_share, refs, st.sampled_from([*PROJECTS[:3], "*", "far"])) if groups else st.nothing()
    return Stack(
        projects=[{"id": PROJECTS[0], "name": "project"}],
        servers=servers,
        groups=groups,
        ports=numbered("p", draw(st.lists(port, min_size=1, max_size=5))),
        policies=draw(st.lists(shares, max_size=2)) if groups else [],
    )


def _group(project: str, name: str) -> dict[str, Any]:
    return {"name": name, "project_id": project}


def _server(project: str) -> dict[str, Any]:
    return {"name": "server", "status": "ACTIVE", "tenant_id": project}


def _port(server: dict[str, Any], project: str | None, groups: list[str]) -> dict[str, Any]:
    """A port of the server's own project, unless it is said of which."""
    owner = server["tenant_id"] if project is None else project
    return {"device_id": server["id"], "project_id": owner, "security_groups": groups}


def _share(group: str, target: str) -> dict[str, Any]:
    return {"object_id": group, "target_tenant": target}


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    """Interfaces and groups in VPCs, one of which is not listed, with groups associated elsewhere."""
    vpc = st.sampled_from(VPCS)
    named = draw(st.lists(st.tuples(vpc, st.sampled_from(NAMES)), max_size=5, unique=True))
    groups = [
        {"GroupId": f"sg-{number}", "GroupName": name, "VpcId": home, "OwnerId": "1"}
        for number, (home, name) in enumerate(named)
    ]
    count = draw(st.integers(1, 3))
    state = st.sampled_from(["associated", "associated", "disassociated", "associating"])
    pairs = draw(st.lists(st.tuples(st.sampled_from(groups), vpc, state), max_size=3)) if groups else []
    ports = draw(st.lists(st.tuples(st.integers(0, count - 1), vpc, st.integers(0, 4)), min_size=1, max_size=5))
    return Account(
        vpcs=[{"VpcId": ref, "OwnerId": "1"} for ref in VPCS[:2]],
        groups=groups,
        associations=[{"GroupId": one["GroupId"], "VpcId": ref, "State": state} for one, ref, state in pairs],
        instances=[
            {"OwnerId": "1", "Instances": [{"InstanceId": f"i-{number}", "State": {"Name": "running"}}]}
            for number in range(count)
        ],
        interfaces=[
            {
                "NetworkInterfaceId": f"eni-{number}",
                "VpcId": home,
                "OwnerId": "1",
                "Attachment": {"InstanceId": f"i-{instance}"},
                "Groups": [{"GroupId": one["GroupId"]} for one in groups[had : had + 1]],
            }
            for number, (instance, home, had) in enumerate(ports)
        ],
    )


# What may be: the rules once more


def ports_in(cloud: Stack | Account, instance: str) -> list[str]:
    if isinstance(cloud, Account):
        return [
            one["NetworkInterfaceId"] for one in cloud.interfaces if one["Attachment"]["InstanceId"] == instance
        ]
    [owner] = [one["tenant_id"] for one in cloud.servers if one["id"] == instance]
    named = [one for one in cloud.ports if one["device_id"] == instance]
    return [one["id"] for one in named if owner != "" and one["project_id"] == owner]


def may_have(cloud: Stack | Account, port: str, group: str) -> bool:
    if isinstance(cloud, Account):
        [vpc] = [one["VpcId"] for one in cloud.interfaces if one["NetworkInterfaceId"] == port]
        [home] = [one["VpcId"] for one in cloud.groups if one["GroupId"] == group]
        usable = [(group, vpc, "associated") == (*one.values(),) for one in cloud.associations]
        return vpc == home or any(usable)
    [project] = [one["project_id"] for one in cloud.ports if one["id"] == port]
    [owner] = [one["project_id"] for one in cloud.groups if one["id"] == group]
    targets = {one["target_tenant"] for one in cloud.policies if one["object_id"] == group}
    return "*" in targets or (project != "" and project in {owner, *targets})


def names_in(cloud: Stack | Account) -> dict[str, str]:
    if isinstance(cloud, Account):
        return {one["GroupId"]: one["GroupName"] for one in cloud.groups}
    return {one["id"]: one["name"] for one in cloud.groups}


# What is


def connect(cloud: Stack | Account, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """A provider that has read this cloud."""
    provider = provider_of(cloud, monkeypatch)
    refresh(provider, Grip())
    return provider


NOT_KNOWN = "ems_ref that the inventory does not know"
WAYS: dict[str, Callable[[SecurityGroup], GroupReference]] = {
    "id": lambda group: GroupReference(id=group.pk),
    "ems_ref": lambda group: GroupReference(ems_ref=group.ems_ref),
    "name": lambda group: GroupReference(group.name),
    NOT_KNOWN: lambda group: GroupReference(ems_ref=group.ems_ref),
}


def check(cloud: Stack | Account, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    provider = connect(cloud, monkeypatch)
    groups = list(SecurityGroup.objects.filter(provider=provider))
    assert {group.ems_ref for group in groups} == names_in(cloud).keys()
    for vm in Vm.objects.select_related("provider", "cloud_tenant").filter(provider=provider):
        if way == NOT_KNOWN:
            SecurityGroup.objects.all().delete()
        check_instance(cloud, vm, groups, way)


def check_instance(cloud: Stack | Account, vm: Vm, groups: list[SecurityGroup], way: str) -> None:
    ports, before = ports_in(cloud, vm.ems_ref), deepcopy(cloud)
    names = names_in(cloud)
    fitting = {ref for ref in names if any(takes(before, port, ref) for port in ports)}
    answers = request_changes(vm=vm, action="add", references=[WAYS[way](group) for group in groups], user=None)
    tasks = (
        {task.pk: task for task in carried_out(vm)} if any(isinstance(one, Accepted) for one in answers) else {}
    )
    alike = Counter(names[ref] for ref in fitting)
    for group, answer in zip(groups, answers, strict=True):
        expected = alike[group.name] == 1 if way == "name" else group.ems_ref in fitting
        done = isinstance(answer, Accepted) and tasks[answer.task.pk].status == "Ok"
        assert done == expected, (group.ems_ref, vm.ems_ref, answer.message)
    added = {ref for ref in fitting if way != "name" or alike[names[ref]] == 1}
    for port in cloud.port_refs():
        new = {ref for ref in added if port in ports and may_have(before, port, ref)}
        assert cloud.groups_on(port) == before.groups_on(port) | new, port


def takes(cloud: Stack | Account, port: str, group: str) -> bool:
    """Whether a change is done there: what a port has it keeps, wherever it comes from."""
    return may_have(cloud, port, group) or group in cloud.groups_on(port)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("clouds", [stacks(), accounts()], ids=["OpenStack", "EC2"])
def test_tenants_and_networks_never_mix(
    clouds: st.SearchStrategy[Stack | Account],
    way: str,
    db: None,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @PROPERTY
    @given(cloud=clouds)
    def holds(cloud: Stack | Account) -> None:
        start = transaction.savepoint()
        try:
            check(cloud, monkeypatch, way)
        finally:
            transaction.savepoint_rollback(start)

    holds()
