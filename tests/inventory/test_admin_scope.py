"""Lists of the admin tell nothing of what lies outside by what they find, or by their order."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from inventory.models import NetworkPort
from tests.cast import Planted, plant, port
from tests.readers import grant


@pytest.fixture
def neighbours(db: None) -> Planted:
    """A tenant of which two ports are on VMs of another tenant, called `hidden-b` and `hidden-a`."""
    kept = plant("kept")
    for name, ref in (("hidden-b", "first"), ("hidden-a", "second")):
        hidden = plant(name, kept.provider)
        made = port(hidden.vm, kept.network, f"eni-{ref}")
        NetworkPort.objects.filter(pk=made.pk).update(name=ref)
    return kept


@pytest.mark.parametrize(
    ("scope", "found", "order"), [("tenant", 0, ["first", "second"]), ("provider", 2, ["second", "first"])]
)
def test_the_admin_neither_searches_nor_sorts_by_what_lies_outside(
    neighbours: Planted, scope: str, found: int, order: list[str]
) -> None:
    reader = User.objects.create_user("reader", is_staff=True)
    grant(reader, "viewer", getattr(neighbours, scope))
    client = Client()
    client.force_login(reader)
    url = reverse("admin:inventory_networkport_changelist")
    ports = NetworkPort.objects.filter(name__in=("first", "second"))
    assert client.get(f"{url}?q=hidden").context["cl"].queryset.filter(pk__in=ports).count() == found
    assert client.get(f"{url}?q=kept").context["cl"].result_count > 0
    columns = client.get(url).context["cl"].list_display
    [column] = (index for index, each in enumerate(columns) if getattr(each, "__name__", "") == "vm")
    listed = client.get(f"{url}?o={column}").context["cl"].queryset.filter(pk__in=ports)
    assert [row.name for row in listed] == order
