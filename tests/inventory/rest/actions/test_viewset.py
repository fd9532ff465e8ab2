"""The common envelope of actions: what a body may look like, and what is answered to one and to many."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client

from inventory.models import Provider, Task
from tests import cast as actors
from tests.cast import Cast

REFRESH = "Refreshing provider acme"


def post(client: Client, url: str, body: Any, content_type: str = "application/json") -> Any:
    return client.post(url, body, content_type=content_type)


@pytest.mark.parametrize(
    "body",
    [
        {"action": "refresh", "resource": {"force": True}},
        {"action": "refresh", "force": True},
    ],
)
def test_on_a_resource_the_answer_is_the_bare_result(
    admin_client: Client, cast: Cast, body: dict[str, Any]
) -> None:
    answer = post(admin_client, f"/api/providers/{cast.acme.pk}", body)
    assert answer.status_code == HTTPStatus.OK
    assert (answer.json()["success"], answer.json()["message"]) == (True, REFRESH)
    assert Task.objects.get().arguments["force"] is True


@pytest.mark.parametrize("key", ["id", "href"])
@pytest.mark.parametrize("many", [False, True])
def test_on_a_collection_the_answer_is_a_list_for_one_and_for_many(
    admin_client: Client, cast: Cast, key: str, many: bool
) -> None:
    named = {key: cast.acme.pk if key == "id" else f"http://testserver/api/providers/{cast.acme.pk}"}
    body = {"resources": [named]} if many else {"resource": named}
    answer = post(admin_client, "/api/providers", {"action": "refresh", **body})
    assert [result["message"] for result in answer.json()["results"]] == [REFRESH]


def test_a_single_one_that_is_refused_is_400_with_the_same_envelope(admin_client: Client, cast: Cast) -> None:
    answer = post(admin_client, "/api/providers", {"action": "refresh", "id": 0})
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json() == {"results": [{"success": False, "message": "Couldn't find Provider with 'id'=0"}]}


def test_of_many_each_is_answered_in_its_place(admin_client: Client, cast: Cast) -> None:
    resources = [{"id": 0}, {"id": cast.acme.pk}, {}, {"id": cast.acme.pk, "foo": 1}]
    answer = post(admin_client, "/api/providers", {"action": "refresh", "resources": resources})
    assert answer.status_code == HTTPStatus.OK
    assert [result["message"] for result in answer.json()["results"]] == [
        "Couldn't find Provider with 'id'=0",
        REFRESH,
        "A resource must have an id or an href",
        "Invalid attributes specified: foo",
    ]


def test_an_edit_answers_the_whole_resource(admin_client: Client, cast: Cast) -> None:
    url = f"/api/providers/{cast.acme.pk}"
    answer = post(admin_client, url, {"action": "edit", "project": "new"})
    shown = admin_client.get(url).json()
    shown.pop("actions")
    assert (answer.status_code, answer.json()) == (HTTPStatus.OK, shown)
    many = post(admin_client, "/api/providers", {"action": "edit", "resources": [{"href": url, "project": "x"}]})
    assert many.json()["results"][0]["project"] == "x"


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", "x"]
)
def test_the_body_is_json_whatever_its_content_type_says(
    admin_client: Client, cast: Cast, content_type: str
) -> None:
    body = b'{"action": "refresh"}'
    answer = post(admin_client, f"/api/providers/{cast.acme.pk}", body, content_type)
    assert answer.status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("/api/security_groups", "security_groups collection"),
        ("/api/security_groups/{group}", "security_groups resource"),
        ("/api/vms/{vm}/security_groups", "security_groups subcollection"),
        ("/api/vms/{vm}/security_groups/{group}", "security_groups resource"),
    ],
)
def test_an_unknown_action_is_named(admin_client: Client, cast: Cast, url: str, where: str) -> None:
    site = cast.production
    answer = post(admin_client, url.format(vm=site.single.pk, group=site.default.pk), {"action": "foo"})
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"]["message"] == f"Unsupported Action foo for the {where} specified"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "The body must be a JSON object"),
        (b'"refresh"', "The body must be a JSON object"),
        ({"action": "refresh", "resources": []}, "No resources specified"),
        ({"action": "refresh", "resources": [1]}, "A resource must be a JSON object"),
        ({"action": "refresh", "resource": "x"}, "A resource must be a JSON object"),
        (
            {"action": "refresh", "resources": [{"id": 1}] * 1001},
            "Too many resources specified: at most 1000 in one request",
        ),
    ],
)
def test_a_body_that_makes_no_sense_is_refused(admin_client: Client, cast: Cast, body: Any, message: str) -> None:
    answer = post(admin_client, "/api/providers", body)
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"]["message"] == message
    assert not Task.objects.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ([{"action": "move", "path": "name", "value": "x"}], "Unsupported Action move in a PATCH"),
        ([{"action": "edit", "value": "x"}], "must name an attribute in its path"),
        ([{"action": "edit", "path": "name"}], "must have a value"),
        ([{"action": "edit", "path": "foo", "value": 1}], "Invalid attributes specified: foo"),
        (b'"x"', "A resource must be a JSON object"),
    ],
)
def test_a_patch_that_makes_no_sense_is_refused(
    admin_client: Client, cast: Cast, change: Any, message: str
) -> None:
    url = f"/api/providers/{cast.acme.pk}"
    answer = admin_client.patch(url, change, content_type="application/json")
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert message in answer.json()["error"]["message"]


def test_a_patch_array_adds_edits_and_removes(admin_client: Client, cast: Cast) -> None:
    url = f"/api/providers/{cast.acme.pk}"
    Provider.objects.filter(pk=cast.acme.pk).update(hostname="old")
    changes = [
        {"action": "add", "path": "project", "value": "p"},
        {"action": "edit", "path": "/name", "value": "renamed"},
        {"action": "remove", "path": "hostname"},
    ]
    answer = admin_client.patch(url, changes, content_type="application/json")
    assert answer.status_code == HTTPStatus.OK
    assert [answer.json()[name] for name in ("project", "name", "hostname")] == ["p", "renamed", None]


class TestGoneMeanwhile:
    """A row that is deleted after it was looked up, and before the action gets to it."""

    @pytest.fixture(autouse=True)
    def deleted_meanwhile(self, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
        def edit(*, provider: Provider, **changes: Any) -> None:
            if provider.pk == cast.acme.pk:
                raise Provider.DoesNotExist

        monkeypatch.setattr("inventory.api.providers.edit_provider", edit)

    def test_it_is_404(self, admin_client: Client, cast: Cast) -> None:
        answer = admin_client.patch(
            f"/api/providers/{cast.acme.pk}", {"provider_region": "here"}, content_type="application/json"
        )
        assert answer.status_code == HTTPStatus.NOT_FOUND
        assert answer.json()["error"]["message"] == f"Couldn't find Provider with 'id'={cast.acme.pk}"

    def test_of_many_it_does_not_hurt_the_others(self, admin_client: Client, cast: Cast) -> None:
        other = actors.provider("other")
        resources = [{"id": row.pk, "provider_region": "here"} for row in (other, cast.acme)]
        answer = post(admin_client, "/api/providers", {"action": "edit", "resources": resources})
        edited, gone = answer.json()["results"]
        assert edited["id"] == str(other.pk)
        assert gone == {"success": False, "message": f"Couldn't find Provider with 'id'={cast.acme.pk}"}
