"""A real OpenStack control plane, as `make openstack-up` starts it, and a project of its own for each test."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from openstack.connection import Connection as Sdk
from openstack.exceptions import NotFoundException, SDKException

from inventory.drivers.openstack import OpenStackDriver
from inventory.drivers.values import Connection

Found = TypeVar("Found")

FILES = ("plane.json", "state/ports.json")
#: How long Nova may take for a server, in seconds; it takes two.
TIMEOUT = 120


@dataclass
class Project:
    """A project with a network, in which a test has what it needs; all of it is gone afterwards."""

    plane: Plane
    ref: str
    _made: list[Callable[[], object]] = field(default_factory=list)

    @cached_property
    def network(self) -> str:
        made = self.plane.network("networks", name="private", project_id=self.ref)
        self._made.append(lambda: self.plane.delete("networks", made["id"]))
        self.plane.network("subnets", network_id=made["id"], ip_version=4, cidr="10.1.0.0/20", project_id=self.ref)
        return str(made["id"])

    @cached_property
    def external(self) -> str:
        """A network outside, to which a router leads from the project's own."""
        made = self.plane.network("networks", name="internet", **{"router:external": True})
        self._made.append(lambda: self.plane.delete("networks", made["id"]))
        self.plane.network("subnets", network_id=made["id"], ip_version=4, cidr="185.66.0.0/24")
        [inside] = self.plane.sdk.network.subnets(network_id=self.network)
        gateway = {"network_id": made["id"]}
        router = self.plane.network("routers", name="way out", project_id=self.ref, external_gateway_info=gateway)
        self._made.append(lambda: self.plane.delete("routers", router["id"]))
        self.plane.sdk.network.add_interface_to_router(router["id"], subnet_id=inside.id)
        self._made.append(
            lambda: self.plane.sdk.network.remove_interface_from_router(router["id"], subnet_id=inside.id)
        )
        return str(made["id"])

    def publish(self, port: str) -> str:
        """Have a floating address translated to a port."""
        made = self.plane.network(
            "floatingips", floating_network_id=self.external, port_id=port, project_id=self.ref
        )
        self._made.append(lambda: self.plane.delete("floatingips", made["id"]))
        return str(made["floating_ip_address"])

    def withdraw(self, port: str) -> None:
        """Take the floating addresses of a port away."""
        for floating in self.plane.sdk.network.ips(port_id=port):
            self.plane.delete("floatingips", floating.id)

    def group(self, name: str, **attributes: Any) -> str:
        return str(self.plane.network("security-groups", name=name, project_id=self.ref, **attributes)["id"])

    def address_group(self, name: str, *addresses: str) -> str:
        made = self.plane.network("address-groups", name=name, addresses=list(addresses), project_id=self.ref)
        # At last: it can't go before the rules that name it.
        self._made.insert(0, lambda: self.plane.delete("address-groups", made["id"]))
        return str(made["id"])

    def port(self, *groups: str, **attributes: Any) -> str:
        given = {"network_id": self.network, "project_id": self.ref, **attributes}
        made = self.plane.network("ports", **given, **({"security_groups": list(groups)} if groups else {}))
        self._made.append(lambda: self.plane.delete("ports", made["id"]))
        return str(made["id"])

    def server(self, *ports: str, name: str = "web-1") -> str:
        """An active server with these ports."""
        compute, image = self.member.compute, self.plane.sdk.image.find_image("nothing")
        made = compute.create_server(
            name=name,
            flavor_id=self.plane.sdk.compute.find_flavor("tiny").id,
            image_id=image.id,
            networks=[{"port": port} for port in ports],
        )
        self._made.append(lambda: self.end(made.id))
        until(lambda: compute.get_server(made.id).status == "ACTIVE")
        return str(made.id)

    def end(self, server: str) -> None:
        """Delete a server, and wait until it is gone."""
        compute = self.plane.sdk.compute
        compute.delete_server(server, ignore_missing=True)

        def gone() -> bool:
            with suppress(NotFoundException):
                return not compute.get_server(server)
            return True

        until(gone)

    @cached_property
    def userid(self) -> str:
        """The name of a user who may do in this project what its members may."""
        return self.user("member")

    def user(self, role: str) -> str:
        """Make a user with this role in the project."""
        identity = self.plane.sdk.identity
        user = identity.create_user(name=f"user-{uuid4().hex[:8]}", password=PASSWORD)
        identity.assign_project_role_to_user(self.ref, user, identity.find_role(role))
        self._made.append(lambda: identity.delete_user(user))
        return str(user.name)

    @cached_property
    def member(self) -> Sdk:
        return _sdk(self.plane.url, self.userid, PASSWORD, {"project_id": self.ref})

    def driver(self, userid: str | None = None) -> OpenStackDriver:
        """The driver with the credentials of that user, or of another one."""
        return OpenStackDriver(Connection(url=self.plane.url, userid=userid or self.userid, password=PASSWORD))

    def clear(self) -> None:
        for undo in reversed(self._made):
            with suppress(SDKException):
                undo()


