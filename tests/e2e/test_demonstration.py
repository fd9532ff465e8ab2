"""The demonstration: the commands that it prints, and what the README says of it."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.e2e.installation import installation
from tests.e2e.service import Service, until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with the demonstration, which tests only read."""
    with installation(tmp_path_factory.mktemp("shop")) as service:
        service.arguments = ("--demo",)
        service.start()
        printed_commands(service)
        yield service


@pytest.mark.parametrize(
    ("source", "target", "port", "verdict"),
    [
        ("internet", "production-migration-1", 22, "allowed"),
        ("production-migration-1", "production-db-1", 5432, "allowed"),
        ("internet", "staging-search-1", 9200, "allowed"),  # in two halves
        ("internet", "production-db-1", 5432, "blocked"),
        ("production-web-1", "production-db-1", 5432, "blocked"),
        ("operations-bastion-1", "production-web-1", 22, "allowed"),  # in a peered network
    ],
)
def test_the_demonstration_tells_what_the_readme_says(
    shop: Service, source: str, target: str, port: int, verdict: str
) -> None:
    sides = "&".join(f"{name}={side(shop, value)}" for name, value in [("from", source), ("to", target)])
    assert shop.get(f"/api/reachability?{sides}&protocol=tcp&port={port}")["verdict"] == verdict


def test_the_demonstration_has_a_forgotten_group_and_load_balancers(shop: Service) -> None:
    unused = shop.get("/api/security_groups?unused=true&expand=resources")["resources"]
    assert {group["name"] for group in unused} == {"old-shop", "ssh-from-office"}
    balancers = shop.get(
        "/api/network_ports?device_owner=network_load_balancer&expand=resources&attributes=public_ipaddresses,"
        "requester_managed,device_id"
    )["resources"]
    assert [(one["requester_managed"], one["device_id"]) for one in balancers] == [(True, None)] * 3
    assert all(one["public_ipaddresses"] for one in balancers)
    [offices] = shop.get("/api/address_lists?expand=resources&attributes=name,entries")["resources"]
    assert (offices["name"], len(offices["entries"])) == ("offices", 3)


def side(service: Service, name: str) -> str:
    """A side of a question about reachability."""
    if name == "internet":
        return name
    [instance] = service.get(f"/api/instances?name={name}&expand=resources")["resources"]
    return f"instances/{instance['id']}"


@pytest.mark.skipif(not shutil.which("curl"), reason="runs the printed commands, which are curl's")
def test_the_commands_that_the_demonstration_prints_work_also_after_a_restart(service: Service) -> None:
    service.arguments = ("--demo",)
    service.start()
    listing, adding, watching = printed_commands(service)
    assert '"name":"web"' in run(listing)
    assert '"success":true' in run(adding)
    watched = until(lambda: finished(run(watching)), seconds=60)
    assert '"status":"Ok"' in watched, watched
    assert '"name":"ssh-from-office"' in run(listing)

    service.signal(signal.SIGTERM)
    service.start(port=service.port)
    printed_commands(service)

    assert '"name":"web"' in run(listing)
    assert "could not be read" not in service.complaints()


def printed_commands(service: Service) -> list[str]:
    """The three commands, once they are printed."""

    def commands() -> list[str] | None:
        lines = [line.strip() for line in service.output().splitlines() if line.startswith("  curl")]
        return lines if len(lines) == 3 else None

    return until(commands, seconds=60)


def finished(tasks: str) -> str | None:
    return tasks if '"state":"Finished"' in tasks else None


def run(command: str) -> str:
    return subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60, check=True
    ).stdout
