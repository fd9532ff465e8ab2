"""The whole service in one command, with a real worker, a real broker and an EC2 endpoint."""

from __future__ import annotations

import json
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor, as_completed
from http import HTTPStatus
from itertools import count, islice
from threading import Event
from typing import Any
from urllib.error import HTTPError

import pytest
from cryptography.fernet import Fernet
from django.conf import settings

from tests.e2e.bad_clients import KINDS, bad_clients, ping
from tests.e2e.receiver import Receiver
from tests.e2e.service import Service, running, until
from tests.live.ec2 import Cast
from tests.live.faults import FaultProxy

pytestmark = pytest.mark.e2e


def connect(service: Service, url: str) -> str:
    """Connect the endpoint as a provider and have its inventory read; returns the provider's path."""
    [provider] = service.post(
        "/api/providers",
        {
            "name": "cloud",
            "type": "amazon",
            "provider_region": "us-east-1",
            "url": url,
            "credentials": {"userid": "AKIDTEST", "password": "secret"},
        },
    )["results"]
    path = f"/api/providers/{provider['id']}"
    task = service.task(service.post(path, {"action": "refresh"})["task_id"])
    assert task["status"] == "Ok", task["message"]
    return path


def groups_path(service: Service, provider: str) -> str:
    [instance] = service.get(f"{provider}/instances?expand=resources")["resources"]
    return f"/api/instances/{instance['id']}/security_groups"


def interfaces(api: Any) -> list[set[str]]:
    """The names of the groups on each interface, as the cloud has them."""
    found = api.describe_network_interfaces()["NetworkInterfaces"]
    return [{group["GroupName"] for group in one["Groups"]} for one in found]


def test_groups_are_added_to_every_interface_of_an_instance(service: Service, ec2_url: str, ec2_api: Any) -> None:
    cloud = Cast(ec2_api)
    for name in ("mail", "cache", "queue"):
        cloud.group(name)
    cloud.instance(cloud.web, interfaces=2)
    service.start()
    groups = groups_path(service, connect(service, ec2_url))

    names = ["db", "mail", "nonsense", "cache", "queue"]
    answer = service.post(groups, {"action": "add", "resources": [{"name": name} for name in names]})
    tasks = [service.task(result["task_id"]) for result in answer["results"]]

    assert [task["status"] for task in tasks] == ["Ok", "Ok", "Error", "Ok", "Ok"]
    assert interfaces(ec2_api) == [{"web", "db", "mail", "cache", "queue"}] * 2
    known = service.get(f"{groups}?expand=resources")["resources"]
    assert {group["name"] for group in known} == {"web", "db", "mail", "cache", "queue"}


def test_it_serves_the_admin_and_its_static_files(service: Service) -> None:
    service.start()

    assert "Log in" in service.get("/admin/login/", raw=True)
    assert service.get("/static/admin/css/base.css", raw=True)
    assert "rest_framework" in service.get("/login/", raw=True)


def test_it_ends_everything_it_started_on_sigterm(service: Service) -> None:
    service.start()
    assert len(service.children()) == 3

    assert service.signal(signal.SIGTERM) == 0

    assert service.complaints() == ""


def test_it_ends_everything_it_started_on_ctrl_c(service: Service) -> None:
    service.start()

    assert service.signal(signal.SIGINT) == 0


def test_when_it_is_killed_everything_ends_and_the_next_start_finishes_what_was_queued(
    service: Service, ec2_url: str, ec2_api: Any
) -> None:
    cloud = Cast(ec2_api)
    cloud.instance(cloud.web)
    service.start()
    groups = groups_path(service, connect(service, ec2_url))
    worker = until(service.worker)
    os.kill(worker.pid, signal.SIGSTOP)
    [queued] = service.post(groups, {"action": "add", "resources": [{"name": "db"}]})["results"]

    killed = service.group
    service.kill()
    service.start(port=service.port)  # at once: it waits for the last process of the one before

    assert not running(killed)
    assert service.task(queued["task_id"])["status"] == "Ok"
    assert interfaces(ec2_api) == [{"web", "db"}]


