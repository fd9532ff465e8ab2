"""Lookups that Django doesn't have."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.db.lookups import Numbers
from inventory.models import NetworkPort, Vm
from secgroups.models import SecurityGroup
from tests.cast import Cast


@pytest.mark.parametrize(
    ("model", "lookup"), [(Vm, "pk"), (NetworkPort, "vm"), (SecurityGroup, "vms"), (Vm, "security_groups")]
)
@pytest.mark.usefixtures("cast")
def test_among_finds_what_in_finds(model: Any, lookup: str) -> None:
    values = list(model.objects.exclude(**{lookup: None}).values_list(lookup, flat=True).distinct())
    for wanted in ([], values[:1], values, [*values, 999_999, 2**62]):
        among, within = (
            list(model.objects.filter(**{f"{lookup}__{name}": of}).order_by("pk").values_list("pk", lookup))
            for name, of in (("among", Numbers(wanted)), ("in", wanted))
        )
        assert among == within


def test_among_is_one_parameter_however_many_they_are(cast: Cast) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert Vm.objects.filter(pk__among=Numbers(range(100_000))).count() == 4
    assert len(queries) == 1


def test_among_can_be_excluded(cast: Cast) -> None:
    vm = cast.production.single
    assert set(Vm.objects.exclude(pk__among=Numbers([vm.pk]))) == set(Vm.objects.exclude(pk=vm.pk))
