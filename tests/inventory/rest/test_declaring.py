"""A collection has the whole dialect by being declared: here one that the service does not have."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db.models import Value
from django.db.models.functions import Upper
from django.test import Client, override_settings
from django.urls import include, re_path
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.models import Provider
from inventory.rest.actions.command import Answer, result
from inventory.rest.resources import Subcollection, ToMany
from inventory.rest.routers import api_urls
from inventory.rest.serializers import ResourceSerializer
from inventory.rest.viewsets import CollectionViewSet
from tests.cast import Cast


class GateSerializer(ResourceSerializer):
    class Meta:
        model = Provider
        fields = ["name", "port", "enabled"]


class GateViewSet(CollectionViewSet):
    """Gates."""

    collection = "gates"
    queryset = Provider.objects.all()
    serializer_class = GateSerializer
    computed = {"sign": Upper("name"), "sort": Value(1)}
    relations = {"towers": ToMany("cloud_tenants", "provider")}
    subcollections = {"cloud_tenants": Subcollection("inventory.api.CloudTenantViewSet", "provider")}

    @action(detail=True, methods=["post"], permission="inventory.refresh_provider")
    def lift(self, request: Request, **kwargs: Any) -> Response:
        """Lift it."""
        return self.answer(lambda gate, given: result(True, f"Lifted {gate.name}"))

    @action(detail=True, methods=["post"], permission="inventory.refresh_provider")
    def close(self, request: Request, **kwargs: Any) -> Response:
        """Close it together with the others."""

        def refuse(row: Any, given: Any, error: Exception) -> str:
            return "nothing"

        def finish(closed: list[str]) -> list[Answer]:
            return [result(name != "nothing", f"Closed {name} of {' and '.join(closed)}") for name in closed]

        return self.answer(lambda gate, given: gate.name, refuse=refuse, finish=finish)


@pytest.fixture(autouse=True)
def gates(settings: Any, cast: Cast) -> Iterator[None]:
    settings.COLLECTIONS = {**settings.COLLECTIONS, "gates": f"{__name__}.GateViewSet"}
    urls = ModuleType("urls")
    urls.urlpatterns = [re_path(r"^api(?:/v(?P<version>\d[^/]*))?(?:/|$)", include(api_urls()))]  # type: ignore[attr-defined]
    with override_settings(ROOT_URLCONF=urls):
        yield


def get(client: Client, url: str) -> Any:
    answer = client.get(url)
    assert answer.status_code == HTTPStatus.OK, answer.content
    return answer.json()


def test_it_is_read_filtered_sorted_and_paged(admin_client: Client, cast: Cast) -> None:
    attributes = "name,port,enabled,sign,towers"
    query = "filter[]=sign=AC*&filter[]=towers.name=account&name__icontains=CM&sort_by=sign&limit=1"
    answer = get(admin_client, f"/api/gates?{query}&expand=resources,cloud_tenants&attributes={attributes}")
    assert (answer["name"], answer["count"], answer["subquery_count"]) == ("gates", 1, 1)
    [gate] = answer["resources"]
    assert (gate["name"], gate["sign"], gate["enabled"]) == ("acme", "ACME", True)
    assert gate["cloud_tenants"][0]["href"] == f"{gate['href']}/cloud_tenants/{cast.tenant.pk}"
    assert get(admin_client, gate["href"])["name"] == "acme"
    assert get(admin_client, f"/api/gates/{cast.acme.pk}/cloud_tenants")["count"] == 1


def test_its_actions_are_offered_and_run(admin_client: Client, client: Client, cast: Cast) -> None:
    url = f"/api/gates/{cast.acme.pk}"
    assert "lift" in {action["name"] for action in get(admin_client, url)["actions"]}
    answer = admin_client.post(url, {"action": "lift"}, content_type="application/json")
    assert answer.json() == {"success": True, "message": "Lifted acme"}


def test_one_action_answers_for_one_and_for_many(admin_client: Client, cast: Cast) -> None:
    def lift(url: str, **body: Any) -> tuple[int, Any]:
        answer = admin_client.post(url, {"action": "lift", **body}, content_type="application/json")
        return answer.status_code, answer.json()

    lifted, missing = {"success": True, "message": "Lifted acme"}, "Couldn't find Provider with 'id'=0"
    refused = {"success": False, "message": missing}
    assert lift(f"/api/gates/{cast.acme.pk}") == (200, lifted)
    assert lift(f"/api/gates/{cast.acme.pk}", resources=[{}]) == (200, lifted)
    assert lift("/api/gates", id=cast.acme.pk) == (200, {"results": [lifted]})
    assert lift("/api/gates", id=0) == (400, {"results": [refused]})
    assert lift("/api/gates", resources=[{"id": 0}, {"id": cast.acme.pk}]) == (200, {"results": [refused, lifted]})
    assert lift("/api/gates/0")[0] == HTTPStatus.NOT_FOUND


def test_what_is_done_together_has_a_result_for_each(admin_client: Client, cast: Cast) -> None:
    body = {"action": "close", "resources": [{"id": cast.acme.pk}, {"id": 0}, {"id": cast.acme.pk, "foo": 1}]}
    answer = admin_client.post("/api/gates", body, content_type="application/json")
    assert answer.status_code == HTTPStatus.OK
    of = "of acme and nothing and nothing"
    assert [(one["success"], one["message"]) for one in answer.json()["results"]] == [
        (True, f"Closed acme {of}"),
        (False, f"Closed nothing {of}"),
        (False, f"Closed nothing {of}"),
    ]
    url = f"/api/gates/{cast.acme.pk}"
    answer = admin_client.post(url, {"action": "close", "foo": 1}, content_type="application/json")
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json() == {"success": False, "message": "Closed nothing of nothing"}


def test_it_describes_itself_and_is_listed(admin_client: Client) -> None:
    assert admin_client.options("/api/gates").json() == {
        "attributes": ["enabled", "href", "id", "name", "port"],
        "virtual_attributes": ["href_slug", "sign", "sort"],
        "relationships": ["towers"],
        "subcollections": ["cloud_tenants"],
        "data": {},
    }
    assert "gates" in {collection["name"] for collection in get(admin_client, "/api")["collections"]}


def test_reading_it_asks_the_permission_of_its_model(client: Client, django_user_model: Any) -> None:
    user = django_user_model.objects.create_user("reader")
    client.force_login(user)
    assert client.get("/api/gates").status_code == HTTPStatus.FORBIDDEN
    user.user_permissions.add(Permission.objects.get(codename="view_provider"))
    assert client.get("/api/gates").status_code == HTTPStatus.OK
