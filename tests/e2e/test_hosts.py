"""An installation on several hosts, as `deploy/` describes it: its units, PgBouncer, PostgreSQL and RabbitMQ."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any
from unittest.mock import ANY
from urllib.error import HTTPError

import pytest
from cryptography.fernet import Fernet
from django.core.management.utils import get_random_secret_key

from tests.e2e import units
from tests.e2e.bad_clients import KINDS, bad_clients, ping
from tests.e2e.network import Host, hosts
from tests.e2e.service import PASSWORD, USER, Service, clean_environment, until
from tests.e2e.test_standalone import connect, interfaces
from tests.live.ec2 import Cast
from tests.live.faults import FaultProxy, running
from tests.servers import LOOPBACK, Nginx, PgBouncer, PostgreSQL, RabbitMQ, free_port

pytestmark = pytest.mark.hosts

GROUPS = [f"group-{number}" for number in range(5)]


class Unit:
    """A unit of `deploy/systemd` on a host, which is started again when it is asked for."""

    def __init__(
        self, name: str, host: Host, environment: dict[str, str], folder: Path, instance: str = ""
    ) -> None:
        self.host = host
        self._environment = environment | {"PORTCULLIS_VAR": str(folder)}
        self._command = [*host.enter, *units.command(name, environment, instance)]
        self._log = folder.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                cwd=Path(__file__).parents[2],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def signal(self, number: signal.Signals) -> None:
        assert self._process
        os.kill(self._process.pid, number)

    def wait_for(self, words: str) -> None:
        """Until its log says so."""
        until(lambda: words in self._log.read_text())

    def ended(self, *, within: float) -> int:
        """Its exit status, which it must have within so many seconds."""
        assert self._process
        return self._process.wait(timeout=within)

    def cut_off(self) -> None:
        """Let it reach nobody."""
        if self.host.link:
            self.host.cut_off()
        else:
            self.signal(signal.SIGSTOP)

    def reconnect(self) -> None:
        if self.host.link:
            self.host.reconnect()
        else:
            self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """With everything that it started."""
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class Site:
    """One web host, two worker hosts, and a cloud that all of them reach."""

    def __init__(self, service: Service, workers: list[Unit], others: list[Unit], cloud: FaultProxy) -> None:
        self.service, self.workers, self.others, self.cloud = service, workers, others, cloud

    @property
    def units(self) -> list[Unit]:
        return [*self.workers, *self.others]

    def connect(self) -> list[str]:
        """Connect the cloud; the paths of its instances' groups."""
        provider = connect(self.service, self.cloud.url)
        instances = self.service.get(f"{provider}/instances?expand=resources")["resources"]
        return [f"/api/instances/{one['id']}/security_groups" for one in instances]

    def add(self, paths: list[str], *names: str) -> list[str]:
        """The ids of the tasks that add these groups everywhere."""
        body = {"action": "add", "resources": [{"name": name} for name in names]}
        return [result["task_id"] for path in paths for result in self.service.post(path, body)["results"]]

    def outcomes(self, tasks: list[str], seconds: float = 90) -> set[str]:
        """How these ended, all within so many seconds."""

        def ends() -> set[str] | None:
            found = [self.service.get(f"/api/tasks/{task}") for task in tasks]
            finished = all(task["state"] == "Finished" for task in found)
            return {task["status"] for task in found} if finished else None

        return until(ends, seconds=seconds)


