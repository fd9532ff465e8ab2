"""What the values of the drivers say that fits is what the columns hold."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import pytest
from django.db import models

from inventory.drivers import values
from inventory.drivers.limits import Between, Exact, Limit, Shown
from inventory.models import CloudNetwork, CloudTenant, NetworkPort, Vm
from secgroups.models import AddressList, FirewallRule, SecurityGroup
from tests.test_mapping import column_of, lost


def texts() -> list[Any]:
    """Each text of a value, with its limit and its column; a reference's is that of the ref that it leads to."""
    found = []
    for model in (CloudTenant, CloudNetwork, SecurityGroup, FirewallRule, Vm, NetworkPort, AddressList):
        hints = get_type_hints(model.mapping.kind, include_extras=True)
        unmapped = lost(model, model.mapping)  # for which a test of its own fails
        for name, path in model.mapping.paths.items():
            limit = next((one for one in flattened(hints[name]) if isinstance(one, Exact | Shown)), None)
            column = None if name in unmapped else column_of(model, path)
            if limit and column and not isinstance(column, models.JSONField):
                found.append(pytest.param(limit, column, id=f"{model.__name__}.{name}"))
    return found


def flattened(hint: Any) -> list[Any]:
    inner = get_args(hint)
    return [*inner] + [deeper for one in inner if not isinstance(one, Limit) for deeper in flattened(one)]


@pytest.mark.parametrize(("limit", "column"), texts())
def test_a_text_fits_that_its_column_holds(limit: Exact | Shown, column: Any) -> None:
    assert limit.longest == column.max_length


def test_every_text_was_looked_at() -> None:
    assert len(texts()) >= 30


def test_a_port_of_a_rule_fits_its_column() -> None:
    assert Between(-1, 65535) in flattened(get_type_hints(values.Rule, include_extras=True)["port"])


def test_words_are_those_of_the_columns() -> None:
    for kind, name, model in (
        (values.Rule, "direction", FirewallRule),
        (values.Rule, "network_protocol", FirewallRule),
        (values.Instance, "power_state", Vm),
        (values.AddressList, "family", AddressList),
    ):
        column: Any = column_of(model, model.mapping.paths[name])
        choices = {choice for choice, _ in column.choices or ()}
        assert choices == {one for one in flattened(get_type_hints(kind)[name]) if isinstance(one, str)}


@pytest.mark.parametrize("model", [CloudTenant, CloudNetwork, Vm, NetworkPort, SecurityGroup, AddressList])
def test_a_name_has_the_256_characters_that_clouds_allow(model: Any) -> None:
    assert model._meta.get_field("name").max_length == 256
