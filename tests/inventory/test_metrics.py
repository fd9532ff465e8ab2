"""What is counted, what the database knows, and who may read it."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from environ import Env
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from inventory import runner
from inventory.drivers.exceptions import (
    AnswerTooLarge,
    CloudUnavailable,
    CredentialsRefused,
    ForeignAnswer,
    GroupNotFound,
    NotAllowed,
    Throttled,
)
from inventory.leases import LeaseLost, hold_lease
from inventory.metrics import logins_refused, worker
from inventory.metrics.requests import Requests, requests
from inventory.metrics.state import MAX_TASKS
from inventory.models import EventStream, Provider, Task
from inventory.rate_limit import RateLimited, SharedRateLimiter
from inventory.services import finish
from settings.checked import networks, number, secret
from tests import cast as actors
from tests.cast import Cast

TOKEN = "a-token-of-prometheus"
FAR = {"REMOTE_ADDR": "203.0.113.9"}


def read(client: Client, **environ: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample, by its name and labels."""
    answer = client.get("/metrics", **environ)
    assert answer.status_code == 200, answer.content
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def value(name: str, **labels: str) -> float:
    requests.count()
    return REGISTRY.get_sample_value(f"portcullis_{name}", labels) or 0


class Counting:
    """How much a sample grew since this was made."""

    def __init__(self, name: str, **labels: str) -> None:
        self._sample = name, labels
        self._before = value(name, **labels)

    @property
    def grown(self) -> float:
        return value(self._sample[0], **self._sample[1]) - self._before


class TestAccess:
    """By default to clients on the same host."""

    @pytest.mark.parametrize("address", ["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"])
    def test_it_answers_those_on_the_same_host(self, db: None, client: Client, address: str) -> None:
        answer = client.get("/metrics", REMOTE_ADDR=address, headers={"host": "10.1.2.3"})
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")

    @pytest.mark.parametrize("address", ["203.0.113.9", "2001:db8::1", "::ffff:203.0.113.9", "", "localhost"])
    def test_for_others_it_is_as_any_unknown_address(self, db: None, client: Client, address: str) -> None:
        answer, unknown = (client.get(path, REMOTE_ADDR=address) for path in ("/metrics", "/nothing"))
        assert (answer.status_code, answer.content) == (404, unknown.content)
        assert set(answer.headers) == set(unknown.headers)

    def test_it_answers_networks_of_the_settings_alone(self, db: None, client: Client, settings: Any) -> None:
        settings.METRICS_ALLOW_IPS = [ip_network("203.0.113.0/24")]
        assert client.get("/metrics", **FAR).status_code == 200
        assert client.get("/metrics").status_code == 404

    @pytest.mark.parametrize(
        ("header", "status"),
        [
            (f"Bearer {TOKEN}", 200),
            (f"bearer  {TOKEN}", 200),
            (f"Bearer {TOKEN}x", 404),
            ("Bearer", 404),
            ("Bearer ä", 404),
            (f"Basic {TOKEN}", 404),
            (TOKEN, 404),
        ],
    )
    def test_it_answers_who_has_the_token(
        self, db: None, client: Client, settings: Any, header: str, status: int
    ) -> None:
        settings.METRICS_TOKEN = TOKEN
        assert client.get("/metrics", **FAR, headers={"Authorization": header}).status_code == status

    def test_without_a_token_in_the_settings_none_is_right(self, db: None, client: Client) -> None:
        assert client.get("/metrics", **FAR, headers={"Authorization": "Bearer "}).status_code == 404

    def test_it_reads_and_nothing_else(self, db: None, client: Client) -> None:
        assert client.head("/metrics").status_code == 200
        assert client.post("/metrics").status_code == 404


