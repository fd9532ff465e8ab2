"""Addresses: slashes, versions, and what is where."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client

from inventory.models import Provider, Task
from inventory.services import TaskSpec, finish, queue_work
from tests.cast import Cast

FORMS = ["/api{}", "/api{}/", "/api//{}", "/api/v1.0.0{}", "/api/v1.0.0/{}//"]


@pytest.mark.parametrize("form", FORMS)
def test_slashes_and_the_version_do_not_matter_to_any_method(admin_client: Client, cast: Cast, form: str) -> None:
    provider = form.format(f"/providers/{cast.acme.pk}")
    [task] = queue_work("vms/1", [TaskSpec("x", "x")], user=None, provider=None)
    finish(task, Task.Status.OK, "Done.")

    def status(method: str, url: str, body: Any = None) -> int:
        sent = {} if body is None else {"data": body}
        return getattr(admin_client, method)(url, **sent, content_type="application/json").status_code

    assert admin_client.get(provider).status_code == HTTPStatus.OK
    assert admin_client.options(form.format("/providers")).status_code == HTTPStatus.OK
    assert status("post", provider, {"action": "edit", "project": "a"}) == HTTPStatus.OK
    assert status("patch", provider, {"project": "b"}) == HTTPStatus.OK
    assert status("put", provider, {"project": "c"}) == HTTPStatus.OK
    assert Provider.objects.get(pk=cast.acme.pk).project == "c"
    assert status("delete", form.format(f"/tasks/{task.pk}")) == HTTPStatus.NO_CONTENT
    assert (
        status("post", form.format(f"/vms/{cast.production.single.pk}/security_groups/add"), {"name": "web"})
        == 200
    )


@pytest.mark.parametrize("version", ["0.9", "2.0.0", "1", "1.0.0.0", "9x"])
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_an_unknown_version_is_refused(admin_client: Client, version: str, method: str) -> None:
    answer = getattr(admin_client, method)(f"/api/v{version}/vms")
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"]["message"] == f"Unsupported API Version {version} specified"


def test_an_instance_is_the_vm_of_the_same_id(admin_client: Client, cast: Cast) -> None:
    pk = cast.production.single.pk
    instance, vm = (admin_client.get(f"/api/{name}/{pk}").json() for name in ("instances", "vms"))
    for collection, resource in (("instances", instance), ("vms", vm)):
        href = f"http://testserver/api/{collection}/{pk}"
        assert {resource.pop("href"), *(action["href"] for action in resource.pop("actions"))} == {href}
    assert instance == vm


@pytest.mark.parametrize("path", ["/api/ping", "/api/v1.0.0/ping", "/api//ping/"])
def test_anybody_may_ask_whether_it_is_there(client: Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.content) == (HTTPStatus.OK, b"pong")
    assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    "path", ["vms/x", "vms/1e3", "vms/-1", "vms/%D9%A3", "vms/99999999999999999999", "vms/0x1"]
)
def test_an_id_that_is_no_number_is_not_found(admin_client: Client, cast: Cast, path: str) -> None:
    for url in (f"/api/{path}", f"/api/{path}/security_groups"):
        answer = admin_client.get(url)
        assert answer.status_code == HTTPStatus.NOT_FOUND
        assert answer.json()["error"]["klass"] == "Api::NotFoundError"
