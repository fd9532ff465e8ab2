"""From rows to resources, where a query is not as simple as that of a list."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Concat

from inventory.api import VmViewSet
from inventory.models import Vm
from inventory.rest.reading.projection import Projection
from inventory.rest.reading.selection import Selection
from tests.cast import Cast

PLAIN = {"name": "name", "label": Concat("name", Value("!"))}


def expected(rows: QuerySet[Any]) -> list[dict[str, Any]]:
    return [
        {"href": f"vms/{vm.pk}", "id": str(vm.pk), "name": vm.name, "label": f"{vm.name}!"} for vm in list(rows)
    ]


@pytest.mark.parametrize(
    "rows",
    [
        Vm.objects.order_by("-name"),
        Vm.objects.order_by(F("name").desc(nulls_last=True), "pk")[1:3],
        Vm.objects.filter(security_groups__name="default").distinct().order_by("-pk"),
        Vm.objects.select_related("provider").defer("name").order_by("pk"),
        Vm.objects.annotate(label=Value("another")).filter(label="another").order_by("label", "-pk"),
        Vm.objects.filter(pk__in=[]),
        Vm.objects.none(),
    ],
    ids=["ordered", "sliced", "distinct", "related", "annotated", "empty", "none"],
)
@pytest.mark.usefixtures("cast")
def test_a_projection_reads_the_rows_of_any_query(rows: QuerySet[Any]) -> None:
    assert Projection(PLAIN).resources(rows.all(), "vms/") == expected(rows.all())


def test_a_projection_can_select_what_is_joined(cast: Cast) -> None:
    projection = Projection({"provider": "provider__name", "tenant": "cloud_tenant__name"})
    found = projection.resources(Vm.objects.order_by("pk"), "")
    assert {(one["provider"], one["tenant"]) for one in found} == {("acme", "account")}
    assert [one["id"] for one in found] == [str(vm.pk) for vm in Vm.objects.order_by("pk")]


def test_what_an_owner_has_by_two_ways_comes_twice(cast: Cast) -> None:
    projection, vm = Projection({"name": "name"}), cast.production.double
    rows = Vm.objects.filter(network_ports__vm=vm)
    found = list(projection.owned(rows, "network_ports", lambda port: f"{port}/"))
    ports = vm.network_ports.values_list("pk", flat=True)
    assert sorted(found) == sorted(
        (port, {"href": f"{port}/{vm.pk}", "id": str(vm.pk), "name": vm.name}) for port in ports
    )


def test_a_shape_is_worked_out_once() -> None:
    vm, selection = VmViewSet.resource_type, Selection(("name", "guid"), computed=("href_slug",))
    assert Projection.of(vm, selection) is Projection.of(vm, Selection(("name", "guid"), ("href_slug",)))
    assert Projection.of(vm, selection) is not Projection.of(vm, Selection(("guid", "name"), ("href_slug",)))
