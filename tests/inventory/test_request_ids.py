"""The id of a request: in its answer, in the log, in its tasks, and in the log of the workers that run them."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest
from django.conf import settings as project_settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils.module_loading import import_string

from inventory import refresh, runner
from inventory.arguments import ProviderRefresh, RefreshScope
from inventory.logs import MAX_LOGGED, ContextFilter, request_id, running_tasks
from inventory.models import Task
from inventory.rest.http.views import ProductInfo
from inventory.services import TaskResult, TaskSpec, finish, keep_refused, queue_work
from secgroups import editing
from tests.cast import Cast

HEADER = "X-Request-Id"
MADE = r"[0-9a-f]{32}"


def formatted(record: logging.LogRecord) -> str:
    """A line as the settings have it, without its time."""
    ContextFilter().filter(record)
    line = {**project_settings.LOGGING["formatters"]["line"]}
    formatter = import_string(line.pop("()"))(line["format"], style=line["style"])
    return str(formatter.format(record)).partition(" ")[2].partition(" ")[2]


@pytest.mark.parametrize("asked", ["a", "Build-7_of.today", "x" * 64])
def test_an_answer_has_the_id_that_the_client_gave(client: Client, asked: str) -> None:
    assert client.get("/api/ping", headers={HEADER: asked}).headers[HEADER] == asked


@pytest.mark.parametrize("asked", [None, "", "x" * 65, "a b", "a,b", "a\n", "<b>", "ä", "a\x00b", "{}", "٣"])
def test_any_other_id_is_replaced(client: Client, asked: str | None) -> None:
    headers = {} if asked is None else {HEADER: asked}
    answers = [client.get("/api/ping", headers=headers).headers[HEADER] for _ in range(2)]
    assert all(re.fullmatch(MADE, answer) for answer in answers)
    assert answers[0] != answers[1]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 302),
        ("/api", {}, 401),
        ("/api/nowhere", {}, 401),
        ("/nowhere", {}, 404),
        ("/admin/login/", {}, 200),
        ("/admin/", {}, 302),
        ("/static/admin/css/base.css", {}, 200),
        ("/static/nothing.css", {}, 404),
        ("/api/ping", {"host": "elsewhere.example"}, 400),
    ],
)
def test_every_kind_of_answer_has_one(db: None, client: Client, path: str, headers: Any, status: int) -> None:
    with closing(client.get(path, headers={HEADER: "mine", **headers})) as answer:
        list(answer)
    assert (answer.status_code, answer.headers[HEADER]) == (status, "mine")


def test_the_answer_to_an_unforeseen_error_has_one(
    db: None, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ProductInfo, "get", lambda *arguments, **named: 1 / 0)
    client.raise_request_exception = False
    answer = client.get("/api/product_info", headers={HEADER: "mine"})
    assert (answer.status_code, answer.headers[HEADER]) == (500, "mine")
    assert request_id.get() is None


def test_lines_of_a_request_have_it(db: None, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.get("/nowhere", headers={HEADER: "mine"})
    assert [formatted(record) for record in caplog.records] == [
        "WARNING django.request [request_id=mine]: Not Found: /nowhere"
    ]


def test_a_line_of_nobody_has_none() -> None:
    record = logging.LogRecord("inventory", logging.INFO, "", 0, "Hello", (), None)
    assert formatted(record) == "INFO inventory: Hello"


class TestTasks:
    def test_accepted_ones_have_that_of_their_request(self, admin_client: Client, cast: Cast) -> None:
        path = f"/api/instances/{cast.production.single.pk}/security_groups"
        body = {"action": "add", "resources": [{"name": "web"}, {"name": "db"}]}
        answer = admin_client.post(path, body, content_type="application/json", headers={HEADER: "mine"})
        shown = [admin_client.get(result["task_href"]).json() for result in answer.json()["results"]]
        assert [task["request_id"] for task in shown] == ["mine", "mine"]
        assert admin_client.get("/api/tasks?request_id=mine").json()["subcount"] == 2
        assert admin_client.get("/api/tasks?filter[]=request_id=other").json()["subcount"] == 0

    def test_refused_ones_have_it_too(self, cast: Cast, admin_user: User) -> None:
        token = request_id.set("mine")
        try:
            task = keep_refused("vms/1", TaskSpec("a", "No."), user=admin_user, provider=cast.acme)
        finally:
            request_id.reset(token)
        assert Task.objects.get(pk=task.pk).request_id == "mine"

    def test_those_of_a_schedule_have_none(self, cast: Cast) -> None:
        queue_work("providers/1", [TaskSpec("a", "Doing a")], user=None, provider=cast.acme)
        assert Task.objects.values_list("request_id").get() == (None,)

    def test_the_admin_shows_and_finds_it(self, admin_client: Client, company: Cast) -> None:
        Task.objects.filter(name="Refresh 1").update(request_id="mine")
        task = Task.objects.get(name="Refresh 1")
        assert "mine" in admin_client.get(f"/admin/inventory/task/{task.pk}/change/").content.decode()
        found = admin_client.get("/admin/inventory/task/?q=mine").content.decode()
        assert "Refresh 1" in found
        assert "Refresh 2" not in found


def add(queue: str, asked: Sequence[str | None], **attributes: Any) -> list[Task]:
    """A task of this queue for each of these requests."""
    return [Task.objects.create(name="a", message="", queue=queue, request_id=one, **attributes) for one in asked]


def note_line(tasks: Sequence[Task], lease: Any) -> None:
    """A handler that logs a line."""
    logging.getLogger("inventory.tests").warning("At work")
    for task in tasks:
        finish(task, Task.Status.OK, "Done.")


class TestWorkers:
    @pytest.fixture(autouse=True)
    def handler(self, db: None, settings: Any) -> None:
        settings.TASK_HANDLERS = {"things": f"{__name__}.note_line"}

    def lines(self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """What a worker logs, as it is formatted at that moment."""
        lines: list[str] = []
        monkeypatch.setattr(caplog.handler, "emit", lambda record: lines.append(formatted(record)))
        runner.run_queue("things/1")
        return lines

    def test_a_line_has_the_tasks_and_their_requests(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, two, three = add("things/1", ["mine", "yours", "mine"])
        ids = f"{one.pk}, {two.pk}, {three.pk}"
        assert self.lines(caplog, monkeypatch) == [
            f"WARNING inventory.tests [queue=things/1 task={ids} request_id=mine, yours]: At work"
        ]
        assert not running_tasks.get()

    def test_tasks_that_nobody_requested_have_no_request(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        [task] = add("things/1", [None])
        assert self.lines(caplog, monkeypatch) == [
            f"WARNING inventory.tests [queue=things/1 task={task.pk}]: At work"
        ]

    def test_a_line_of_many_tasks_stays_short(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add("things/1", [f"r{number}" for number in range(MAX_LOGGED + 3)])
        [line] = self.lines(caplog, monkeypatch)
        assert line.endswith(f"r{MAX_LOGGED - 1} and 3 more]: At work")


class TestTasksThatRunApart:
    """Each has its own request in the log, though they were claimed together."""

    @pytest.fixture
    def seen(self) -> list[list[str]]:
        return []

    def note(self, seen: list[list[str]]) -> None:
        seen.append([str(task.request_id) for task in running_tasks.get()])

    def test_edits(self, cast: Cast, monkeypatch: pytest.MonkeyPatch, seen: list[list[str]]) -> None:
        def execute(task: Task, *arguments: Any) -> bool:
            self.note(seen)
            finish(task, Task.Status.OK, "Done.")
            return True

        monkeypatch.setattr(editing, "_execute", execute)
        queue = f"security_groups/{cast.acme.pk}"
        arguments = {"version": 1, "kind": "delete_group"}
        monkeypatch.setattr(editing, "readable", lambda tasks, parse, lease: dict.fromkeys(tasks, arguments))
        add(queue, ["mine", "yours"], provider=cast.acme)
        runner.run_queue(queue)
        assert seen == [["mine"], ["yours"]]

    def test_refreshes_of_different_things(
        self, cast: Cast, admin_user: User, monkeypatch: pytest.MonkeyPatch, seen: list[list[str]]
    ) -> None:
        def refreshed(provider: Any, lease: Any, refreshes: Any) -> Any:
            self.note(seen)
            return [TaskResult(task, Task.Status.OK, "Done.") for task in refreshes]

        monkeypatch.setattr(refresh, "_refreshed", refreshed)
        queue = f"providers/{cast.acme.pk}"
        part = ProviderRefresh(scope=RefreshScope("instance", "i-1"), subject="instance i-1")
        for one, asked in (("mine", ProviderRefresh()), ("yours", part), ("theirs", ProviderRefresh())):
            token = request_id.set(one)
            queue_work(queue, [TaskSpec("a", "", asked)], user=admin_user, provider=cast.acme)
            request_id.reset(token)
        runner.run_queue(queue)
        assert seen == [["mine", "theirs"], ["yours"]]
