"""Once the deletion of a provider is accepted every answer is as if it had never been there."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from inventory.db.conditions import EVERYTHING
from inventory.models import CallRate, Provider, Task, Vm
from inventory.querysets import OwnedQuerySet
from inventory.rest.resources import ToOne, get_resource_type
from inventory.rest.routers import viewset_of
from inventory.services import delete_provider
from secgroups.models import SecurityGroup
from tests import cast as actors

#: Those of what belongs to a provider.
TYPES = map(get_resource_type, settings.COLLECTIONS)
COLLECTIONS = [resource_type.name for resource_type in TYPES if isinstance(resource_type.queryset, OwnedQuerySet)]
#: The models of the admin that belong to a provider.
LISTED = [model for model in admin.site._registry if hasattr(model._default_manager, "connected")]


@pytest.fixture
def kept(db: None) -> Provider:
    return actors.plant("kept").provider


@pytest.fixture
def gone(kept: Provider, admin_user: User) -> Provider:
    provider = actors.plant("meadow").provider
    delete_provider(provider=provider, user=admin_user)
    return provider


def urls(collection: str) -> Iterator[str]:
    """What can be asked of a collection: every attribute, what is below it, filters and orders."""
    resource_type = get_resource_type(collection)
    url, plain = f"/api/{collection}", [*resource_type.columns]
    yield url
    for parameters in ("offset=1", "limit=1", "limit=1&sort_by=id", "hide=resources", "filter[]=id>0", "after=0"):
        yield f"{url}?{parameters}&expand=resources"
    yield f"{url}?expand={','.join(['resources', *resource_type.subcollections])}"
    everything = [*plain, *resource_type.computed_names, *resource_type.relations]
    yield f"{url}?expand=resources&attributes={','.join(everything)}"
    for name in plain:
        yield f"{url}?sort_by={name}&expand=resources"
    if "name" in plain:
        yield f"{url}?filter[]=name='meadow*'"
        yield f"{url}?name__icontains=meadow"
    for name, relation in resource_type.relations.items():
        attribute = "name" if "name" in get_resource_type(relation.collection).columns else "id"
        yield f"{url}?filter[]={name}.{attribute}='*o*'&expand=resources" if attribute == "name" else url
        if isinstance(relation, ToOne):
            yield f"{url}?filter[]={name}.{attribute}=NULL"
    for pk in resource_type.queryset.filter(**{f"{owner_of(collection)}": "kept"}).values_list("pk", flat=True):
        yield f"{url}/{pk}"
        for below in resource_type.subcollections:
            yield f"{url}/{pk}/{below}?expand=resources"


def owner_of(collection: str) -> str:
    return "name" if collection == "providers" else "provider__name"


def answers(client: Client, collection: str) -> dict[str, Any]:
    return {url: client.get(url).json() for url in urls(collection)}


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_every_answer_is_as_without_it(collection: str, kept: Provider, admin_client: Client) -> None:
    without = answers(admin_client, collection)
    provider = actors.plant("meadow").provider
    assert answers(admin_client, collection) != without
    delete_provider(provider=provider, user=None)
    assert answers(admin_client, collection) == without


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_nothing_of_it_can_be_asked_for(collection: str, gone: Provider, admin_client: Client) -> None:
    resource_type = get_resource_type(collection)
    hidden = list(resource_type.queryset.model._default_manager.filter(**{owner_of(collection): "meadow"}))
    assert hidden
    for row in hidden:
        url = f"/api/{collection}/{row.pk}"
        for path in (url, *(f"{url}/{name}" for name in resource_type.subcollections)):
            assert admin_client.get(path).status_code == HTTPStatus.NOT_FOUND
        for action in viewset_of(collection).declared_actions():
            if action.detail:
                answer = admin_client.post(url, {"action": action.url_path}, "application/json")
                assert answer.status_code == HTTPStatus.NOT_FOUND
        named = [{"id": row.pk}, {"href": url}, *([{"guid": row.guid}] if hasattr(row, "guid") else [])]
        body = {"action": "query", "resources": named}
        found = admin_client.post(f"/api/{collection}", body, "application/json").json()["results"]
        assert [one["success"] for one in found] == [False] * len(named)


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_the_statements_of_a_collection_are_kept(collection: str, admin_user: User) -> None:
    """The condition is in the declared queryset, so that a reading need not add it."""
    queryset = get_resource_type(collection).queryset
    assert queryset.scope_of(admin_user) is EVERYTHING


def test_no_group_of_it_is_added_and_no_instance_of_it_changed(gone: Provider, admin_client: Client) -> None:
    vm, kept = Vm.objects.get(provider=gone), Vm.objects.get(provider__name="kept")
    body = {"action": "add", "resource": {"id": SecurityGroup.objects.filter(provider=gone).first().pk}}
    for pk, status in ((vm.pk, HTTPStatus.NOT_FOUND), (kept.pk, HTTPStatus.BAD_REQUEST)):
        url = f"/api/instances/{pk}/security_groups"
        assert admin_client.post(url, body, "application/json").status_code == status


@pytest.mark.parametrize("model", LISTED)
def test_the_admin_lists_nothing_of_it(model: Any, gone: Provider, admin_client: Client) -> None:
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    for query in ("", "?q=gone", f"?provider__id__exact={gone.pk}"):
        answer = admin_client.get(f"{url}{query}", follow=True).content.decode()
        assert "meadow" not in answer.replace('value="meadow"', "").replace("q=gone", "")


def test_the_admin_has_no_page_of_it(gone: Provider, admin_client: Client) -> None:
    for row in (gone, gone.vms.get(), gone.security_groups.first(), CallRate.objects.get(provider=gone)):
        url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
        assert admin_client.get(url).status_code == HTTPStatus.FOUND


def test_a_task_of_it_leads_nowhere(gone: Provider, admin_client: Client) -> None:
    task = Task.objects.create(name="Added", queue="vms/1", provider=gone, vm=gone.vms.get(), state="Finished")
    for url in (
        reverse("admin:inventory_task_changelist"),
        reverse("admin:inventory_task_change", args=[task.pk]),
        reverse("admin:inventory_task_changelist", query={"vm__id__exact": task.vm_id}),
    ):
        answer = admin_client.get(url).content.decode()
        assert "meadow-meadow" not in answer
        assert f"/provider/{gone.pk}/" not in answer


@pytest.mark.parametrize("command", ["refresh", "exportprovider"])
def test_the_commands_do_not_know_it(command: str, gone: Provider) -> None:
    with pytest.raises(CommandError, match="There is no provider meadow"):
        call_command(command, "meadow")
