"""Tenants on a real OpenStack: projects that were deleted, and ports that name another project's server."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from inventory.models import CloudTenant, NetworkPort, Vm
from inventory.refresh import refresh
from secgroups.models import SecurityGroup
from secgroups.services import GroupReference, Refused, request_changes
from tests import cast as actors
from tests.cast import OPENSTACK
from tests.clouds import Grip
from tests.live.openstack import Plane, Project
from tests.secgroups.carrying import carried_out, queue

pytestmark = [pytest.mark.openstack, pytest.mark.django_db]


def connected(plane: Plane) -> None:
    """Bring in what the control plane has."""
    keys = {"userid": plane.userid, "password": plane.password}
    refresh(actors.provider("openstack", vendor=OPENSTACK, url=plane.url, credentials=keys), Grip(), force=True)


def instance(ref: str) -> Vm:
    return Vm.objects.select_related("provider", "cloud_tenant").get(ems_ref=ref)


def refusal(vm: Vm, asked: GroupReference) -> str:
    [answer] = request_changes(vm=vm, action="add", references=[asked], user=User(username="sam"))
    assert isinstance(answer, Refused)
    return answer.message


def outcome(vm: Vm, name: str) -> str:
    queue(vm, "add", name)
    [task] = carried_out(vm)
    return task.status


class TestDeletedProjects:
    def test_each_keeps_its_servers_and_groups_apart(self, plane: Plane, project: Project, other: Project) -> None:
        ports = {one.ref: one.port(one.group("shared-name")) for one in (project, other)}
        servers = {one.ref: one.server(ports[one.ref]) for one in (project, other)}
        ours, theirs = project.group("ours"), other.group("theirs")
        for one in (project, other):
            plane.sdk.identity.delete_project(one.ref)
        connected(plane)
        vm = instance(servers[project.ref])
        assert vm.cloud_tenant == CloudTenant.objects.get(ems_ref=project.ref)
        assert instance(servers[other.ref]).cloud_tenant == CloudTenant.objects.get(ems_ref=other.ref)
        foreign = SecurityGroup.objects.get(ems_ref=theirs)
        reason = f"theirs belongs to tenant {other.ref} and is not shared with tenant {project.ref} of web-1"
        assert refusal(vm, GroupReference("theirs", id=foreign.pk)) == f"Cannot add theirs to web-1: {reason}"
        assert refusal(vm, GroupReference(ems_ref=theirs)).endswith(reason)
        assert outcome(vm, "theirs") == "Error"
        assert outcome(vm, "shared-name") == outcome(vm, "ours") == "Ok"
        assert ours in plane.groups_of(ports[project.ref])
        assert theirs not in plane.groups_of(ports[project.ref])


class TestHostilePorts:
    def test_a_port_of_another_project_is_not_the_servers(
        self, plane: Plane, project: Project, other: Project
    ) -> None:
        own, hostile_group = project.group("web"), other.group("hostile")
        port = project.port(own)
        server = project.server(port)
        # By a member of the other project, who needs to know no more than the server's id.
        made = other.member.network.post(
            "/ports",
            json={
                "port": {
                    "network_id": other.network,
                    "device_id": server,
                    "device_owner": "compute:nova",
                    "security_groups": [hostile_group],
                }
            },
        )
        assert made.ok, made.text
        hostile = made.json()["port"]["id"]
        other._made.append(lambda: plane.delete("ports", hostile))
        assert [one.ref for one in plane.driver().ports(server)] == [port]
        connected(plane)
        vm = instance(server)
        assert [one.ems_ref for one in vm.network_ports.all()] == [port]
        assert NetworkPort.objects.get(ems_ref=hostile).vm is None
        assert {group.ems_ref for group in vm.security_groups.all()} == {own}
        assert outcome(vm, "hostile") == "Error"
        project.group("db")
        assert outcome(vm, "db") == "Ok"
        assert plane.groups_of(hostile) == {hostile_group}
        assert "no instance" in plane.driver()._users(hostile_group)
