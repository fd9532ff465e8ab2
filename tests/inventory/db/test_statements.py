"""Reads that are compiled once."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from inventory.db.statements import CompiledQuery, Param
from inventory.models import Vm
from tests.cast import Cast


@pytest.mark.parametrize("planned", [True, False])
def test_each_call_reads_what_its_values_say(cast: Cast, planned: bool) -> None:
    rows = Vm.objects.filter(ems_ref=Param("ref"), cloud=True).values_list("pk", "created_on", "guid")
    by_ref = CompiledQuery(lambda: rows, planned=planned)
    for vm in (cast.production.single, cast.staging.double):
        assert list(map(tuple, by_ref(ref=vm.ems_ref))) == [(vm.pk, vm.created_on, vm.guid)]
    assert list(by_ref(ref="'; --")) == []


def test_a_slot_can_stand_at_several_places(cast: Cast) -> None:
    others = CompiledQuery(
        lambda: Vm.objects.filter(provider__vms=Param("vm")).exclude(pk=Param("vm")).values_list("name")
    )
    vm = cast.production.single
    expected = set(Vm.objects.exclude(pk=vm.pk).values_list("name"))
    assert set(map(tuple, others(vm=vm.pk))) == expected


def test_a_param_can_adapt_its_value(cast: Cast) -> None:
    backwards = CompiledQuery(
        lambda: Vm.objects.filter(name=Param("name", lambda name: name[::-1])).values_list("pk")
    )
    vm = cast.production.single
    assert [pk for (pk,) in backwards(name=vm.name[::-1])] == [vm.pk]
    assert list(backwards(name=vm.name)) == []


def test_what_is_joined_comes_along(cast: Cast, django_assert_num_queries: Any) -> None:
    with_provider = CompiledQuery(lambda: Vm.objects.filter(pk=Param("vm")).values_list("name", "provider__name"))
    with django_assert_num_queries(1):
        assert list(with_provider(vm=cast.production.single.pk)) == [(cast.production.single.name, cast.acme.name)]


@pytest.mark.django_db
def test_it_is_made_once() -> None:
    made = []

    def rows() -> QuerySet[Any, Any]:
        made.append(1)
        return Vm.objects.filter(name=Param("name")).values_list("pk")

    compiled = CompiledQuery(rows)
    assert list(compiled(name="a")) == list(compiled(name="b")) == []
    assert made == [1]


def test_what_a_call_found_is_no_part_of_the_next(cast: Cast) -> None:
    everything = CompiledQuery(lambda: Vm.objects.filter(provider=Param("provider")).values_list("pk"))
    assert len(list(everything(provider=cast.acme.pk))) == 4
    Vm.objects.all().delete()
    assert list(everything(provider=cast.acme.pk)) == []


@pytest.mark.django_db
def test_what_no_row_can_be_is_not_asked_for(django_assert_num_queries: Any) -> None:
    none = CompiledQuery(lambda: Vm.objects.filter(pk__in=[], name=Param("name")).values_list("pk"))
    with django_assert_num_queries(0):
        assert list(none(name="a")) == []


@pytest.mark.skipif(connection.vendor != "postgresql", reason="is about PostgreSQL")
@pytest.mark.parametrize("planned", [True, False])
def test_postgresql_keeps_what_is_planned(cast: Cast, planned: bool) -> None:
    rows = Vm.objects.filter(description=Param("text"), name="kept").values_list("pk")
    list(CompiledQuery(lambda: rows, planned=planned)(text="some"))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT generic_plans, custom_plans FROM pg_prepared_statements"
            " WHERE statement LIKE '%description%= ($1)%'"
        )
        assert cursor.fetchall() == ([(1, 0)] if planned else [])


def test_instances_come_with_what_is_joined(cast: Cast, django_assert_num_queries: Any) -> None:
    rows = Vm.objects.filter(pk=Param("vm")).select_related("provider").defer("provider__credentials")
    with_provider = CompiledQuery(lambda: rows)
    for vm in (cast.production.single, cast.staging.double):
        with django_assert_num_queries(1):
            [found] = with_provider.instances(vm=vm.pk)
            assert (found, found.guid, found.created_on) == (vm, vm.guid, vm.created_on)
            assert (found.provider.name, found.provider.get_deferred_fields()) == ("acme", {"credentials"})
    assert with_provider.instances(vm=0) == []
