"""The contract of drivers, on a real OpenStack."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import cast as actors
from tests.cast import OPENSTACK
from tests.contracts.drivers import DriverContract, Site
from tests.live.faults import running
from tests.live.openstack import Plane, Project
from tests.live.openstack_faults import OpenStackFaults


class OpenStackSite(Site):
    owner = "compute:nova"
    write = "PUT ports"
    deletion = "DELETE security-groups"

    def __init__(self, proxy: OpenStackFaults, plane: Plane, project: Project, other: Project) -> None:
        self.faults = proxy
        self.plane, self.project, self.other = plane, project, other
        keys = {"userid": plane.userid, "password": plane.password}
        self.provider = actors.provider("openstack", vendor=OPENSTACK, url=proxy.url, credentials=keys)

    def group(self, name: str) -> str:
        return self.project.group(name)

    def foreign_group(self, name: str) -> str:
        return self.other.group(name)

    def address_list(self, name: str, *entries: str) -> str:
        return self.project.address_group(name, *entries)

    def let_in_from(self, group: str, address_list: str) -> None:
        self.plane.network(
            "security-group-rules",
            security_group_id=group,
            direction="ingress",
            ethertype="IPv4",
            protocol="tcp",
            remote_address_group_id=address_list,
            project_id=self.project.ref,
        )

    def deny_address_lists(self) -> None:
        self.faults.refuse("GET address-groups", "", "Forbidden", status=403)

    def instance(self, *groups: str, ports: int = 1) -> str:
        return self.project.server(*[self.project.port(*groups) for _ in range(ports)])

    def ports(self, instance: str) -> list[str]:
        found = self.plane.sdk.network.get("/ports", params={"device_id": instance}).json()["ports"]
        return [port["id"] for port in found]

    def groups_of(self, port: str) -> set[str]:
        return self.plane.groups_of(port)

    def set_groups(self, port: str, *groups: str) -> None:
        self.plane.set_groups(port, *groups)

    def end(self, instance: str) -> None:
        self.project.end(instance)

    def publish(self, port: str) -> str:
        return self.project.publish(port)

    def withdraw(self, port: str) -> None:
        self.project.withdraw(port)

    def throttle(self) -> None:
        self.faults.refuse(self.write, "", "Too many requests", status=429, **{"Retry-After": "1"})

    def deny_deletion(self) -> None:
        """Neutron does."""


@pytest.mark.openstack
class TestOpenStack(DriverContract):
    can_be_without_groups = True
    can_edit_groups = True

    @pytest.fixture
    def site(self, plane: Plane, project: Project, other: Project) -> Iterator[Site]:
        with running(OpenStackFaults(plane.ports)) as proxy:
            yield OpenStackSite(proxy, plane, project, other)

    def open_up(self, site: Site, port: str) -> None:
        site.set_groups(port)
        self.project(site).plane.sdk.network.put(f"/ports/{port}", json={"port": {"port_security_enabled": False}})

    def stateless_group(self, site: Site, name: str) -> str:
        return self.project(site).group(name, stateful=False)

    def project(self, site: Site) -> Project:
        assert isinstance(site, OpenStackSite)
        return site.project

    # OpenStack takes changes.
    test_a_cloud_that_takes_no_change_is_not_asked = None
    # Neutron has no peering.
    test_peered_networks_are_known_as_such = None
    # Neutron has no limit of groups on a port.
    test_a_limit_is_told_in_plain_words = None
