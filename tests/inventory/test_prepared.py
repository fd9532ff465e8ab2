"""Reads that are compiled once."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import QuerySet

from inventory.models import Vm
from inventory.prepared import Prepared, Slot
from tests.cast import Cast


def test_each_call_reads_what_its_values_say(cast: Cast) -> None:
    by_ref = Prepared(lambda: Vm.objects.filter(ems_ref=Slot("ref"), cloud=True))
    for vm in (cast.production.single, cast.staging.double):
        [found] = by_ref(ref=vm.ems_ref)
        assert (found.pk, found.created_on, found.guid) == (vm.pk, vm.created_on, vm.guid)
    assert by_ref(ref="'; --") == []


def test_a_slot_can_stand_at_several_places(cast: Cast) -> None:
    others = Prepared(
        lambda: Vm.objects.filter(provider__vms=Slot("vm")).exclude(pk=Slot("vm")).values_list("name", flat=True)
    )
    vm = cast.production.single
    assert set(others(vm=vm.pk)) == set(Vm.objects.exclude(pk=vm.pk).values_list("name", flat=True))


def test_what_is_joined_comes_along(cast: Cast, django_assert_num_queries: Any) -> None:
    with_provider = Prepared(lambda: Vm.objects.filter(pk=Slot("vm")).select_related("provider"))
    with django_assert_num_queries(1):
        [found] = with_provider(vm=cast.production.single.pk)
        assert found.provider == cast.acme


@pytest.mark.django_db
def test_it_is_made_once() -> None:
    made = []

    def rows() -> QuerySet[Any]:
        made.append(1)
        return Vm.objects.filter(name=Slot("name"))

    prepared = Prepared(rows)
    assert prepared(name="a") == prepared(name="b") == []
    assert made == [1]


@pytest.mark.django_db
def test_what_a_call_found_is_no_part_of_the_next(cast: Cast) -> None:
    everything = Prepared(lambda: Vm.objects.filter(provider=Slot("provider")))
    assert len(everything(provider=cast.acme.pk)) == 4
    Vm.objects.all().delete()
    assert everything(provider=cast.acme.pk) == []
