"""Starting and ending a control plane, with programs in the place of OpenStack that do no more than answer."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from inventory.demo.openstack import plane as planes
from inventory.demo.openstack.configuration import HOST, PORTS
from inventory.demo.openstack.plane import ControlPlane, NotUp

# The services outlive what has started them, which is what they are for.
pytestmark = [
    pytest.mark.walk,
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
]

ANSWERS = """
import sys
from http.server import HTTPServer, SimpleHTTPRequestHandler
from threading import Thread
for service in sys.argv[1:]:
    server = HTTPServer(("127.0.0.1", int(service.partition("=")[2])), SimpleHTTPRequestHandler)
    Thread(target=server.serve_forever).start()
"""
PROGRAMS = {"databases.py": "", "seed.py": "", "serve.py": ANSWERS, "compute.py": ANSWERS}
PASTES = ("neutron/api-paste.ini", "nova/api-paste.ini", "glance/glance-api-paste.ini")

#: Where the search for free ports begins: away from those by custom, and from other processes of the tests.
FIRST_PORT = 10000 + os.getpid() % 200 * 100

Programs = Callable[..., None]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Makes the programs of the control plane; the ports by custom are left to whoever runs the tests."""
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.setattr(planes, "INSIDE", inside)
    monkeypatch.setattr(planes, "PORTS", dict.fromkeys(PORTS, FIRST_PORT))

    def make(**texts: str) -> None:
        for name, text in (PROGRAMS | {f"{name}.py": text for name, text in texts.items()}).items():
            (inside / name).write_text(text)

    make()
    return make


@pytest.fixture
def plane(tmp_path: Path, programs: Programs) -> Iterator[ControlPlane]:
    """A control plane whose packages are there."""
    made = ControlPlane(tmp_path / "openstack")
    (made.venv / "bin").mkdir(parents=True)
    (made.venv / "bin" / "python").symlink_to(sys.executable)
    (made.venv / "installed").write_text(planes.REQUIREMENTS.read_text())
    for paste in PASTES:
        file = made.venv / "etc" / paste
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    yield made
    made.down()


def pids(plane: ControlPlane) -> dict[str, int]:
    return {file.stem: int(file.read_text().split()[0]) for file in (plane.state / "run").glob("*.pid")}


def ports(plane: ControlPlane) -> dict[str, int]:
    found: dict[str, int] = json.loads((plane.state / "ports.json").read_text())
    return found


def answers(port: int) -> bool:
    try:
        urlopen(f"http://{HOST}:{port}/", timeout=5).close()
    except HTTPError:
        return True
    except OSError:
        return False
    return True


def listener(port: int) -> socket.socket:
    """Somebody else."""
    return socket.create_server((HOST, port))


def test_every_service_answers_until_it_is_ended(plane: ControlPlane) -> None:
    told = plane.up()
    assert told["url"] == f"http://{HOST}:{ports(plane)['keystone']}"
    assert json.loads((plane.folder / "plane.json").read_text()) == told
    assert all(answers(port) for port in ports(plane).values())
    plane.down()
    assert not any(answers(port) for port in ports(plane).values())
    assert not pids(plane)


def test_what_runs_already_is_left_alone(plane: ControlPlane) -> None:
    told, started = plane.up(), pids(plane)
    assert ControlPlane(plane.folder).up() == told
    assert pids(plane) == started


def test_what_is_missing_is_started(plane: ControlPlane) -> None:
    plane.up()
    before = pids(plane)
    os.kill(before["image"], 9)
    os.waitpid(before["image"], 0)
    plane.up()
    after = pids(plane)
    assert {name for name in before if before[name] != after[name]} == {"image"}


def test_the_ports_stay_the_same_because_the_catalog_has_them(plane: ControlPlane) -> None:
    told = plane.up()
    plane.down()
    assert plane.up() == told


def test_it_comes_up_beside_whoever_has_a_port_by_custom(plane: ControlPlane) -> None:
    with listener(FIRST_PORT):
        plane.up()
    assert FIRST_PORT not in ports(plane).values()
    assert len(set(ports(plane).values())) == len(PORTS)


def test_who_has_taken_a_port_since_is_not_taken_for_the_service(plane: ControlPlane) -> None:
    plane.up()
    plane.down()
    port = ports(plane)["neutron"]
    with listener(port), pytest.raises(NotUp, match=f"{port} is where neutron belongs"):
        plane.up()


def test_a_service_that_ends_is_told_with_its_last_words(plane: ControlPlane, programs: Programs) -> None:
    programs(compute="raise SystemExit('no hypervisor')")
    with pytest.raises(NotUp, match=r"(?s)What was to answer at .* has ended.*no hypervisor"):
        plane.up()


def test_a_step_that_fails_is_told_with_its_last_words_and_done_the_next_time(
    plane: ControlPlane, programs: Programs
) -> None:
    programs(databases="raise SystemExit('no room')")
    with pytest.raises(NotUp, match=r"(?s)The database of keystone could not be made.*no room"):
        plane.up()
    programs()
    plane.up()


def test_nothing_goes_on_after_a_step_that_takes_too_long(
    plane: ControlPlane, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawned: list[subprocess.Popen[bytes]] = []
    spawn = plane._spawn

    def spy(name: str, arguments: list[str]) -> subprocess.Popen[bytes]:
        spawned.append(spawn(name, arguments))
        return spawned[-1]

    monkeypatch.setattr(plane, "_spawn", spy)
    monkeypatch.setattr(planes, "TIMEOUT", 0.1)
    programs(databases="import time; time.sleep(600)")
    with pytest.raises(NotUp, match="The database of keystone could not be made"):
        plane.up()
    assert len(spawned) == len(planes.DATABASES)
    assert all(process.returncode for process in spawned)


def test_packages_that_take_too_long_are_told(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    (plane.venv / "installed").write_text("others")
    monkeypatch.setattr(planes, "INSTALLING", 0.001)
    with pytest.raises(NotUp, match=r"-m venv .* failed"):
        plane.up()


def test_a_process_that_has_the_number_of_one_that_is_gone_is_left_alone(plane: ControlPlane) -> None:
    plane.up()
    file = plane.state / "run" / "image.pid"
    (pid, born), text = file.read_text().split(), file.read_text()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        file.write_text(f"{stranger.pid} {born}")
        plane.down()
        assert stranger.poll() is None
        stranger.kill()
    file.write_text(text)
    plane.down()
    assert not Path(f"/proc/{pid}/cmdline").read_text()


def test_a_wiped_one_has_only_its_packages(plane: ControlPlane) -> None:
    plane.up()
    plane.wipe()
    assert [path.name for path in plane.folder.iterdir()] == ["venv"]