def test_what_a_worker_waited_for_when_it_was_stopped_is_done_by_the_next(
    service: Service, ec2_proxy: FaultProxy, ec2_api: Any
) -> None:
    cloud = Cast(ec2_api)
    cloud.instance(cloud.web)
    service.start()
    groups = groups_path(service, connect(service, ec2_proxy.url))
    for _ in range(100):
        ec2_proxy.refuse("ModifyNetworkInterfaceAttribute", "RequestLimitExceeded", status=503)
    [queued] = service.post(groups, {"action": "add", "resources": [{"name": "db"}]})["results"]
    waiting = "Attempt 5 failed, the next is at "
    until(lambda: service.get(f"/api/tasks/{queued['task_id']}")["message"].startswith(waiting) or None)

    assert service.signal(signal.SIGTERM) == 0
    leases = "from inventory.models import Lease; print(Lease.objects.count())"
    assert service.manage("shell", "--no-imports", "-c", leases).stdout.strip() == "0"

    ec2_proxy.relent("ModifyNetworkInterfaceAttribute")
    service.start(port=service.port)
    assert service.task(queued["task_id"])["status"] == "Ok"
    assert interfaces(ec2_api) == [{"web", "db"}]


def test_when_it_is_killed_everything_ends_without_a_next_start_too(service: Service) -> None:
    service.start()

    service.signal(signal.SIGKILL)


def test_a_part_that_dies_is_started_again(service: Service) -> None:
    service.start()
    worker = until(service.worker)

    os.kill(worker.pid, signal.SIGKILL)

    until(lambda: (again := service.worker()) and again.pid != worker.pid)
    assert "The worker ended (signal 9). It restarts in 1 s." in service.complaints()


def test_clouds_that_never_answer_take_a_quarter_of_the_threads(service: Service) -> None:
    """Two processes have eight threads each, so of 16 tests at most four are waited for."""
    service.start()
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent, ThreadPoolExecutor(16) as pool:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        cloud = {"type": "amazon", "url": url, "credentials": {"userid": "AKIDTEST", "password": "secret"}}
        tests = [pool.submit(refused, service, cloud) for _ in range(16)]
        done = [test.result() for test in islice(as_completed(tests, timeout=30), 12)]

        assert [ping(service.url, seconds=5) for _ in range(8)] == ["pong"] * 8
        assert not all(test.done() for test in tests)
        assert done == [(HTTPStatus.TOO_MANY_REQUESTS, "15")] * 12


def test_a_flood_of_wrong_passwords_keeps_nobody_waiting_who_is_logged_in(service: Service) -> None:
    """Each of another user, without a limit for the address: all that could be hashed at a time would be."""
    service.environment = {**service.environment, "LOGIN_ADDRESS_FAILURES": "1000000"}
    service.start()
    token = service.get("/api/auth")["auth_token"]
    end = Event()

    def flood(client: int) -> set[int]:
        statuses = set()
        for attempt in count():
            statuses.add(service.status("/api", user=f"user {client} {attempt}", password="wrong"))
            if end.is_set():
                return statuses
        raise AssertionError

    with ThreadPoolExecutor(16) as pool:
        clients = [pool.submit(flood, client) for client in range(16)]
        try:
            assert {service.status("/api", token=token) for _ in range(50)} == {HTTPStatus.OK}
            assert not any(client.done() for client in clients)
        finally:
            end.set()
        statuses = set[int]().union(*(client.result() for client in clients))
    assert statuses == {HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS}


def refused(service: Service, cloud: dict[str, Any]) -> tuple[int, str | None]:
    """The status and the `Retry-After` of a test of this cloud, which does not succeed."""
    with pytest.raises(HTTPError) as error:
        service.post("/api/providers", {"action": "verify_credentials", "resource": cloud})
    with error.value as answer:
        return answer.code, answer.headers["Retry-After"]


