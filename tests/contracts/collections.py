"""What every collection must do: a suite that each collection's tests inherit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, ClassVar

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from inventory.rest import routers
from inventory.rest.resources import Costly, get_resource_type

#: How many queries the attributes that cost much take on a page.
COSTLY_QUERIES = 8


def grant(user: User, *permissions: str) -> User:
    """Give a user these permissions (`app.codename`); returns the user as the database now has it."""
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return User.objects.get(pk=user.pk)


def everything_to_see(user: User) -> User:
    """Give a user all permissions to view; no more."""
    user.user_permissions.add(*Permission.objects.filter(codename__startswith="view_"))
    return user


def _offered(client: Client, url: str) -> set[str]:
    return {action["name"] for action in client.get(url).json().get("actions", ())}


def _walked(client: Client, url: str | None) -> Iterator[str]:
    """The address of each resource, from page to page."""
    while url:
        page = client.get(url).json()
        yield from (resource["href"] for resource in page["resources"])
        url = page["links"].get("next")


@pytest.mark.django_db
@pytest.mark.usefixtures("company")
class CollectionContract:
    """`collection` is its name; the fixture `company` fills each collection with at least two resources."""

    collection: str
    #: Whether reading asks a permission; tasks are everybody's own.
    asks_permission = True
    #: One of the permissions of an action that has several.
    one_of_several: ClassVar[Mapping[str, str]] = {}
    #: The parameter for the rows that can be deleted; all but events.
    deletable = ""

    @property
    def url(self) -> str:
        return f"/api/{self.collection}"

    @pytest.fixture
    def first(self, admin_client: Client) -> dict[str, Any]:
        return admin_client.get(f"{self.url}?expand=resources&limit=1").json()["resources"][0]

    def test_a_list_has_the_envelope(self, admin_client: Client) -> None:
        answer = admin_client.get(self.url).json()
        assert list(answer) == ["name", "count", "subcount", "pages", "resources", "actions", "links"]
        assert answer["name"] == self.collection
        assert answer["count"] == answer["subcount"] == len(answer["resources"]) >= 2
        assert answer["pages"] == 1
        assert all(list(resource) == ["href"] for resource in answer["resources"])

    def test_expanded_resources_have_their_address_id_and_every_plain_attribute(
        self, admin_client: Client
    ) -> None:
        for resource in admin_client.get(f"{self.url}?expand=resources").json()["resources"]:
            assert list(resource) == ["href", "id", *get_resource_type(self.collection).columns]
            assert resource["href"] == f"http://testserver{self.url}/{resource['id']}"

    def test_ids_are_text_and_times_are_utc(self, first: dict[str, Any]) -> None:
        for name, value in first.items():
            if name == "id" or name.endswith("_id"):
                assert value is None or isinstance(value, str)
            if name.endswith("_on") and value is not None:
                assert value.endswith("Z")

    def test_a_resource_is_what_the_list_shows_of_it(self, admin_client: Client, first: dict[str, Any]) -> None:
        answer = admin_client.get(first["href"]).json()
        answer.pop("actions", None)
        assert answer == first

    def test_pages_meet_without_gap_or_repeat(self, admin_client: Client) -> None:
        everything = [r["href"] for r in admin_client.get(self.url).json()["resources"]]
        by_id = "&sort_by=id" + ("&sort_order=desc" if get_resource_type(self.collection).newest_first else "")
        for parameters in ("", "&filter[]=id>0", by_id, f"{by_id}&filter[]=id>0&expand=resources"):
            assert list(_walked(admin_client, f"{self.url}?limit=1{parameters}")) == everything

    def test_pages_meet_whatever_is_deleted_behind_them(self, admin_client: Client, admin_user: User) -> None:
        rows = get_resource_type(self.collection).queryset
        everything = [r["href"] for r in admin_client.get(f"{self.url}?{self.deletable}").json()["resources"]]
        walked = []
        for href in _walked(admin_client, f"{self.url}?limit=1&{self.deletable}"):
            walked.append(href)
            seen = rows.filter(pk=href.rpartition("/")[2])
            if seen.get() != admin_user:
                seen.delete()
        assert len(walked) >= 2
        assert walked == everything

    def test_every_attribute_can_be_asked_for(self, admin_client: Client, first: dict[str, Any]) -> None:
        resource_type = get_resource_type(self.collection)
        for name in [*resource_type.columns, *resource_type.computed_names, *resource_type.relations]:
            answer = admin_client.get(f"{first['href']}?attributes={name}")
            assert answer.status_code == HTTPStatus.OK
            assert name in answer.json()

    def test_an_attribute_is_the_same_whatever_is_asked_for_beside_it(
        self, admin_client: Client, first: dict[str, Any]
    ) -> None:
        resource_type = get_resource_type(self.collection)
        everything = ",".join([*resource_type.columns, *resource_type.computed_names, *resource_type.relations])
        url = f"{self.url}?expand=resources&limit=1&attributes={everything}"
        [resource] = admin_client.get(url).json()["resources"]
        assert {name: resource[name] for name in first} == first

    def test_every_subcollection_can_be_read_and_embedded(
        self, admin_client: Client, first: dict[str, Any]
    ) -> None:
        for name in get_resource_type(self.collection).subcollections:
            below = admin_client.get(f"{first['href']}/{name}?expand=resources").json()
            embedded = admin_client.get(f"{first['href']}?expand={name}").json()[name]
            assert embedded == below["resources"]
            assert all(r["href"] == f"{first['href']}/{name}/{r['id']}" for r in embedded)
            for resource in embedded:
                alone = admin_client.get(resource["href"]).json()
                assert alone["href"] == resource["href"]

    def test_a_list_with_everything_is_a_fixed_number_of_queries(
        self, client: Client, django_user_model: type[User], django_assert_max_num_queries: Any
    ) -> None:
        """Those of the session, the user and the permissions of a user who is no superuser included."""
        client.force_login(everything_to_see(django_user_model.objects.create_user("reader")))
        resource_type = get_resource_type(self.collection)
        expand = ",".join(["resources", *({"security_groups"} & resource_type.subcollections.keys())])
        computed = resource_type.computed_names
        costly = {name for name in computed if isinstance(resource_type.computed.get(name), Costly)}
        attributes = ",".join([*resource_type.columns, *computed, *resource_type.relations])
        with django_assert_max_num_queries(12 + COSTLY_QUERIES * len(costly)):
            answer = client.get(f"{self.url}?expand={expand}&attributes={attributes}")
        assert answer.json()["count"] >= 1

    def test_an_unknown_attribute_is_named(self, admin_client: Client) -> None:
        answer = admin_client.get(f"{self.url}?expand=resources&attributes=foo")
        assert answer.status_code == HTTPStatus.BAD_REQUEST
        assert answer.json()["error"]["message"] == "Invalid attributes specified: foo"

    @pytest.mark.parametrize("pk", ["0", "999999", "abc", "99999999999999999999", "1e3"])
    def test_what_is_not_there_is_404(self, admin_client: Client, pk: str) -> None:
        answer = admin_client.get(f"{self.url}/{pk}")
        assert answer.status_code == HTTPStatus.NOT_FOUND
        assert answer.json()["error"]["kind"] == "not_found"

    def test_without_a_login_it_is_401(self, client: Client) -> None:
        answer = client.get(self.url)
        assert answer.status_code == HTTPStatus.UNAUTHORIZED
        assert "WWW-Authenticate" not in answer.headers

    def test_reading_asks_its_permission(self, client: Client, django_user_model: type[User]) -> None:
        user = django_user_model.objects.create_user("nobody")
        client.force_login(user)
        expected = HTTPStatus.FORBIDDEN if self.asks_permission else HTTPStatus.OK
        assert client.get(self.url).status_code == expected
        grant(user, *get_resource_type(self.collection).view_permissions)
        assert client.get(self.url).status_code == HTTPStatus.OK

    def test_each_action_asks_its_own_permission_and_is_offered_with_it(
        self, client: Client, django_user_model: type[User], first: dict[str, Any]
    ) -> None:
        reader = everything_to_see(django_user_model.objects.create_user("reader"))
        client.force_login(reader)
        granted = {None}
        for action in routers.viewset_of(self.collection).declared_actions():
            name, permission = action.url_path, action.kwargs.get("permission")
            url = first["href"] if action.detail else self.url
            if several := self.one_of_several.get(name):
                assert name not in _offered(client, url)
                grant(reader, several)
            if permission not in granted:
                assert name not in _offered(client, url)
                answer = client.post(url, {"action": name, "resources": [{}]}, "application/json")
                assert answer.status_code == HTTPStatus.FORBIDDEN
                assert answer.json()["error"]["kind"] == "forbidden"
                grant(reader, permission)
                granted.add(permission)
            assert name in _offered(client, url)

    def test_what_it_cannot_do_is_refused(self, admin_client: Client) -> None:
        answer = admin_client.delete(self.url)
        assert answer.status_code == HTTPStatus.BAD_REQUEST
        assert (
            answer.json()["error"]["message"]
            == f"Unsupported HTTP Method delete for the Collection {self.collection} specified"
        )
        answer = admin_client.post(self.url, {"action": "foo"}, "application/json")
        assert answer.status_code == HTTPStatus.BAD_REQUEST
        assert (
            answer.json()["error"]["message"]
            == f"Unsupported Action foo for the {self.collection} collection specified"
        )

    def test_the_browsable_api_shows_it(self, admin_client: Client, first: dict[str, Any]) -> None:
        for url in (self.url, first["href"]):
            answer = admin_client.get(url, headers={"accept": "text/html"})
            assert answer.status_code == HTTPStatus.OK
            assert "Portcullis" in answer.content.decode()