class TestRequests:
    @pytest.mark.parametrize(
        ("method", "path", "labels"),
        [
            ("GET", "/api/ping", ("/api/ping", "GET", "200")),
            ("GET", "/api/instances/7", ("/api/instances/<pk>", "GET", "401")),
            ("GET", "/one", ("none", "GET", "404")),
            ("GET", "/another/one", ("none", "GET", "404")),
            ("BREW", "/api/ping", ("/api/ping", "other", "400")),
        ],
    )
    def test_they_are_counted_by_route_method_and_status(
        self, db: None, client: Client, method: str, path: str, labels: Sequence[str]
    ) -> None:
        named = dict(zip(("route", "method", "status"), labels, strict=True))
        counting = Counting("request_duration_seconds_count", **named)
        client.generic(method, path)
        assert counting.grown == 1

    def test_probes_are_not(self, db: None, client: Client) -> None:
        def total() -> float:
            return sum(
                value for (name, _), value in read(client).items() if name.endswith("duration_seconds_count")
            )

        before = total()
        client.get("/healthz")
        client.get("/readyz")
        assert total() == before

    def test_they_are_counted_by_a_thread_without_a_scrape(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) > 1:
                raise SystemExit  # which ends the thread

        counting = Counting("request_duration_seconds_count", route="thread", method="GET", status="200")
        noted = Requests()
        monkeypatch.setattr(noted, "_ended", SimpleNamespace(wait=sleep))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("inventory.metrics.requests.Thread", Now)
            noted.note(("thread", "GET", 200, 0.1))
        assert counting.grown == 1

    def test_a_file_that_can_not_be_written_is_logged_and_tried_again(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) > 2:
                raise SystemExit

        def fail() -> None:
            raise OSError(28)

        noted = Requests()
        monkeypatch.setattr(noted, "_ended", SimpleNamespace(wait=sleep))
        monkeypatch.setattr(noted, "count", fail)
        monkeypatch.setattr("inventory.metrics.requests.Thread", Now)
        noted.note(("thread", "GET", 200, 0.1))
        assert [record.message for record in caplog.records] == ["Requests could not be counted"] * 2


class Now:
    """A thread that runs at once."""

    def __init__(self, target: Any, **named: Any) -> None:
        self._target = target

    def start(self) -> None:
        with pytest.raises(SystemExit):
            self._target()


def end_as_named(tasks: Sequence[Task], lease: Any) -> None:
    for task in tasks:
        finish(task, Task.Status(task.name), "Done.")


class TestTasks:
    @pytest.fixture(autouse=True)
    def handler(self, db: None, settings: Any) -> None:
        settings.TASK_HANDLERS = {"things": f"{__name__}.end_as_named"}

    def test_they_are_counted_by_result_and_cloud(
        self, cast: Cast, django_capture_on_commit_callbacks: Any
    ) -> None:
        labels = {"vendor": "amazon", "provider": "acme", "kind": "things"}
        errors, good = (Counting("tasks_finished_total", **labels, result=one) for one in ("Error", "Ok"))
        for result in ("Error", "Ok", "Error"):
            Task.objects.create(name=result, message="", queue="things/1", provider=cast.acme)
        with django_capture_on_commit_callbacks(execute=True):
            runner.run_queue("things/1")
        assert (errors.grown, good.grown) == (2, 1)

    def test_those_without_a_provider_are_of_none(self, django_capture_on_commit_callbacks: Any) -> None:
        counting = Counting("tasks_finished_total", vendor="none", provider="none", kind="things", result="Ok")
        Task.objects.create(name="Ok", message="", queue="things/1")
        with django_capture_on_commit_callbacks(execute=True):
            runner.run_queue("things/1")
        assert counting.grown == 1

    def test_what_is_rolled_back_is_not_counted(self, django_capture_on_commit_callbacks: Any) -> None:
        counting = Counting("tasks_finished_total", vendor="none", provider="none", kind="things", result="Ok")
        Task.objects.create(name="Ok", message="", queue="things/1")
        with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
            runner.run_queue("things/1")
            transaction.set_rollback(True)
        assert counting.grown == 0


