"""No list tells a secret character by character, or runs a user's regular expression: in the admin and the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from tests.cast import Cast

pytestmark = pytest.mark.walk

ADMINS = {model._meta.label_lower.replace(".", "_"): one for model, one in admin.site._registry.items()}
#: The paths of secrets, by the list that they are tried at.
SECRETS = {
    "inventory_provider": ["credentials"],
    "inventory_vm": ["provider__credentials", "provider_id__credentials", "tasks__owner__password"],
    "inventory_task": ["provider__credentials", "owner__password", "owner_id__password"],
    "inventory_authtoken": ["digest", "user__password", "user__auth_token_set__digest"],
    "auth_user": ["password", "auth_token_set__digest"],
    "auth_group": ["user__password", "user__auth_token_set__digest"],
}
LOOKUPS = ["", "exact", "startswith", "istartswith", "contains", "gt", "in", "isnull", "length", "regex"]


def changelist(name: str, **query: object) -> str:
    return reverse(f"admin:{name}_changelist", query=query)


@pytest.mark.parametrize(("name", "path"), [(name, path) for name, paths in SECRETS.items() for path in paths])
def test_the_admin_refuses_lookups_of_secrets(admin_client: Client, cast: Cast, name: str, path: str) -> None:
    for lookup in LOOKUPS:
        answer = admin_client.get(changelist(name, **{"__".join(filter(None, (path, lookup))): "1"}))
        assert answer.status_code == 400, lookup


@pytest.mark.parametrize("name", sorted(ADMINS))
def test_the_admin_refuses_regular_expressions(admin_client: Client, cast: Cast, name: str) -> None:
    for field in ADMINS[name].opts.concrete_fields:
        for path in (field.name, f"{field.name}__id" if field.is_relation else field.name, "pk"):
            for lookup in ("regex", "iregex", "date__regex", "lower__iregex"):
                answer = admin_client.get(changelist(name, **{f"{path}__{lookup}": "(a+)+$"}))
                assert answer.status_code == 400, (path, lookup)


def test_no_list_is_sorted_by_a_secret(admin_client: Client, cast: Cast) -> None:
    for name in SECRETS:
        plain = admin_client.get(changelist(name)).context["cl"].result_list
        for order in ("credentials", "password", "-digest", "99", "-99"):
            listed = admin_client.get(changelist(name, o=order)).context["cl"]
            assert [row.pk for row in listed.result_list] == [row.pk for row in plain]
            assert "credentials" not in str(listed.queryset.query.order_by)


def test_a_popup_does_not_return_a_secret_as_the_key(admin_client: Client, cast: Cast) -> None:
    for name, field in (("inventory_provider", "credentials"), ("auth_user", "password")):
        assert admin_client.get(changelist(name, _to_field=field)).status_code == 400


def test_other_columns_can_still_be_looked_up(admin_client: Client, cast: Cast) -> None:
    for query in ({"name__startswith": "ac"}, {"pk__in": str(cast.acme.pk)}, {"enabled__exact": "1"}):
        listed = admin_client.get(changelist("inventory_provider", **query)).context["cl"].result_list
        assert [row.name for row in listed] == ["acme"]
    assert admin_client.get(changelist("inventory_vm", provider__id__exact=cast.acme.pk)).status_code == 200


@pytest.mark.parametrize("collection", ["providers", "instances", "tasks", "users", "security_groups"])
def test_the_api_knows_no_secrets(admin_client: Client, cast: Cast, collection: str) -> None:
    paths = ("credentials", "provider.credentials", "password", "owner.password", "auth_token_set.digest")
    for path in paths:
        lookups = ("", "__startswith", "__contains", "__regex", "__iregex")
        queries: list[dict[str, Any]] = [
            {"filter[]": f"{path}='v1%'"},
            {"filter[]": f"{path}=~'/^v1/'"},
            {"sort_by": path},
            {"attributes": path, "expand": "resources"},
            {"expand": f"resources,{path}"},
            *({f"{path.replace('.', '__')}{lookup}": "v1"} for lookup in lookups),
        ]
        for query in queries:
            answer = admin_client.get(f"/api/{collection}", query)
            assert answer.status_code == 400, (query, answer.content)


@pytest.mark.parametrize("lookup", ["regex", "iregex"])
def test_no_parameter_of_the_api_is_a_regular_expression(admin_client: Client, cast: Cast, lookup: str) -> None:
    for collection in ("providers", "instances", "tasks", "users"):
        answer = admin_client.get(f"/api/{collection}", {f"name__{lookup}": "(a+)+$"})
        assert answer.status_code == 400
