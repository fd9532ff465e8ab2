"""The whole service on a real OpenStack: projects whose groups have the same names, clients who do not wait."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from threading import Event, Thread
from typing import Any

import pytest

from tests.e2e.service import Service
from tests.live.openstack import Plane, Project

pytestmark = [pytest.mark.e2e, pytest.mark.openstack]

CLIENTS, ROUNDS = 8, 20
#: Between two changes by another tool, in seconds: it is to be in the way now and then, and not always.
PAUSE = 0.5


@pytest.fixture
def third(plane: Plane) -> Iterator[Project]:
    project = plane.project()
    yield project
    project.clear()


class Operator:
    """Who has connected the cloud, and works on it through the API alone."""

    def __init__(self, service: Service, plane: Plane) -> None:
        self.service = service
        [provider] = service.post(
            "/api/providers",
            {
                "name": "private",
                "type": "openstack",
                "url": plane.url,
                "credentials": {"userid": plane.userid, "password": plane.password},
            },
        )["results"]
        self.provider = f"/api/providers/{provider['id']}"
        self.refresh()

    def refresh(self) -> None:
        body = {"action": "refresh", "resource": {"force": True}}
        task = self.service.task(self.service.post(self.provider, body)["task_id"])
        assert task["status"] == "Ok", task["message"]

    def instance(self, server: str) -> str:
        """The address of the groups of a server."""
        [found] = self.service.get(f"/api/instances?filter[]=ems_ref={server}&expand=resources")["resources"]
        return f"/api/instances/{found['id']}/security_groups"

    def change(self, groups: str, action: str, *asked: dict[str, Any]) -> list[dict[str, Any]]:
        """The tasks of a change, once they are finished."""
        answer = self.service.post(groups, {"action": action, "resources": list(asked)})
        return [self.service.task(result["task_id"]) for result in answer["results"]]

    def names(self, groups: str) -> set[str]:
        found = self.service.get(f"{groups}?expand=resources&attributes=name")["resources"]
        return {group["name"] for group in found}


def test_each_project_has_its_own_groups(
    service: Service, plane: Plane, project: Project, other: Project, third: Project
) -> None:
    refs = {one.ref: {name: one.group(name) for name in ("web", "db", "ops")} for one in (project, other, third)}
    ports = {one.ref: [one.port(refs[one.ref]["web"])] for one in (project, other, third)}
    ports[other.ref].append(other.port(refs[other.ref]["web"]))
    ports[third.ref].append(third.port(port_security_enabled=False))
    servers = {one.ref: one.server(*ports[one.ref]) for one in (project, other, third)}
    service.start()
    operator = Operator(service, plane)

    for one in (project, other, third):
        groups = operator.instance(servers[one.ref])
        tasks = operator.change(groups, "add", {"name": "db"}, {"name": "no-such-group"}, {"name": "ops"})
        assert [task["status"] for task in tasks] == ["Ok", "Error", "Ok"]
        assert plane.groups_of(ports[one.ref][0]) == set(refs[one.ref].values())
        assert operator.names(groups) == {"web", "db", "ops"}
    assert plane.groups_of(ports[other.ref][1]) == set(refs[other.ref].values())
    assert plane.groups_of(ports[third.ref][1]) == set()

    groups = operator.instance(servers[other.ref])
    [task] = operator.change(groups, "remove", {"name": "db"})
    assert task["status"] == "Ok"
    assert operator.names(groups) == {"web", "ops"}

    made_since = project.group("made-since")
    [task] = operator.change(groups, "add", {"ems_ref": made_since})
    assert task["status"] == "Error"
    assert f"belongs only to {project.ref}" in task["message"]

    other.end(servers[other.ref])
    [task] = operator.change(groups, "add", {"name": "db"})
    assert task["status"] == "Error"
    assert "no longer exists" in task["message"]

    instance = groups.removesuffix("/security_groups")
    task = service.task(service.post(instance, {"action": "refresh"})["task_id"])
    assert task["message"].startswith("Instance ")
    assert not service.get(f"/api/instances?filter[]=ems_ref={servers[other.ref]}")["resources"]


class Outsider(Thread):
    """Another tool that puts a group of its own on a port and takes it off, as careful as we are, until its end.

    `lost` counts how often it did not find its group as it had left it.
    """

    def __init__(self, plane: Plane, port: str, group: str) -> None:
        super().__init__(daemon=True)
        self.plane, self.port, self.group = plane, port, group
        self.rounds = self.lost = 0
        self._over = Event()

    def run(self) -> None:
        while not self._over.wait(PAUSE):
            self._toggle(self.rounds % 2 == 0)
            self.rounds += 1

    def has_fewer_than(self, rounds: int) -> bool:
        """Whether it is still about to have so many."""
        return self.rounds < rounds and self.is_alive()

    def end(self) -> None:
        self._over.set()
        self.join(timeout=60)

    def _toggle(self, on: bool) -> None:
        outdated = True
        while outdated:
            port = self.plane.port(self.port)
            held = set(port["security_groups"])
            self.lost += (self.group in held) == on
            wanted = held | {self.group} if on else held - {self.group}
            guard = {"If-Match": f"revision_number={port['revision_number']}"}
            body = {"port": {"security_groups": sorted(wanted)}}
            answer = self.plane.sdk.network.put(f"/ports/{self.port}", json=body, headers=guard)
            outdated = answer.status_code == HTTPStatus.PRECONDITION_FAILED


def test_eight_clients_lose_nothing(service: Service, plane: Plane, project: Project) -> None:
    """Each adds and removes a group of its own, again and again, on the same server, and so does another tool."""
    web = project.group("web")
    own = {f"own-{number}": project.group(f"own-{number}") for number in range(CLIENTS)}
    port = project.port(web)
    server = project.server(port)
    service.start()
    operator = Operator(service, plane)
    groups = operator.instance(server)

    def client(name: str, rounds: int, beside: Outsider | None = None) -> int:
        """So many rounds, and two more at a time until another tool has had more than that."""
        lost = number = 0
        while number < rounds or (beside and (number % 2 or beside.has_fewer_than(rounds + 1))):
            adding = number % 2 == 0
            [task] = operator.change(groups, "add" if adding else "remove", {"name": name})
            lost += task["status"] != "Ok" or (name in task["context_data"]["after"]) != adding
            number += 1
        return lost

    with ThreadPoolExecutor(CLIENTS) as clients:
        assert sum(clients.map(client, own, [1] * CLIENTS)) == 0
        assert plane.groups_of(port) == {web, *own.values()}
        outsider = Outsider(plane, port, project.group("outside"))
        outsider.start()
        assert sum(clients.map(client, own, [ROUNDS] * CLIENTS, [outsider] * CLIENTS)) == 0
    outsider.end()
    assert (outsider.lost, outsider.rounds > ROUNDS) == (0, True)
    assert plane.groups_of(port) == {web} | ({outsider.group} if outsider.rounds % 2 else set())
    service.task(service.post(groups.removesuffix("/security_groups"), {"action": "refresh"})["task_id"])
    assert operator.names(groups) == {"web"} | ({"outside"} if outsider.rounds % 2 else set())
