"""What `manage.py check` says of what is declared wrong."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks
from rest_framework import serializers
from rest_framework.decorators import action

from inventory.api import CloudNetworkViewSet, ZoneViewSet
from inventory.models import CloudNetwork
from inventory.querysets import OwnedQuerySet
from inventory.rest.serializers import StrictSerializer


class Loose(serializers.Serializer[Any]):
    name = serializers.CharField()


class Strict(StrictSerializer):
    name = serializers.CharField()


def problems(monkeypatch: pytest.MonkeyPatch, **declared: Any) -> list[str]:
    """Those of an action that is declared so."""

    def paint(self: Any, request: Any, **kwargs: Any) -> None:
        """Paint it."""

    monkeypatch.setattr(
        ZoneViewSet, "paint", action(detail=True, methods=["post"], **declared)(paint), raising=False
    )
    return [str(message.msg) for message in run_checks() if message.id == "inventory.E002"]


@pytest.mark.parametrize(
    "declared", [{"permission": None}, {"permission": "inventory.view_vm", "serializer_class": Strict}]
)
def test_an_action_may_be_declared_so(declared: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems(monkeypatch, **declared) == []


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({}, "names no permission. Without one, whoever may view the resources may run it: permission=None"),
        ({"permission": "inventory.paint_zone"}, "requires inventory.paint_zone, a permission that no model has"),
        ({"permission": None, "serializer_class": Loose}, "takes Loose, which is no StrictSerializer"),
    ],
)
def test_an_action_that_lets_too_much_through_is_named(
    declared: dict[str, Any], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [message] = problems(monkeypatch, **declared)
    assert message.startswith(f"The action paint of ZoneViewSet {problem}")


class Stray(OwnedQuerySet):
    tenant = "nowhere"


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (
            Stray(CloudNetwork).connected(),
            "has no nowhere, its lookup for a tenant. If there is none: tenant = None in Stray",
        ),
        (CloudNetwork.objects.all(), "has rows of providers that are being deleted. Declare it with .connected()"),
    ],
)
def test_rows_that_no_scope_reaches_are_named(rows: Any, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CloudNetworkViewSet, "queryset", rows)
    messages = {str(message.msg) for message in run_checks() if message.id == "inventory.E003"}
    assert messages == {f"The queryset of CloudNetworkViewSet {problem}."}


def test_a_role_permits_what_there_is(settings: Any) -> None:
    settings.ROLES = {"viewer": ["inventory.view_vm", "inventory.veiw_vm"]}
    assert [message.msg for message in run_checks() if message.id == "inventory.E006"] == [
        "settings.ROLES['viewer'] has inventory.veiw_vm, a permission that no model has."
    ]
