"""Bodies: what is not understood is refused, and named; nothing of them is altered."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils.module_loading import import_string

from inventory.models import Provider, Task, Vm
from inventory.rest.routers import viewset_of
from secgroups.models import SecurityGroup
from tests.cast import Cast

pytestmark = pytest.mark.usefixtures("company")

TYPO = {"nmae": "web"}


def actions() -> Iterator[tuple[str, str | None, str]]:
    """Every action of every collection and subcollection: its collection, what stands above, its name."""
    for collection in settings.COLLECTIONS:
        viewset = viewset_of(collection)
        yield from ((collection, None, action.url_path) for action in viewset.declared_actions())
        for below, declared in viewset.subcollections.items():
            found = import_string(declared.viewset).declared_actions()
            yield from ((below, collection, action.url_path) for action in found)


def refused(answer: Any) -> str:
    """The message of a single refusal, in whichever shape."""
    assert answer.status_code == HTTPStatus.BAD_REQUEST, answer.content
    told = answer.json()
    message: str = told["error"]["message"] if "error" in told else told.get("results", [told])[0]["message"]
    return message


@pytest.mark.parametrize(("collection", "above", "action"), list(actions()))
def test_no_action_overlooks_what_it_does_not_understand(
    admin_client: Client, collection: str, above: str | None, action: str
) -> None:
    before = Task.objects.count()
    url = f"/api/{collection}"
    if above:
        parents = admin_client.get(f"/api/{above}").json()["resources"]
        below = (f"{parent['href']}/{collection}" for parent in parents)
        url = next(url for url in below if admin_client.get(url).json()["count"])

    def post(url: str, body: dict[str, Any]) -> Any:
        return admin_client.post(url, {"action": action, **body}, content_type="application/json")

    first = admin_client.get(url).json()["resources"][0]
    for body in ({"resource": {**first, **TYPO}}, {**first, **TYPO}):
        assert "Invalid attributes specified: " in (said := refused(post(url, body)))
        assert "nmae" in said
    many = post(url, {"resources": [{**first, **TYPO}]})
    assert many.status_code == HTTPStatus.OK
    assert "nmae" in many.json()["results"][0]["message"]
    assert refused(post(url, {"resource": first, **TYPO})) == "Unknown key in the body: nmae"
    assert refused(post(url, {"resources": [first], "filter": []})) == "Unknown key in the body: filter"
    assert Task.objects.count() == before


NOT_PREVIEWED = [
    (collection, action.url_path)
    for collection in settings.COLLECTIONS
    for action in viewset_of(collection).declared_actions()
    if "previews" not in action.kwargs
]


@pytest.mark.parametrize(("collection", "action"), NOT_PREVIEWED)
def test_an_action_that_has_no_preview_is_not_done_for_one(
    admin_client: Client, collection: str, action: str
) -> None:
    before = Task.objects.count()
    first = admin_client.get(f"/api/{collection}").json()["resources"][0]
    for body in ({"resources": [first]}, {"resource": first}, first):
        for dry_run in (True, False, "cloud"):
            answer = admin_client.post(
                f"/api/{collection}",
                {"action": action, "dry_run": dry_run, **body},
                content_type="application/json",
            )
            assert refused(answer) == "Unknown key in the body: dry_run"
    assert Task.objects.count() == before


@pytest.mark.parametrize("action", ["refresh", "delete", "edit"])
def test_neither_does_one_of_a_single_resource(admin_client: Client, company: Cast, action: str) -> None:
    answer = admin_client.post(
        f"/api/providers/{company.acme.pk}", {"action": action, **TYPO}, content_type="application/json"
    )
    assert refused(answer) == "Invalid attributes specified: nmae"
    assert Provider.objects.filter(pk=company.acme.pk).exists()


def test_a_resource_is_not_confused_with_the_one_of_the_address(admin_client: Client, company: Cast) -> None:
    other = Provider.objects.get(name="other")

    def post(url: str, **resource: Any) -> Any:
        return admin_client.post(url, {"action": "delete", "resource": resource}, content_type="application/json")

    url = f"/api/providers/{company.acme.pk}"
    several = "The request names several resources by its address, id and href"
    assert refused(post(url, id=other.pk)) == several
    assert refused(post(url, href=f"/api/providers/{other.pk}")) == several
    assert refused(post("/api/providers", id=other.pk, href=url)) == several
    assert Provider.objects.count() == 2
    assert post(url, id=str(company.acme.pk), href=f"http://testserver{url}").status_code == HTTPStatus.OK


def test_a_query_finds_nothing_by_names_of_different_resources(admin_client: Client, company: Cast) -> None:
    vm, other = company.production.single, company.staging.single
    body = {
        "action": "query",
        "resources": [{"guid": str(vm.guid), "id": vm.pk}, {"guid": str(vm.guid), "id": other.pk}],
    }
    found, missing = admin_client.post("/api/vms", body, content_type="application/json").json()["results"]
    assert found["id"] == str(vm.pk)
    assert missing["success"] is False


class TestAdd:
    @pytest.fixture
    def add(self, admin_client: Client, company: Cast) -> Any:
        def add(**resource: Any) -> Any:
            return admin_client.post(
                f"/api/vms/{company.production.double.pk}/security_groups/add",
                {"resource": resource},
                content_type="application/json",
            )

        return add

    @pytest.mark.parametrize(
        ("resource", "said"),
        [
            ({"port": "eni-1"}, "Invalid attributes specified: port"),
            ({"ports": []}, "ports: This list may not be empty."),
            ({"ports": "eni-1"}, "ports: "),
            ({"ports": None}, "ports: "),
            ({"ports": [None]}, "ports: "),
            ({"ports": [{"id": 1}]}, "ports: "),
            ({"ports": ["999999"]}, "has no port 999999"),
        ],
    )
    def test_a_typo_does_not_change_every_port(self, add: Any, resource: dict[str, Any], said: str) -> None:
        assert said in refused(add(name="web", **resource))
        assert not Task.objects.filter(name__startswith="Adding").exists()

    def test_the_port_of_another_instance_is_refused_at_once(self, add: Any, company: Cast) -> None:
        [port] = company.production.single.network_ports.all()
        for named in (port.pk, str(port.pk), port.ems_ref):
            assert refused(add(name="web", ports=[named])).endswith(f"production-double has no port {named}")

    def test_a_port_that_is_not_known_yet_is_asked_of_the_cloud(self, add: Any, company: Cast) -> None:
        port = company.production.double.network_ports.first()
        assert port
        assert add(name="web", ports=[port.pk, "eni-new"]).status_code == HTTPStatus.OK
        assert Task.objects.latest("pk").arguments["ports"] == [port.ems_ref, "eni-new"]

    def test_all_names_of_a_group_are_of_one(self, add: Any, company: Cast) -> None:
        web, db = company.production.web, company.production.db
        assert "web" in refused(add(id=web.pk, name="db"))
        assert "web" in refused(add(id=web.pk, ems_ref=db.ems_ref))
        assert "different security groups" in refused(add(id=web.pk, href=f"/api/security_groups/{db.pk}"))
        whole = {"id": web.pk, "href": f"/api/security_groups/{web.pk}", "name": "web", "ems_ref": web.ems_ref}
        assert add(**whole).status_code == HTTPStatus.OK


def test_text_is_taken_with_the_blanks_around_it(admin_client: Client, company: Cast) -> None:
    url = f"/api/providers/{company.acme.pk}"
    body = {"name": " edge ", "description": " the edge\n"}
    answer = admin_client.post(f"{url}/security_groups", body, content_type="application/json")
    assert answer.status_code == HTTPStatus.OK
    asked = Task.objects.get(pk=answer.json()["results"][0]["task_id"]).arguments
    assert " edge " in str(asked)
    assert " the edge\\n" in str(asked)
    renamed = admin_client.put(url, {"name": " acme "}, content_type="application/json")
    assert renamed.json()["name"] == Provider.objects.get(pk=company.acme.pk).name == " acme "


def test_a_group_can_be_named_by_blanks(admin_client: Client, company: Cast) -> None:
    SecurityGroup.objects.filter(pk=company.production.web.pk).update(name=" ")
    vm: Vm = company.production.single
    answer = admin_client.post(
        f"/api/vms/{vm.pk}/security_groups/add", {"name": " "}, content_type="application/json"
    )
    assert answer.status_code == HTTPStatus.OK
    assert Task.objects.latest("pk").arguments["group"]["ems_ref"] == company.production.web.ems_ref


@pytest.mark.parametrize(
    "body",
    [
        '{"action": "add", "name": "db", "name": "web"}',
        '{"action": "remove", "action": "add", "resource": {"name": "web"}}',
        '{"action": "add", "resources": [{"name": "web", "ports": ["eni-1"], "ports": ["eni-2"]}]}',
        '{"action": "add", "resource": {"name": "db"}, "resource": {"name": "web"}}',
    ],
)
def test_a_key_that_is_given_twice_is_refused(admin_client: Client, company: Cast, body: str) -> None:
    url, before = f"/api/vms/{company.production.single.pk}/security_groups", Task.objects.count()
    said = refused(admin_client.post(url, body, content_type="application/json"))
    assert said.startswith("Key given several times: ")
    assert Task.objects.count() == before


@pytest.mark.parametrize("twice", ["action", "name"])
def test_so_is_a_field_of_a_form(admin_client: Client, company: Cast, twice: str) -> None:
    url = f"/api/vms/{company.production.single.pk}/security_groups"
    form = {"action": "add", "name": "web"}
    assert refused(admin_client.post(url, form | {twice: ["db", form[twice]]})).endswith(
        f"Key given several times: {twice}"
    )
    port = company.production.single.network_ports.get()
    assert admin_client.post(url, form | {"ports": [port.pk, port.ems_ref]}).status_code == HTTPStatus.OK


def test_what_is_nested_deeper_than_can_be_read_is_refused(admin_client: Client, company: Cast) -> None:
    url = f"/api/vms/{company.production.single.pk}/security_groups"
    for depth in (900, 1000, 1020, 5000):
        body = '{"name": ' + '{"a": ' * depth + "1" + "}" * depth + "}"
        refused(admin_client.post(url, body, content_type="application/json"))


@pytest.mark.parametrize("number", ["1.10", "18446744073709551616", "1e300"])
def test_a_number_that_is_read_as_another_is_no_text(admin_client: Client, company: Cast, number: str) -> None:
    url = f"/api/vms/{company.production.single.pk}/security_groups/add"
    said = refused(admin_client.post(url, f'{{"name": {number}}}', content_type="application/json"))
    assert said.endswith("name: Not a valid string.")
    provider = f"/api/providers/{company.acme.pk}"
    assert refused(admin_client.put(provider, f'{{"name": {number}}}', content_type="application/json"))
    answer = admin_client.put(provider, {"name": 80}, content_type="application/json")
    assert answer.json()["name"] == "80"


@pytest.mark.parametrize("wrong", [{"guid": "x"}, {"guid": 5}, {"href": "/api/vms/999999"}, {"href": "nonsense"}])
def test_a_query_of_what_several_names_say_is_of_one(
    admin_client: Client, company: Cast, wrong: dict[str, Any]
) -> None:
    vm, other = company.production.single, company.production.double
    for named in ({**wrong, "id": vm.pk}, {"id": vm.pk, "guid": str(other.guid)}):
        asked = {"action": "query", "resources": [named]}
        [answer] = admin_client.post("/api/vms", asked, content_type="application/json").json()["results"]
        assert answer["success"] is False
    whole = {"id": vm.pk, "href": f"/api/vms/{vm.pk}", "guid": str(vm.guid)}
    answer = admin_client.post("/api/vms", {"action": "query", "resource": whole}, content_type="application/json")
    assert answer.json()["results"][0]["name"] == vm.name


@pytest.mark.parametrize("login", ["basic", "session"])
@pytest.mark.parametrize(
    ("field", "status"),
    [
        ({"force": "x" * 3_000_000}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        ({"x": b"x" * 3_000_000}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        ({"x": b"x"}, HTTPStatus.BAD_REQUEST),
        ({f"x{number}": "1" for number in range(1001)}, HTTPStatus.BAD_REQUEST),
        ({f"x{number}": b"x" for number in range(101)}, HTTPStatus.BAD_REQUEST),
    ],
    ids=["text", "file", "small file", "fields", "files"],
)
@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k"}], ids=["", "key"])
def test_a_form_that_is_too_large_is_refused(
    client: Client, admin_client: Client, company: Cast, login: str, field: dict[str, Any], status: int, key: Any
) -> None:
    files = {name: SimpleUploadedFile(name, value) for name, value in field.items() if isinstance(value, bytes)}
    form = {"action": "refresh", **field, **files}
    basic = {"Authorization": f"Basic {base64.b64encode(b'admin:password').decode()}"}
    asking, headers = (client, basic) if login == "basic" else (admin_client, {})
    answer = asking.post(f"/api/providers/{company.acme.pk}", form, headers={**headers, **key})
    assert answer.status_code == status, answer.content


@pytest.mark.parametrize("action", ["refresh", "delete", "edit"])
def test_at_the_address_of_one_resource_the_body_has_one(admin_client: Client, company: Cast, action: str) -> None:
    url, body = f"/api/providers/{company.acme.pk}", {"action": action, "resources": [{}, {}]}
    answer = admin_client.post(url, body, content_type="application/json")
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"]["message"] == "The address is of one resource, but the body has several"
    assert Provider.objects.filter(pk=company.acme.pk).exists()


def test_the_body_of_a_delete_is_read_too(admin_client: Client, company: Cast) -> None:
    url = f"/api/providers/{company.acme.pk}"
    answer = admin_client.delete(url, {"force": True}, content_type="application/json")
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"]["message"] == "Invalid attributes specified: force"
    assert admin_client.delete(url, {}, content_type="application/json").status_code == HTTPStatus.NO_CONTENT
