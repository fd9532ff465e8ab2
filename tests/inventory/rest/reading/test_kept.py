"""Queries of what viewers may see, which are compiled once for each shape of a scope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from inventory.db.conditions import fixed
from inventory.db.lookups import Numbers
from inventory.models import CloudTenant, Vm
from inventory.rest.reading.kept import KeptQuery, kept
from inventory.rest.resources import Viewer
from tests.cast import Cast, plant
from tests.queries import SUPERVISOR
from tests.readers import grant

#: With what the query was compiled, each time.
made: list[int | None] = []


@pytest.fixture
def names() -> KeptQuery:
    made.clear()

    @kept("vms")
    def names(rows: QuerySet[Any, Any], at_most: int | None, pks: Any) -> QuerySet[Any, Any]:
        made.append(at_most)
        return rows.filter(pk__among=pks).order_by("pk").values_list("name")[:at_most]

    return names


def read(query: KeptQuery, viewer: Viewer, vms: Sequence[Vm], at_most: int | None = None) -> list[str]:
    return [name for (name,) in query(viewer, at_most, pks=Numbers([vm.pk for vm in vms]))]


def reader_of(tenant: CloudTenant) -> Viewer:
    user = User.objects.create_user(f"reader of {tenant.pk}")
    grant(user, "viewer", tenant, group=user.username)
    return Viewer(User.objects.get(pk=user.pk))


def test_viewers_share_it_and_see_their_own(cast: Cast, names: KeptQuery) -> None:
    own, other = cast.production.single, plant("other").vm
    for vm in (own, other):
        assert vm.cloud_tenant
        assert read(names, reader_of(vm.cloud_tenant), [own, other]) == [vm.name]
    assert made == [None]
    assert read(names, SUPERVISOR, [own, other]) == [own.name, other.name]
    assert made == [None, None]


def test_each_call_has_its_values_and_parts_are_compiled(cast: Cast, names: KeptQuery) -> None:
    single, double = cast.production.single, cast.production.double
    for vm in (single, double):
        assert read(names, SUPERVISOR, [vm]) == [vm.name]
    assert read(names, SUPERVISOR, [single, double], 1) == [single.name]
    assert made == [None, 1]


def test_who_may_see_nothing_reads_nothing(cast: Cast, names: KeptQuery, django_user_model: Any) -> None:
    nobody = Viewer(django_user_model.objects.create_user("nobody"))
    assert read(names, nobody, [cast.production.single]) == []


def test_a_scope_that_does_not_recur_is_not_kept(
    cast: Cast, names: KeptQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    single, double = cast.production.single, cast.production.double
    for vm in (single, double):
        scope = fixed(Q(pk__in=[vm.pk]))
        monkeypatch.setattr(Viewer, "scope", lambda self, resource_type, scope=scope: scope)
        assert read(names, SUPERVISOR, [single, double]) == [vm.name]
    assert made == [None, None]
