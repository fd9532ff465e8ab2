"""What `spec/lib/api/filter_spec.rb` asks: how the text of a filter is read, and what it finds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from inventory.api import ProviderViewSet, VmViewSet
from inventory.models import Provider, Vm
from inventory.rest.errors import BadInput
from inventory.rest.query import where
from inventory.rest.query.grammar import Filter, ListOperand, Null, Operator, Text, parse
from tests.cast import Cast, provider
from tests.queries import SUPERVISOR

BIG = "1000000000123"


def read(text: str) -> tuple[str, str, Any]:
    """Attribute, operator and value."""
    condition = parse(text)
    match condition.operand:
        case Text(value):
            operand: Any = value
        case Null():
            operand = None
        case ListOperand(items):
            operand = [getattr(item, "value", None) for item in items]
    return ".".join(condition.path), condition.operator.value, operand


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('name="bb"', ("name", "=", "bb")),
        ("name='aa'", ("name", "=", "aa")),
        ("name=[foo,bar,baz]", ("name", "=", ["foo", "bar", "baz"])),
        ("description=NULL", ("description", "=", None)),
        ("description!=nil", ("description", "!=", None)),
        (f"id < {BIG}", ("id", "<", BIG)),
        (f"id <= {BIG}", ("id", "<=", BIG)),
        (f"id > {BIG}", ("id", ">", BIG)),
        (f"id >= {BIG}", ("id", ">=", BIG)),
        ("cloud_tenant.name='foo'", ("cloud_tenant.name", "=", "foo")),
        ("name=foo", ("name", "=", "foo")),
        ("name=VMs with load > 50 percent", ("name", "=", "VMs with load > 50 percent")),
        ("name=='  foo.*bar%f '", ("name", "==", "  foo.*bar%f ")),
        ("name !== '  foo.*bar%f ' ", ("name", "!==", "  foo.*bar%f ")),
        ("name =~ /foo/i", ("name", "=~", "/foo/i")),
        ("name !~ /foo/i", ("name", "!~", "/foo/i")),
        ("cloud_tenant.name='foo='", ("cloud_tenant.name", "=", "foo=")),
        ("cloud_tenant.name<'<=foo=>'", ("cloud_tenant.name", "<", "<=foo=>")),
        ("cloud_tenant.name=x", ("cloud_tenant.name", "=", "x")),
        ("  name  = x ", ("name", "=", "x")),
        ("  name  =  ", ("name", "=", "")),
        ('  name= "x y" ', ("name", "=", "x y")),
        ("name  ='x y'", ("name", "=", "x y")),
        ("name=~= x y ", ("name", "=~", "= x y")),
    ],
)
def test_a_filter_is_read(text: str, meant: tuple[str, str, Any]) -> None:
    assert read(text) == meant


@pytest.mark.parametrize("operator", [one.value for one in Operator])
@pytest.mark.parametrize("value", ["x", ">x"])
def test_every_operator_is_told_from_its_value(operator: str, value: str) -> None:
    assert read(f"name{operator}{value}") == ("name", operator, value)


@pytest.mark.parametrize("text", ["name^bb", "=bb", "name"])
def test_what_has_no_operator_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="Unknown operator specified"):
        parse(text)


def test_or_is_told_apart() -> None:
    assert parse("or id > 1") == Filter(("id",), Operator.GREATER, Text("1"), alternative=True)


# --- What they find ---


def found(*filters: str, viewset: Any = ProviderViewSet) -> list[str]:
    asked = where(viewset.resource_type, filters, SUPERVISOR)
    return list(viewset.queryset.filter(asked.q()).order_by("pk").values_list("name", flat=True))


@pytest.fixture
def providers(db: None) -> list[Provider]:
    days = (datetime(2016, 1, day, tzinfo=UTC) for day in (1, 2, 3))
    return [
        provider(name, project=project, last_refresh_date=day)
        for name, project, day in zip(["aa", "b/foo", "ab"], ["x", "x", "y"], days, strict=True)
    ]


@pytest.mark.usefixtures("providers")
@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (["name='a%'"], ["aa", "ab"]),
        (["name='a*'"], ["aa", "ab"]),
        (["name!='b%'"], ["aa", "ab"]),
        (["name='*/foo'"], ["b/foo"]),
        (["id > 0", "name = aa"], ["aa"]),
        (["name = aa", "or name = ab"], ["aa", "ab"]),
        (["id > 0", "name = aa", "or name = ab"], ["aa", "ab"]),
        (["supports_security_groups=true"], ["aa", "b/foo", "ab"]),
        (["total_vms > 4"], []),
        (["last_refresh_date = 2016-01-02", "project = x"], ["b/foo"]),
        (["last_refresh_date > 2016-01-01", "project = x"], ["b/foo"]),
        (["last_refresh_date > 2016-01-01T23:59:59Z", "project = x"], ["b/foo"]),
        (["last_refresh_date < 2016-01-03", "project = x"], ["aa", "b/foo"]),
        (["last_refresh_date < 2016-01-02T00:00:00Z", "project = x"], ["aa"]),
        (["last_refresh_date = 2016-01-02 00:00:00 UTC"], ["b/foo"]),
    ],
)
def test_filters_find(filters: list[str], names: list[str]) -> None:
    assert found(*filters) == names


@pytest.mark.usefixtures("providers")
@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("last_refresh_date <= 2016-01-02", ["aa", "b/foo"]),
        ("last_refresh_date >= 2016-01-02", ["b/foo", "ab"]),
        ("last_refresh_date != 2016-01-02", ["aa", "ab"]),
    ],
)
@pytest.mark.on_purpose("times take every comparison; ManageIQ refuses these three")
def test_times_take_every_comparison(text: str, names: list[str]) -> None:
    assert found(text) == names


def test_an_address_is_looked_for_in_the_list(cast: Cast) -> None:
    vm: Vm = cast.production.single
    vm.network_ports.update(ipaddresses=["192.0.2.0", "192.0.2.1"])
    assert found("ipaddresses='192.0.2.0'", viewset=VmViewSet) == [vm.name]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "security_groups.cloud_tenant.name=x",
            "Filtering of attributes with more than one association away is not supported",
        ),
        ("created_on > foobar", "Bad format for datetime: foobar"),
    ],
)
def test_what_can_not_be_asked_is_said(db: None, text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        found(text, viewset=VmViewSet)
