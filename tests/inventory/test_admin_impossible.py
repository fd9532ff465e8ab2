"""What no row can be, in every page of the admin: an address or a form that names it is no fault of ours."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from inventory.models import Provider, Task, Vm
from tests.cast import Cast, enter

# A value that PostgreSQL refuses ends its transaction.
pytestmark = [pytest.mark.walk, pytest.mark.django_db(transaction=True)]

ADMINS = {model._meta.label_lower.replace(".", "_"): one for model, one in admin.site._registry.items()}
VALUES = ["9" * 20, "", "\0", "x"]


@pytest.fixture
def cast() -> Cast:
    return enter()


def page(name: str, view: str = "changelist", /, *args: object, **query: object) -> str:
    return reverse(f"admin:{name}_{view}", args=args, query=query)


def parameters_of(listed: Any) -> set[str]:
    """Whatever a list may be narrowed by: its filters, and the columns of its model."""
    fields = {field.name for field in listed.opts.concrete_fields}
    related = {f"{field.name}__id__exact" for field in listed.opts.concrete_fields if field.is_relation}
    filters = [one[0] if isinstance(one, tuple) else one for one in listed.list_filter]
    named = {one.parameter_name if isinstance(one, type) else str(one) for one in filters}
    return {"q", "p", *related, *named, *(f"{one}__exact" for one in fields)}


@pytest.mark.parametrize("name", sorted(ADMINS))
class TestEveryList:
    def test_it_can_be_narrowed_by_anything(self, admin_client: Client, cast: Cast, name: str) -> None:
        for parameter, value in product(sorted(parameters_of(ADMINS[name])), filter(None, VALUES)):
            answer = admin_client.get(page(name, **{parameter: value}), follow=True)
            # 400 is Django's own answer to what a list can't be narrowed by.
            assert answer.status_code in {200, 400}, (parameter, value)

    def test_anything_can_be_chosen_for_any_action(self, admin_client: Client, cast: Cast, name: str) -> None:
        before = Provider.objects.connected().count(), Vm.objects.count(), User.objects.count()
        for action, value in product({*(ADMINS[name].actions or ()), "delete_selected"}, VALUES):
            data = {"action": action, "_selected_action": [value], "post": "yes"}
            answer = admin_client.post(page(name), data, follow=True)
            assert answer.status_code in {200, 404}, (action, value)
        assert (Provider.objects.connected().count(), Vm.objects.count(), User.objects.count()) == before

    def test_no_page_is_there_for_it(self, admin_client: Client, cast: Cast, name: str) -> None:
        for view, value in product(["change", "delete", "history"], filter(None, VALUES)):
            answer = admin_client.get(page(name, view, value), follow=True)
            assert answer.status_code in {403, 404} or answer.redirect_chain, (view, value)


@pytest.mark.parametrize("action", ["add", "remove"])
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_groups_that_can_not_be(admin_client: Client, cast: Cast, action: str, value: str) -> None:
    for name in ("inventory_vm", "inventory_instance"):
        address = page(name, f"{action}_groups", ids=cast.staging.single.pk)
        assert admin_client.post(address, {"groups": [value]}, follow=True).status_code == 200
        assert admin_client.get(page(name, f"{action}_groups", ids=value), follow=True).status_code == 404
    assert not Task.objects.exists()