@pytest.fixture
def site(ec2_url: str, ec2_api: Any) -> Iterator[Site]:
    cast = Cast(ec2_api)
    for name in GROUPS:
        cast.group(name)
    for number in range(6):
        cast.instance(cast.web, name=f"server-{number}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True)))
        folder.chmod(0o711)  # PostgreSQL is another user
        here, (web_host, *worker_hosts) = stack.enter_context(hosts(3))
        postgresql, rabbitmq = PostgreSQL(folder, here), RabbitMQ(folder, here)
        for server in (postgresql, pgbouncer := PgBouncer(folder, postgresql), rabbitmq):
            stack.callback(server.end)
            server.start()
        web = f"{LOOPBACK}:{free_port()}"
        nginx = Nginx(folder, web, web_host.enter, web_host.address)
        environment = clean_environment(
            **units.example_environment()
            | pgbouncer.environment
            | rabbitmq.environment
            | {
                "SECRET_KEY": get_random_secret_key(),
                "CREDENTIALS_KEY": Fernet.generate_key().decode(),
                "ALLOWED_HOSTS": web_host.address,
                "WEB_BIND": web,
                "DJANGO_SUPERUSER_USERNAME": USER,
                "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
            }
        )
        service = Service(folder, environment | {"PORTCULLIS_VAR": str(folder / "admin")})
        service.manage("migrate", "--verbosity=0")
        service.manage("createsuperuser", "--no-input", "--email=admin@example.org")
        service.url = f"https://{web_host.address}:{nginx.port}"
        service.certificate = nginx.certificate
        others = [
            Unit("portcullis-web.service", web_host, environment, folder / "web"),
            Unit("portcullis-scheduler.service", web_host, environment, folder / "scheduler"),
        ]
        workers = [
            Unit("portcullis-worker@.service", host, environment, folder / f"worker-{number}", str(number))
            for number, host in enumerate(worker_hosts)
        ]
        cloud = stack.enter_context(running(FaultProxy(ec2_url), host=here))
        for unit in (*workers, *others):
            stack.callback(unit.kill)
            unit.start()
        stack.callback(nginx.end)
        nginx.start()
        until(lambda: _answers(service))
        yield Site(service, workers, others, cloud)


def _answers(service: Service) -> bool:
    try:
        return bool(service.get("/api/ping", raw=True) == "pong")
    except OSError:
        return False


@contextmanager
def held(cloud: FaultProxy, action: str) -> Iterator[Event]:
    """The next call of an action is not answered before the end; the event says that it has come."""
    arrived, over = Event(), Event()

    def hold() -> None:
        arrived.set()
        over.wait(120)

    cloud.meanwhile(action, hold)
    try:
        yield arrived
    finally:
        over.set()


def test_everything_killed_and_started_again_finishes_what_was_accepted(site: Site, ec2_api: Any) -> None:
    paths = site.connect()
    with held(site.cloud, "ModifyNetworkInterfaceAttribute") as arrived:
        tasks = site.add(paths, *GROUPS[:3])
        assert arrived.wait(30)
        for unit in site.units:
            unit.kill()
    for unit in site.units:
        unit.start()
    until(lambda: _answers(site.service))
    assert site.outcomes(tasks, seconds=60) == {"Ok"}
    assert interfaces(ec2_api) == [{"web", *GROUPS[:3]}] * 6


def test_a_worker_host_that_is_cut_off_is_replaced_and_writes_nothing_afterwards(site: Site) -> None:
    [path, *_] = site.connect()
    cut_off, replacing = site.workers
    replacing.kill()
    with held(site.cloud, "DescribeNetworkInterfaces") as arrived:
        first = site.add([path], GROUPS[0])
        assert arrived.wait(30)
        cut_off.cut_off()
        replacing.start()
        assert site.outcomes(first) == {"Ok"}
        assert site.outcomes(site.add([path], GROUPS[1])) == {"Ok"}
    writes = site.cloud.count("ModifyNetworkInterfaceAttribute")
    cut_off.reconnect()
    assert site.outcomes(site.add([path], GROUPS[2])) == {"Ok"}
    assert site.cloud.count("ModifyNetworkInterfaceAttribute") == writes + 1


@pytest.mark.parametrize(("again", "seconds"), [(False, 25), (True, 5)])
def test_a_worker_that_is_to_stop_does_not_wait_for_a_cloud_that_says_nothing(
    site: Site, again: bool, seconds: float
) -> None:
    """It ends in time; asked again it ends at once. What it left is done by the next."""
    [path, *_] = site.connect()
    worker, other = site.workers
    other.kill()
    with held(site.cloud, "ModifyNetworkInterfaceAttribute") as arrived:
        tasks = site.add([path], GROUPS[0])
        assert arrived.wait(30)
        worker.signal(signal.SIGTERM)
        if again:
            worker.wait_for("Warm shutdown")
            worker.signal(signal.SIGTERM)
        assert worker.ended(within=seconds) == 0
    other.start()
    assert site.outcomes(tasks) == {"Ok"}


def test_addresses_are_those_of_the_proxy(site: Site) -> None:
    assert site.service.get("/api")["collections"][0]["href"].startswith(f"{site.service.url}/api/")


def test_others_are_answered_beside_clients_that_never_come_to_an_end(site: Site) -> None:
    url, certificate = site.service.url, site.service.certificate
    for kind in KINDS:
        with bad_clients(url, kind, 500, certificate):
            assert [ping(url, seconds=10, certificate=certificate) for _ in range(5)] == ["pong"] * 5, kind


def test_metrics_are_read_on_the_host_and_probes_through_the_proxy(site: Site) -> None:
    with pytest.raises(HTTPError, match="404"):
        site.service.get("/metrics", raw=True)
    assert site.service.get("/readyz") == {"status": "ready", "database": "ok", "broker": ANY}
    web, _ = site.others
    asking = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())"
    asked = [sys.executable, "-c", asking, f"http://{site.service.environment['WEB_BIND']}/metrics"]
    counted = 'portcullis_request_duration_seconds_count{method="GET",route="/api/ping",status="200"}'

    def shown() -> str | None:
        """What the web server shows there, once its processes have counted."""
        ended = subprocess.run([*web.host.enter, *asked], capture_output=True, text=True, check=True, timeout=60)
        return ended.stdout if counted in ended.stdout else None

    assert "portcullis_database_up 1.0" in until(shown)