class TestCloudCalls:
    @pytest.mark.parametrize(
        ("error", "outcome"),
        [
            (None, "ok"),
            (Throttled("slowly"), "throttled"),
            (CloudUnavailable("gone"), "unavailable"),
            (ForeignAnswer("a page"), "unavailable"),
            (CredentialsRefused("who?"), "denied"),
            (NotAllowed("no"), "denied"),
            (AnswerTooLarge("too much"), "unusable"),
            (GroupNotFound("where?"), "refused"),
            (ZeroDivisionError(), "failed"),
        ],
    )
    def test_they_are_counted_by_their_outcome_and_measured(
        self, cast: Cast, error: Exception | None, outcome: str
    ) -> None:
        calls = Counting(
            "cloud_calls_total", vendor="amazon", provider="acme", action="describe_things", outcome=outcome
        )
        measured = Counting("cloud_call_duration_seconds_count", vendor="amazon", action="describe_things")

        def call() -> str:
            if error:
                raise error
            return "answer"

        limiter = SharedRateLimiter(cast.acme)
        if error:
            with pytest.raises(type(error)):
                limiter.send("describe_things", call)
        else:
            assert limiter.send("describe_things", call) == "answer"
        assert (calls.grown, measured.grown) == (1, 1)

    def test_a_call_that_waits_for_its_turn_is_none(self, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
        measured = Counting("cloud_call_duration_seconds_count", vendor="amazon", action="describe_things")
        monkeypatch.setattr("inventory.rate_limit.take_turn", lambda *arguments, **named: 60.0)
        limiter = SharedRateLimiter(cast.acme)
        monkeypatch.setattr(limiter, "_is_limited", lambda action: True)
        with pytest.raises(RateLimited):
            limiter.send("describe_things", lambda: "answer")
        assert measured.grown == 0


class TestLogins:
    @pytest.mark.parametrize(
        ("door", "reason", "ask"),
        [
            ("basic", "wrong", lambda client: client.get("/api", headers={"Authorization": "Basic YTpi"})),
            ("token", "unknown", lambda client: client.get("/api", headers={"X-Auth-Token": "wrong"})),
            ("page", "wrong", lambda client: client.post("/login/", {"username": "a", "password": "b"})),
            ("page", "wrong", lambda client: client.post("/admin/login/", {"username": "a", "password": "b"})),
        ],
    )
    def test_a_refused_one_is_counted_once_at_its_door(
        self, db: None, client: Client, door: str, reason: str, ask: Any
    ) -> None:
        counting = Counting("logins_refused_total", door=door, reason=reason)
        ask(client)
        assert counting.grown == 1

    def test_none_without_a_login(self, db: None, client: Client) -> None:
        counting = Counting("logins_refused_total", door="basic", reason="wrong")
        assert client.get("/api").status_code == 401
        assert counting.grown == 0


class TestState:
    @staticmethod
    def find(client: Client, name: str) -> dict[tuple[str, ...], float]:
        """The samples of this name by their labels' values, in the order of the labels' names."""
        return {
            tuple(text for _, text in sorted(labels)): value
            for (found, labels), value in read(client).items()
            if found == f"portcullis_{name}"
        }

    def test_tasks_by_kind_and_state_and_the_age_of_the_oldest(self, client: Client, cast: Cast) -> None:
        now = timezone.now()
        for state, minutes, waits in (
            ("Queued", 5, False),
            ("Queued", 9, False),
            ("Active", 60, False),
            ("Active", 60, True),
            ("Finished", 90, False),
        ):
            task = Task.objects.create(name="a", message="", queue="vms/1", state=state)
            next_on = now if waits else None
            Task.objects.filter(pk=task.pk).update(
                created_on=now - timedelta(minutes=minutes), next_attempt_on=next_on
            )
        tasks = self.find(client, "tasks")
        assert {state: tasks["vms", state] for state in ("queued", "running", "retrying")} == {
            "queued": 2, "running": 1, "retrying": 1,
        }  # fmt: skip
        assert tasks["providers", "queued"] == 0
        oldest = self.find(client, "oldest_queued_task_seconds")
        assert 540 <= oldest[("vms",)] < 600
        assert oldest[("providers",)] == 0
        assert self.find(client, "tasks_without_worker") == {(): 4}
        with hold_lease("vms/1"):
            assert self.find(client, "tasks_without_worker") == {(): 0}
            assert self.find(client, "leases") == {(): 1}

    def test_refreshes(self, client: Client, db: None) -> None:
        now = timezone.now()
        actors.provider("never")
        actors.provider("bad", last_refresh_date=now - timedelta(hours=1), last_refresh_error="No.")
        actors.provider("good", last_refresh_date=now)
        actors.provider("off", enabled=False)
        actors.provider("gone", deleted_on=now)
        Provider.objects.filter(name="never").update(created_on=now - timedelta(hours=2))
        ages = self.find(client, "provider_refresh_age_seconds")
        assert {name: int(age // 3600) for (name, _), age in ages.items()} == {"never": 2, "bad": 1, "good": 0}
        failing = self.find(client, "provider_refresh_failing")
        assert {name: value for (name, _), value in failing.items()} == {"never": 0, "bad": 1, "good": 0}
        assert self.find(client, "refreshes_overdue") == {(): 2}
        assert self.find(client, "refresh_interval_seconds") == {(): 600}

    def test_the_size_of_each_inventory(self, client: Client, company: Cast) -> None:
        sizes = {labels[:2]: number for labels, number in self.find(client, "provider_resources").items()}
        assert sizes["acme", "security_groups"] == 6
        assert sizes["acme", "firewall_rules"] == 4
        assert sizes["acme", "network_ports"] == 6
        assert EventStream.objects.filter(ems_id=company.acme.pk).exists()
        assert ("acme", "events") not in sizes

    def test_it_costs_as_many_statements_whatever_there_is(self, client: Client, company: Cast) -> None:
        with CaptureQueriesContext(connection) as few:
            read(client)
        for name in "abcde":
            actors.plant(name)
            Task.objects.create(name=name, message="", queue=f"vms/{name}")
        with CaptureQueriesContext(connection) as many:
            read(client)
        assert len(few) == len(many) == 6
        assert f"LIMIT {MAX_TASKS}" in many[0]["sql"]
        columns = many[0]["sql"].partition("FROM (SELECT")[2]
        assert "context_data" not in columns

    def test_without_its_database_it_still_shows_what_was_counted(
        self, client: Client, db: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail() -> Iterator[Any]:
            raise OperationalError("gone")

        monkeypatch.setattr("inventory.metrics.state._work", fail)
        logins_refused("token", "unknown")
        found = {name for name, _ in read(client)}
        assert self.find(client, "database_up") == {(): 0}
        assert "portcullis_logins_refused_total" in found
        assert "portcullis_tasks" not in found


def output_of(script: str, **variables: str) -> str:
    """What a process of its own prints."""
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **variables},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


def test_processes_that_share_a_folder_show_the_sum(tmp_path: Path) -> None:
    """As Gunicorn's do, which fork after the metrics are made; in a folder that is not there yet."""
    script = """
import os, django
django.setup()
from inventory.metrics import logins_refused
from inventory.metrics.exposition import counted
from inventory.metrics.requests import requests
logins_refused("token", "unknown")
for _ in range(2):
    if not (child := os.fork()):
        logins_refused("token", "unknown")
        requests.note(("/api/ping", "GET", 200, 0.01))
        requests.count()
        os._exit(0)
    os.waitpid(child, 0)
print(counted().decode())
"""
    variables = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "a" / "b"), "DJANGO_SETTINGS_MODULE": "settings.test"}
    output = output_of(script, **variables)
    assert 'portcullis_logins_refused_total{door="token",reason="unknown"} 3.0' in output
    counted = 'portcullis_request_duration_seconds_count{method="GET",route="/api/ping",status="200"} 2.0'
    assert counted in output
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("is_set", [False, True])
def test_gunicorn_prepares_a_folder_unless_one_is_set(tmp_path: Path, is_set: bool) -> None:
    """Before the client library is imported, which looks for the folder then."""
    left = tmp_path / "metrics" / "counter_1.db"
    left.parent.mkdir()
    left.touch()
    script = """
import settings.gunicorn
from inventory import metrics
from prometheus_client import values
print(values.ValueClass._multiprocess, metrics.folder)
settings.gunicorn.child_exit(None, type("Worker", (), {"pid": 1}))
settings.gunicorn.worker_exit(None, None)
"""
    variables = {"PORTCULLIS_VAR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "settings.base"}
    if is_set:
        variables["PROMETHEUS_MULTIPROC_DIR"] = str(left.parent)
    output = output_of(script, **variables)
    assert output == f"True {left.parent}\n"
    assert left.exists() is is_set


class TestWorkers:
    @pytest.fixture
    def url(self) -> Iterator[str]:
        with closing(Closing(worker.serve("127.0.0.1", 0))) as server:
            yield f"http://127.0.0.1:{server.port}"

    def test_a_worker_serves_what_it_counted(self, url: str) -> None:
        logins_refused("token", "unknown")
        with urllib.request.urlopen(f"{url}/metrics") as answer:  # noqa: S310 - loopback
            text = answer.read().decode()
        assert "portcullis_logins_refused_total" in text
        assert "portcullis_database_up" not in text

    @pytest.mark.parametrize(("path", "networks"), [("/", ["127.0.0.0/8"]), ("/metrics", ["10.0.0.0/8"])])
    def test_and_nothing_to_others(self, url: str, settings: Any, path: str, networks: list[str]) -> None:
        settings.METRICS_ALLOW_IPS = [ip_network(one) for one in networks]
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(url + path)  # noqa: S310 - loopback

    def test_only_at_a_port_of_the_settings(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        served: list[tuple[str, int]] = []
        monkeypatch.setattr(worker, "serve", lambda *where: served.append(where))
        worker.serve_as_set()
        settings.WORKER_METRICS_PORT = 9101
        worker.serve_as_set()
        assert served == [("127.0.0.1", 9101)]

    def test_a_port_that_is_taken_ends_the_worker(self, url: str, settings: Any) -> None:
        settings.WORKER_METRICS_PORT = int(url.rpartition(":")[2])
        with pytest.raises(SystemExit, match=r"Can't listen on 127\.0\.0\.1, port .*: Address already in use"):
            worker.serve_as_set()


class Closing:
    def __init__(self, server: Any) -> None:
        self._server = server
        self.port = server.server_port

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class TestSettings:
    @pytest.mark.parametrize(
        ("read", "good", "bad"),
        [
            (
                lambda: networks(Env(), "X", default=[]),
                ["", "10.0.0.1", "10.0.0.0/8, ::1"],
                ["10.0.0.1/8", "*", "a"],
            ),
            (lambda: number(Env(), "X", default=0, most=9), ["0", "9"], ["10", "-1", "1.0", "٣"]),
            (lambda: secret(Env(), "X"), ["", "x" * 16], ["CHANGE-ME", "x" * 15, "ä" * 16, "x" * 15 + "\n"]),
        ],
    )
    def test_what_means_nothing_stops_the_start(
        self, monkeypatch: pytest.MonkeyPatch, read: Any, good: list[str], bad: list[str]
    ) -> None:
        for text in good:
            monkeypatch.setenv("X", text)
            read()
        for text in bad:
            monkeypatch.setenv("X", text)
            with pytest.raises(ImproperlyConfigured, match=r"^X must"):
                read()


def test_a_lease_that_is_lost_is_no_result(cast: Cast, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(*arguments: Any) -> None:
        raise LeaseLost("things/1")

    settings.TASK_HANDLERS = {"things": f"{__name__}.end_as_named"}
    counting = Counting("tasks_finished_total", vendor="none", provider="none", kind="things", result="Ok")
    monkeypatch.setitem(globals(), "end_as_named", lose)
    Task.objects.create(name="Ok", message="", queue="things/1")
    with pytest.raises(LeaseLost):
        runner.run_queue("things/1")
    assert counting.grown == 0