def test_it_refuses_a_port_that_is_taken(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert f"port {port}: Address already in use" in service.refusal(f"--port={port}")


def test_it_refuses_a_database_that_can_not_be_reached(service: Service) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"postgres://nobody@127.0.0.1:{closed.getsockname()[1]}/nothing"

        assert "Can't use the database nothing: " in service.refusal(DATABASE_URL=url)


def test_it_refuses_a_database_url_that_means_nothing(service: Service) -> None:
    assert "DATABASE_URL" in service.refusal(DATABASE_URL="nonsense")


@pytest.mark.parametrize(
    ("name", "value"),
    [("CLOUD_REFUSED_NETWORKS", "private,intranet"), ("CLOUD_ALLOWED_NETWORKS", "169.254.169.254")],
)
def test_it_refuses_networks_that_are_none_or_never_allowed(service: Service, name: str, value: str) -> None:
    refusal = service.refusal(**{name: value})

    assert refusal.startswith("Portcullis is not configured: CLOUD_REFUSED_NETWORKS or CLOUD_ALLOWED_NETWORKS")
    assert value.rpartition(",")[2] in refusal


def test_it_refuses_to_start_twice_in_one_folder(service: Service) -> None:
    service.start()

    assert "already runs the service" in service.refusal()


def test_it_refuses_stored_credentials_that_it_has_no_key_for(service: Service) -> None:
    service.manage("migrate", "--verbosity=0")
    create = "from inventory.models import Provider; Provider.objects.create(name='cloud', vendor='other')"
    service.manage("shell", "-c", create)

    refusal = service.refusal(CREDENTIALS_KEY=Fernet.generate_key().decode())

    assert "CREDENTIALS_KEY is wrong: it decrypts no stored credentials (of cloud)" in refusal


def test_it_refuses_a_key_for_credentials_that_is_none(service: Service) -> None:
    ended = service.manage("standalone", "--port=0", check=False, CREDENTIALS_KEY="short")

    assert ended.returncode != 0
    assert "CREDENTIALS_KEY is invalid" in ended.stderr


def test_it_shows_pages_for_debugging_to_this_host_alone(service: Service) -> None:
    assert "DEBUG is on" in service.refusal("--host=0.0.0.0", DEBUG="true")

    service.environment = {**service.environment, "DEBUG": "true"}
    service.start()


def test_it_answers_beside_clients_that_never_come_to_an_end(service: Service) -> None:
    service.start()
    for kind in KINDS:
        with bad_clients(service.url, kind, 500):
            assert [ping(service.url, seconds=10) for _ in range(5)] == ["pong"] * 5, kind


def test_bodies_in_chunks_are_read_like_others(service: Service) -> None:
    service.start()
    part = b'--b\r\nContent-Disposition: form-data; name="action"\r\n\r\nrefresh\r\n--b--\r\n'
    half = b"x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 2)
    json, form = "application/json", "multipart/form-data; boundary=b"

    assert service.post_chunks("/api/tasks", json, b'{"action": "que', b'ry", "resources": [{"id": 0}]}') == (
        HTTPStatus.OK,
        {"results": [{"success": False, "message": "Couldn't find Task with 'id'=0"}]},
    )
    status, answer = service.post_chunks("/api/tasks", json)
    assert (status, answer["error"]["message"]) == (HTTPStatus.BAD_REQUEST, "The request must have a body")
    status, answer = service.post_chunks("/api/tasks", json, half, half, b"x")
    assert (status, answer["error"]["kind"]) == (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "payload_too_large")
    status, answer = service.post_chunks("/api/providers/0", form, part[:20], part[20:])
    assert (status, answer["error"]["message"]) == (HTTPStatus.NOT_FOUND, "Couldn't find Provider with 'id'=0")


def test_its_metrics_are_those_of_all_processes_and_its_log_is_json_if_asked(
    service: Service, ec2_url: str, ec2_api: Any
) -> None:
    service.environment = {**service.environment, "LOG_FORMAT": "json"}
    service.start()
    connect(service, ec2_url)
    finished = 'portcullis_tasks_finished_total{kind="providers",provider="cloud",result="Ok",vendor="amazon"}'
    asked = 'portcullis_request_duration_seconds_count{method="POST",route="/api/providers",status="200"} 1.0'

    def shown() -> str | None:
        metrics: str = service.get("/metrics", raw=True)
        return metrics if finished in metrics and asked in metrics else None

    metrics = until(shown)
    assert 'portcullis_cloud_calls_total{action="describe_network_interfaces",outcome="ok"' in metrics
    assert "portcullis_database_up 1.0" in metrics
    until(lambda: service.get("/readyz") == {"status": "ready", "database": "ok", "broker": "ok"} or None)

    service.signal(signal.SIGTERM)
    lines = [json.loads(line) for line in service.complaints().splitlines()]
    asked_of = {(line.get("route"), line.get("status"), line.get("user")) for line in lines}
    assert ("/api/providers", HTTPStatus.OK, "admin") in asked_of
    assert not {"/readyz", "/metrics"} & {route for route, *_ in asked_of}

    service.start()
    assert finished not in service.get("/metrics", raw=True)


def test_a_trace_leads_from_a_request_to_the_cloud(service: Service, ec2_url: str, ec2_api: Any) -> None:
    with Receiver() as receiver:
        service.environment = {**service.environment, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
        service.start()
        connect(service, ec2_url)

        def traced() -> set[str] | None:
            """The names of spans of the trace that began with the request and reached the cloud."""
            for names in receiver.traces().values():
                if any(name.startswith("POST ") for name in names) and any("amazon" in name for name in names):
                    return names
            return None

        names = until(traced)
        service.signal(signal.SIGTERM)
    assert {"run providers", "INSERT", "SELECT", "apply_async/inventory.tasks.work"} <= names
    assert "run/inventory.tasks.work" in names
