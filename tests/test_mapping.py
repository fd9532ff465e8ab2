"""What drivers read has one list of columns, and people see each of them."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models.constants import LOOKUP_SEP
from django.test import RequestFactory
from django.utils.module_loading import import_string

from inventory.drivers.boundary import PARTS
from inventory.drivers.values import Instance, Inventory
from inventory.mapping import ValueMapping
from inventory.models import CloudNetwork, NetworkPort, Vm
from secgroups.models import AddressList, FirewallRule, SecurityGroup
from tests.secgroups.test_export import EVERYTHING

MAPPED = [model for model in apps.get_models() if hasattr(model, "mapping") and not model._meta.proxy]
#: Attributes that no column of the row is to hold.
APART: dict[Any, set[str]] = {
    NetworkPort: {"group_refs", "revision"},
    SecurityGroup: {"shared_with", "associated_network_refs"},
    CloudNetwork: {"peer_refs"},
}
#: Columns that the admin shows as something else; a name is the title of the page.
SHOWN_AS = {
    "name": None,
    "ipaddresses": "addresses",
    "public_ipaddresses": "public_addresses",
    "allowed_address_pairs": "address_pairs",
    "host_protocol": "protocol",
    "network_protocol": "protocol",
    "port": "ports",
    "end_port": "ports",
    "source_ip_range": "other_side",
    "source_security_group": "other_side",
    "source_address_list": "other_side",
    "entries": "known_entries",
}


def lost(model: type[models.Model], mapping: ValueMapping[Any]) -> list[str]:
    """The attributes of a value for which the model has no column, nor says that they are apart."""
    found = []
    for name in {field.name for field in fields(mapping.kind)} - APART.get(model, set()):
        try:
            column_of(model, mapping.paths[name])
        except (FieldDoesNotExist, KeyError):
            found.append(name)
    return found


def column_of(model: Any, path: str) -> Any:
    """The field at the end of a path."""
    for name in path.split(LOOKUP_SEP):
        field = model._meta.get_field(name)
        model = field.related_model
    return field


def columns(model: Any) -> set[str]:
    """The names of the model's own fields that hold what a driver reads."""
    return {path.split(LOOKUP_SEP)[0] for path in model.mapping.paths.values()}


def test_every_kind_of_value_is_mapped_by_one_model() -> None:
    assert {model.mapping.kind for model in MAPPED} == set(PARTS.values())
    assert len(MAPPED) == len(PARTS)


@pytest.mark.parametrize("model", MAPPED)
def test_every_attribute_of_a_value_has_its_column_or_is_said_to_be_apart(model: Any) -> None:
    assert lost(model, model.mapping) == []


def test_an_attribute_that_nothing_maps_is_found() -> None:
    @dataclass(frozen=True, slots=True)
    class Longer(Instance):
        unheard_of: str | None = None

    renamed = {name: path for name, path in Vm.mapping.paths.items() if name != path}
    assert lost(Vm, ValueMapping(Longer, derived=Vm.mapping.derived, **renamed)) == ["unheard_of"]


@pytest.mark.parametrize("model", MAPPED)
def test_a_reference_leads_to_a_ref(model: Any) -> None:
    for name, path in model.mapping.paths.items():
        assert name.endswith("ref") == (path == "ems_ref" or path.endswith("__ems_ref")), name


@pytest.mark.parametrize("part", PARTS)
def test_the_example_that_goes_through_a_refresh_and_an_export_has_every_attribute(part: str) -> None:
    """`test_export` says that it comes back as it was."""
    for field in fields(PARTS[part]):
        usual = None if field.default is MISSING else field.default
        if field.name != "revision":
            assert {getattr(value, field.name) for value in getattr(EVERYTHING, part)} - {usual}, field.name


def test_the_example_is_of_every_part() -> None:
    assert all(getattr(EVERYTHING, field.name) for field in fields(Inventory) if field.name in PARTS)


@pytest.mark.parametrize("model", MAPPED)
def test_the_api_shows_every_column(model: Any) -> None:
    viewsets = [import_string(path) for path in settings.COLLECTIONS.values()]
    [viewset] = [one for one in viewsets if one.queryset.model is model]
    shown = {field.source for field in viewset.serializer_class().fields.values()} | viewset.computed.keys()
    attributes = {model._meta.get_field(name).attname for name in columns(model)}
    assert attributes <= shown


@pytest.mark.parametrize("model", MAPPED)
def test_the_admin_shows_every_column(model: Any, rf: RequestFactory) -> None:
    page = admin.site._registry[model]
    shown = set(flatten_fieldsets(page.get_fieldsets(rf.get("/"), model())))
    hidden = [name for name in columns(model) if not {name, SHOWN_AS.get(name, name)} & {None, *shown}]
    assert hidden == []


def test_a_row_is_read_and_written_by_name() -> None:
    columns = FirewallRule.mapping.columns({"group_ref": {"sg-1": 7}, "source_group_ref": {"sg-2": 8}})
    rule = EVERYTHING.rules[1]
    row = columns.named(rule)
    assert (row["security_group_id"], row["source_security_group_id"]) == (7, 8)
    assert (row["host_protocol"], row["port"], row["source_ip_range"]) == ("icmp", 0, None)
    assert "ems_ref" not in row
    assert FirewallRule.mapping.value(getattr(rule, name) for name in FirewallRule.mapping.paths) == rule


def test_a_tuple_is_a_list_in_its_column() -> None:
    port = EVERYTHING.ports[0]
    row = NetworkPort.mapping.columns().named(port)
    assert row["ipaddresses"] == ["10.0.0.1", "198.51.100.1"]
    assert "vm_id" not in row
    held = [row.get(path, getattr(port, name)) for name, path in NetworkPort.mapping.paths.items()]
    assert NetworkPort.mapping.value(held, group_refs=port.group_refs) == port


def test_an_unknown_list_is_null_in_its_column() -> None:
    known, empty, unknown = EVERYTHING.address_lists
    columns = AddressList.mapping.columns()
    rows = [columns.named(one) for one in (known, empty, unknown)]
    assert [row["entries"] for row in rows] == [["10.0.0.0/8", "192.0.2.1/32"], [], None]
    for value, row in zip((known, empty, unknown), rows, strict=True):
        held = [row.get(path, getattr(value, name)) for name, path in AddressList.mapping.paths.items()]
        assert AddressList.mapping.value(held) == value


def test_columns_that_are_alike_and_derived_are_written_too() -> None:
    row = Vm.mapping.columns(vendor="amazon").named(EVERYTHING.instances[0])
    assert (row["uid_ems"], row["vendor"]) == ("i-1", "amazon")
    shared = SecurityGroup.mapping.columns().named(EVERYTHING.groups[0])
    assert shared["shared"] is True


def test_a_mapping_of_an_attribute_that_no_value_has_is_refused() -> None:
    with pytest.raises(TypeError, match="Instance has no attribute flavour_name, placement"):
        ValueMapping(Instance, excluded=["placement"], flavour_name="flavor_name")