PASSWORD = "correct horse"


@dataclass
class Plane:
    """The control plane, with the eyes and hands of its administrator."""

    url: str
    userid: str
    password: str
    #: Of each service.
    ports: dict[str, int]
    databases: Path

    @cached_property
    def sdk(self) -> Sdk:
        return _sdk(
            self.url, self.userid, self.password, {"project_name": "admin", "project_domain_id": "default"}
        )

    def driver(self) -> OpenStackDriver:
        return OpenStackDriver(Connection(url=self.url, userid=self.userid, password=self.password))

    def project(self) -> Project:
        made = self.sdk.identity.create_project(name=f"project-{uuid4().hex[:8]}")
        project = Project(self, made.id)
        project._made.append(lambda: self.sdk.identity.delete_project(made.id))
        project._made.append(lambda: self._delete_groups(made.id))
        return project

    def network(self, collection: str, **attributes: Any) -> dict[str, Any]:
        """Make something at Neutron."""
        singular = collection.removesuffix("s").replace("-", "_").replace("policie", "policy")
        answer = self.sdk.network.post(f"/{collection}", json={singular: attributes})
        assert answer.ok, answer.text
        made: dict[str, Any] = answer.json()[singular]
        return made

    def port(self, ref: str) -> dict[str, Any]:
        found: dict[str, Any] = self.sdk.network.get(f"/ports/{ref}").json()["port"]
        return found

    def groups_of(self, port: str) -> set[str]:
        return set(self.port(port)["security_groups"])

    def set_groups(self, port: str, *groups: str) -> None:
        """Change a port from outside."""
        answer = self.sdk.network.put(f"/ports/{port}", json={"port": {"security_groups": list(groups)}})
        assert answer.ok, answer.text

    def delete(self, collection: str, ref: str) -> None:
        self.sdk.network.delete(f"/{collection}/{ref}")

    @contextmanager
    def cell_down(self, server: str) -> Iterator[None]:
        """As if the cell of this server failed: it is in the one that is down, and hidden where it was."""
        self._move(server, "down", hidden=True)
        try:
            yield
        finally:
            self._move(server, "cell1", hidden=False)

    def _move(self, server: str, cell: str, *, hidden: bool) -> None:
        mapped = (
            "UPDATE instance_mappings SET cell_id = (SELECT id FROM cell_mappings WHERE name = ?) "
            "WHERE instance_uuid = ?"
        )
        self._execute("nova_api", mapped, cell, server)
        self._execute("nova", "UPDATE instances SET hidden = ? WHERE uuid = ?", hidden, server)

    def _execute(self, database: str, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.databases / f"{database}.db", timeout=60)) as connection, connection:
            connection.execute(statement, values)

    def _delete_groups(self, project: str) -> None:
        """After everything else: what has a group keeps it."""
        for group in self.sdk.network.security_groups(project_id=project):
            self.delete("security-groups", group.id)


def _sdk(url: str, userid: str, password: str, scope: dict[str, str]) -> Sdk:
    who = {"username": userid, "password": password, "user_domain_id": "default"}
    return Sdk(auth={"auth_url": f"{url}/v3", **who, **scope}, region_name="RegionOne")


def until(look: Callable[[], Found]) -> Found:
    """What `look` finds, as soon as it finds something."""
    ends = time.monotonic() + TIMEOUT
    while not (found := look()):
        assert time.monotonic() < ends, f"nothing after {TIMEOUT} s: {look}"
        time.sleep(0.1)
    return found


@pytest.fixture(scope="session")
def plane() -> Plane:
    told, ports = (json.loads((Path(os.environ["OPENSTACK"]) / name).read_text()) for name in FILES)
    databases = Path(os.environ["OPENSTACK"]).resolve() / "state" / "db"
    return Plane(told["url"], told["userid"], told["password"], ports, databases)


@pytest.fixture
def project(plane: Plane) -> Iterator[Project]:
    project = plane.project()
    yield project
    project.clear()


@pytest.fixture
def other(plane: Plane) -> Iterator[Project]:
    """Another project."""
    project = plane.project()
    yield project
    project.clear()
