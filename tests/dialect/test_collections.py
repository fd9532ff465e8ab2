"""What `spec/requests/collections_spec.rb` asks of the collections that there are: lists, and queries in bulk."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from inventory.rest.resources import get_resource_type
from tests.cast import Cast
from tests.dialect.asking import get, post

COLLECTIONS = sorted(settings.COLLECTIONS)
#: What tells one from others, as ManageIQ has it.
IDENTIFYING = {
    "providers": ["guid"],
    "vms": ["guid"],
    "instances": ["guid"],
    "users": ["userid", "name"],
    "groups": ["description"],
}


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_a_collection_lists_all_that_there_is(admin_client: Client, company: Cast, collection: str) -> None:
    found = get(admin_client, f"/{collection}", expand="resources")
    ids = {str(pk) for pk in get_resource_type(collection).queryset.values_list("pk", flat=True)}
    assert (found["name"], found["count"], found["subcount"]) == (collection, len(ids), len(ids))
    assert {one["id"] for one in found["resources"]} == ids
    assert all(one["href"] == f"http://testserver/api/{collection}/{one['id']}" for one in found["resources"])


def one_of(client: Client, collection: str) -> dict[str, Any]:
    listed: list[dict[str, Any]] = get(client, f"/{collection}", expand="resources")["resources"]
    return next(one for one in listed if all(one[name] for name in IDENTIFYING.get(collection, [])))


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_a_resource_is_queried_by_whatever_names_it(admin_client: Client, company: Cast, collection: str) -> None:
    one = one_of(admin_client, collection)
    ways = ["id", "href", *IDENTIFYING.get(collection, [])]
    resources = [{name: one[name]} for name in ways]
    results = post(admin_client, f"/{collection}", {"action": "query", "resources": resources})["results"]
    assert [(found["id"], found["href"]) for found in results] == [(one["id"], one["href"])] * len(ways)


@pytest.mark.on_purpose("the results of a query have no actions, as the resources of a list have none")
def test_a_query_shows_no_actions(admin_client: Client, company: Cast) -> None:
    [found] = post(admin_client, "/vms", {"action": "query", "resources": [{"id": company.production.single.pk}]})[
        "results"
    ]
    assert "actions" not in found


@pytest.mark.on_purpose("of what is not found a query says so in its place; ManageIQ answers 404 for all")
def test_an_invalid_guid(admin_client: Client, company: Cast) -> None:
    body = {"action": "query", "resources": [{"guid": "B999999D"}]}
    assert post(admin_client, "/vms", body)["results"] == [
        {"success": False, "message": "Couldn't find Vm with 'guid'=B999999D"}
    ]
