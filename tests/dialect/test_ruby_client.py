"""The requests of manageiq-api-client, ManageIQ's client in Ruby, and what it takes out of the answers.

`make test-clients` sends the same from Ruby to a whole service (`tests/clients/with_faraday.rb`); here each thing
that the client does stands alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from inventory.models import Provider, Vm
from tests.cast import AMAZON_TYPE, Cast
from tests.dialect.callers import ask, basic, user

pytestmark = pytest.mark.django_db

JSON = {"Content_Type": "application/json", "Accept": "application/json"}


class Ruby:
    """Asks as the client does: a login with each request, JSON both ways, `filter[]` once for each filter."""

    def __init__(self, client: Client, **proof: str) -> None:
        self.client = client
        self.headers = {**JSON, **(proof or basic("admin", "password"))}

    def send(
        self, method: str, path: str = "", body: Any = None, status: int = HTTPStatus.OK, **params: Any
    ) -> Any:
        url = path if path.startswith("http") else f"/api/{path}".rstrip("/")
        if params:
            named = {"filter[]" if name == "filter" else name: value for name, value in params.items()}
            url = f"{url}?{urlencode(named, doseq=True)}"
        return ask(self.client, method, url, body, status, **self.headers)

    def all(self, collection: str, **params: Any) -> list[dict[str, Any]]:
        found = self.send("get", collection, expand="resources", **params)["resources"]
        assert all({"href", "id"} <= one.keys() for one in found)
        return list(found)

    def offered(self, path: str, name: str) -> Mapping[str, str]:
        """The first action of that name, as the client takes it."""
        params = {} if path.startswith("http") else {"limit": 1}
        offered: list[dict[str, str]] = self.send("get", path, **params).get("actions", [])
        return next(action for action in offered if action["name"] == name)

    def act(self, path: str, name: str, **body: Any) -> Any:
        action = self.offered(path, name)
        return self.send(action["method"], action["href"], {"action": name, **body})


@pytest.fixture
def ruby(admin_client: Client) -> Ruby:
    return Ruby(Client())


# --- Client: its definitions, logins and primitives ---


def test_the_entry_point_defines_the_client(ruby: Ruby) -> None:
    entry = ruby.send("get", attributes="authorization")
    for name in ("name", "description", "version"):
        assert isinstance(entry[name], str)
    assert all(version.keys() >= {"name", "href"} for version in entry["versions"])
    assert isinstance(entry["settings"], dict)
    assert isinstance(entry["authorization"], dict)
    for name in ("userid", "name", "user_href", "group", "group_href", "role", "groups", "miq_groups"):
        assert name in entry["identity"]
    assert entry["product_info"]["name"] == entry["product_info"]["name_full"] == "Portcullis"
    assert entry["server_info"].keys() >= {"version", "time"}
    assert all(one.keys() == {"name", "href", "description"} for one in entry["collections"])


@pytest.mark.on_purpose("There is no appliance, and what is not here has no address")
def test_what_an_appliance_is_stays_empty(ruby: Ruby) -> None:
    entry = ruby.send("get", attributes="authorization")
    assert not {"build", "appliance", "server_href", "region_href"} & entry["server_info"].keys()
    assert not {"copyright", "support_website", "branding_info"} & entry["product_info"].keys()


def test_each_login_of_the_client_lets_in(ruby: Ruby) -> None:
    user(userid="foo", groups=("special_group",))
    token = Ruby(Client(), **basic("foo")).send("get", "auth")["auth_token"]
    for proof in (basic("foo"), {"X_Auth_Token": token}, {**basic("foo"), "X_MIQ_Group": "special_group"}):
        identity = Ruby(Client(), **proof).send("get", attributes="authorization")["identity"]
        assert (identity["userid"], identity["group"]) == ("foo", "special_group")


@pytest.mark.on_purpose("Nobody vouches for users: neither servers of ManageIQ nor OpenID Connect")
@pytest.mark.parametrize("proof", [{"X_MIQ_Token": "system_token"}, {"Authorization": "Bearer bearer_token"}])
def test_other_tokens_do_not(proof: dict[str, str]) -> None:
    Ruby(Client(), **proof).send("get", status=HTTPStatus.UNAUTHORIZED)


def test_the_primitives(ruby: Ruby, cast: Cast) -> None:
    path = f"providers/{cast.acme.pk}"
    assert ruby.send("get", path)["name"] == "acme"
    assert ruby.send("put", path, {"name": "put"})["name"] == "put"
    assert ruby.send("patch", path, [{"action": "edit", "path": "name", "value": "patch"}])["name"] == "patch"
    assert ruby.send("post", path, {"action": "edit", "resource": {"name": "post"}})["name"] == "post"
    told = ruby.send("options", "providers")
    assert {"attributes", "virtual_attributes", "relationships", "data"} <= told.keys()
    assert ruby.send("delete", path, status=HTTPStatus.NO_CONTENT) is None


@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_an_action_is_sent_alike_by_each_method_that_is_offered(ruby: Ruby, cast: Cast, method: str) -> None:
    href = f"http://testserver/api/providers/{cast.acme.pk}"
    assert any(one["name"] == "edit" and one["method"] == method for one in ruby.send("get", href)["actions"])
    for number, body in enumerate(({"resource": {"name": "0"}}, {"name": "1"})):
        assert ruby.send(method, href, {"action": "edit", **body})["name"] == str(number)
    ruby.send("delete", href, {"action": "delete"}, HTTPStatus.NO_CONTENT)


@pytest.mark.parametrize(
    ("path", "status"),
    [("vms/9999", HTTPStatus.NOT_FOUND), ("bogus_collection", HTTPStatus.BAD_REQUEST)],
)
def test_errors_have_what_the_client_raises(ruby: Ruby, path: str, status: int) -> None:
    error = ruby.send("get", path, status=status)["error"]
    assert error.keys() == {"kind", "message", "klass"}
    assert path.rpartition("/")[2] in error["message"]


# --- Collection: finding ---


def test_one_is_found_by_its_id_or_not(ruby: Ruby, cast: Cast) -> None:
    pk = str(cast.production.single.pk)
    for value in (pk, f"'{pk}'"):
        [found] = ruby.all("vms", filter=[f"id={value}"], limit=1)
        assert found["id"] == pk
    assert ruby.all("vms", filter=["id=9999"], limit=1) == []


def test_several_are_found_by_a_query(ruby: Ruby, cast: Cast) -> None:
    pks = [str(cast.staging.single.pk), str(cast.production.single.pk)]
    results = ruby.act("vms", "query", resources=[{"id": pk} for pk in pks])["results"]
    assert [one["id"] for one in results] == pks


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"filter": ["name='production-single'"], "limit": 1}, ["production-single"]),
        ({"filter": ["name='production-single'", "vendor='amazon'"]}, ["production-single"]),
        (
            {"filter": ["name!='production-single'", "name!='staging-single'"]},
            ["production-double", "staging-double"],
        ),
        ({"filter": ["description=NULL", "template=false"], "limit": 1}, ["production-single"]),
        ({"filter": ["description!=nil"]}, []),
        ({"sort_by": "name", "sort_order": "asc", "limit": 1}, ["production-double"]),
        ({"sort_by": "vendor,name", "sort_order": "asc,desc", "offset": 1, "limit": 1}, ["staging-double"]),
    ],
)
def test_a_relation_becomes_parameters(ruby: Ruby, cast: Cast, params: dict[str, Any], names: list[str]) -> None:
    assert [one["name"] for one in ruby.all("vms", **params)] == names


def test_only_what_is_plucked_is_answered(ruby: Ruby, cast: Cast) -> None:
    plucked = ruby.all("vms", attributes="name,vendor")
    assert all(one.keys() == {"href", "id", "name", "vendor"} for one in plucked)
    assert len(plucked) == Vm.objects.count()


# --- Collection and resource: acting ---


def test_the_actions_of_a_collection_are_asked_for_by_one_resource(ruby: Ruby, cast: Cast) -> None:
    for name in ("create", "edit", "delete", "refresh", "query"):
        action = ruby.offered("providers", name)
        assert (action["method"], action["href"]) == ("post", "http://testserver/api/providers")


@pytest.mark.on_purpose("Groups are managed in the admin, and read-only over the API")
def test_a_group_is_not_made(ruby: Ruby) -> None:
    Group.objects.create(name="one")
    assert [action["name"] for action in ruby.send("get", "groups", limit=1)["actions"]] == ["query"]


def test_resources_are_created_edited_refreshed_and_deleted_in_bulk(ruby: Ruby, cast: Cast) -> None:
    new = {"type": AMAZON_TYPE, "credentials": {"userid": "me", "password": "secret"}}
    [alone] = ruby.act("providers", "create", resource={**new, "name": "alone"})["results"]
    both = ruby.act("providers", "create", resources=[{**new, "name": name} for name in "ab"])["results"]
    made = [alone, *both]
    assert all(Provider.objects.filter(pk=one["id"], name=one["name"]).exists() for one in made)
    changes = [{"id": one["id"], "name": f"{one['name']} 2"} for one in made]
    edited = ruby.act("providers", "edit", resources=changes)["results"]
    assert [one["name"] for one in edited] == ["alone 2", "a 2", "b 2"]
    for action in ("refresh", "delete"):
        results = ruby.act("providers", action, resources=[{"href": one["href"]} for one in made])["results"]
        assert all(one["success"] and one["message"] and one["task_id"] for one in results)


def test_a_resource_acts_where_it_says(ruby: Ruby, cast: Cast) -> None:
    href = f"http://testserver/api/providers/{cast.acme.pk}"
    assert ruby.act(href, "edit", resource={"name": "renamed"})["name"] == "renamed"
    assert ruby.act(href, "refresh")["success"] is True
    assert ruby.act(href, "delete")["success"] is True
    ruby.send("get", href, status=HTTPStatus.NOT_FOUND)


def test_groups_are_added_where_the_subcollection_says(ruby: Ruby, cast: Cast, cloud: Any) -> None:
    path = f"instances/{cast.production.double.pk}/security_groups"
    results = ruby.act(path, "add", resources=[{"name": "web"}, {"name": "db"}])["results"]
    assert [one["success"] for one in results] == [True, True]


def test_a_refusal_says_so_and_why(ruby: Ruby, cast: Cast) -> None:
    results = ruby.act("vms", "refresh", resources=[{"id": "9999"}])["results"]
    assert results == [{"success": False, "message": "Couldn't find Vm with 'id'=9999"}]
