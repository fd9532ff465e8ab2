"""What the values of the drivers say that fits is what the columns hold."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import pytest

from inventory.drivers import values
from inventory.drivers.boundary import PARTS
from inventory.drivers.limits import Between, Exact, Limit, Shown
from inventory.models import CloudNetwork, CloudTenant, NetworkPort, Vm
from secgroups.models import FirewallRule, SecurityGroup

MODELS: dict[str, Any] = {
    "tenants": CloudTenant,
    "networks": CloudNetwork,
    "groups": SecurityGroup,
    "rules": FirewallRule,
    "instances": Vm,
    "ports": NetworkPort,
}


def texts() -> list[Any]:
    """Each text of a value, with its limit and the column of the same name; a reference's is that of an id."""
    found = []
    for part, kind in PARTS.items():
        columns = {field.name: field for field in MODELS[part]._meta.get_fields()}
        for name, hint in get_type_hints(kind, include_extras=True).items():
            limit = next((one for one in flattened(hint) if isinstance(one, Exact | Shown)), None)
            column = columns["ems_ref"] if name.endswith("ref") else columns.get(name)
            if limit and column is not None and not column.is_relation:
                found.append(pytest.param(limit, column, id=f"{kind.__name__}.{name}"))
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
    ):
        choices = {choice for choice, _ in model._meta.get_field(name).choices or ()}
        assert choices == {one for one in flattened(get_type_hints(kind)[name]) if isinstance(one, str)}
