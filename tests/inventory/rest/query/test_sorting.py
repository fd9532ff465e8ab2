"""`sort_by`, `sort_order` and `sort_options`: the same total order on every database."""

from __future__ import annotations

import sys
import unicodedata
from typing import Any

import pytest
from django.db.models import Value
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from inventory.api import ProviderViewSet, VmViewSet
from inventory.db.expressions import Folded, fold
from inventory.models import Provider
from inventory.rest.errors import BadInput
from inventory.rest.query import order
from tests.cast import provider
from tests.queries import SUPERVISOR


def names(query: str) -> list[str]:
    rows = Provider.objects.order_by(*order(ProviderViewSet.resource_type, QueryDict(query), SUPERVISOR))
    return list(rows.values_list("name", flat=True))


@pytest.fixture
def texts(db: None) -> None:
    for name in [
        "b",
        "B",
        "a",
        "A",
        "Z",
        "ä",
        "Ä",
        "_",
        "1",
        "10",
        "2",
        "-",
        "\N{GRINNING FACE}",
        "\uffee",
        "a b",
    ]:
        provider(name)


@pytest.mark.usefixtures("texts")
def test_text_is_in_the_order_of_its_code_points() -> None:
    everything = [provider.name for provider in Provider.objects.all()]
    assert names("sort_by=name") == sorted(everything)
    assert names("sort_by=name&sort_order=desc") == sorted(everything, reverse=True)


@pytest.mark.usefixtures("texts")
def test_case_is_ignored_beyond_ascii_and_then_the_id_decides() -> None:
    everything = [provider.name for provider in Provider.objects.all()]
    assert names("sort_by=name&sort_options=ignore_case") == sorted(everything, key=str.casefold)


def test_null_is_last_and_in_a_descending_order_first(db: None) -> None:
    provider("none")
    provider("two", port=2, last_refresh_date=timezone.now())
    provider("one", port=1)
    assert names("sort_by=port") == ["one", "two", "none"]
    assert names("sort_by=port&sort_order=desc") == ["none", "two", "one"]
    assert names("sort_by=last_refresh_date") == ["two", "none", "one"]
    assert names("sort_by=last_refresh_date&sort_order=desc") == ["none", "one", "two"]


def test_several_attributes_each_have_their_direction_and_the_id_decides_what_they_leave(db: None) -> None:
    for name, port, project in [("a", 1, "x"), ("b", 2, "x"), ("c", 1, "y"), ("d", 1, "x"), ("e", 2, "y")]:
        provider(name, port=port, project=project)
    assert names("sort_by=port,project&sort_order=desc,asc") == ["b", "e", "a", "d", "c"]
    assert names("sort_by=port,project&sort_order=descending") == ["b", "e", "a", "d", "c"]
    assert names("sort_by=port,project&sort_order=asc,desc") == ["c", "a", "d", "e", "b"]
    assert names("sort_by= port , project &sort_order= ASCENDING , Descending") == ["c", "a", "d", "e", "b"]


def test_without_an_order_it_is_by_id_whose_order_is_that_of_numbers(db: None) -> None:
    for number in range(12):
        provider(f"{number}")
    assert names("") == [f"{number}" for number in range(12)]
    assert names("sort_by=id&sort_order=desc") == [f"{number}" for number in reversed(range(12))]


COLUMNS = ProviderViewSet.resource_type.columns


@pytest.mark.parametrize("name", ["id", *COLUMNS, "total_vms", "supports_security_groups"])
def test_every_simple_attribute_can_be_sorted_by(db: None, name: str) -> None:
    provider("one")
    assert names(f"sort_by={name}") == ["one"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("sort_by=foo", "foo is not a valid attribute for Provider"),
        ("sort_by=name,credentials", "credentials is not a valid attribute for Provider"),
        ("sort_by=vms", "vms is not a valid attribute for Provider"),
        ("sort_by=href_slug", "attribute Provider-href_slug can't be used in filters: it is not a scalar"),
        (
            "sort_by=name&sort_order=up",
            "Unsupported sort_order up: it must be one of asc, ascending, desc, descending",
        ),
        ("sort_by=name&sort_options=%C2%A0", "Unsupported sort_options \xa0: it must be one of ignore_case"),
        ("sort_by=name&sort_options=foo", "Unsupported sort_options foo: it must be one of ignore_case"),
    ],
)
def test_what_is_wrong_with_an_order_is_named(db: None, query: str, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        names(query)
    assert str(refused.value.detail) == message


def test_pages_of_an_order_with_ties_meet_without_gap_or_repeat(admin_client: Client) -> None:
    for number in range(7):
        provider(f"{number}", project="same")
    walked: list[Any] = []
    url = "/api/providers?sort_by=project&limit=2&expand=resources&attributes=name"
    while url:
        page = admin_client.get(url).json()
        walked += [resource["name"] for resource in page["resources"]]
        url = page["links"].get("next")
    assert walked == [f"{number}" for number in range(7)]


def test_a_wrong_order_is_400(admin_client: Client) -> None:
    answer = admin_client.get("/api/providers?sort_by=foo")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "foo is not a valid attribute for Provider"


#: What was assigned before the oldest of the Unicodes that the databases and Python bring.
OLD = unicodedata.ucd_3_2_0


def test_every_letter_is_folded_by_the_database_as_by_us(db: None) -> None:
    letters = [chr(n) for n in range(1, sys.maxunicode) if OLD.category(chr(n)).startswith("L")]
    cased = [letter for letter in letters if letter.lower() != letter or letter.upper() != letter]
    text = " ".join(cased)
    provider("one")
    folded = str(Provider.objects.values_list(Folded(Value(text)), flat=True).get())
    assert [
        pair for pair in zip(folded.split(" "), fold(text).split(" "), strict=True) if pair[0] != pair[1]
    ] == []


def test_a_list_has_no_order(db: None) -> None:
    with pytest.raises(BadInput, match="Vm cannot be sorted by ipaddresses"):
        order(VmViewSet.resource_type, QueryDict("sort_by=name,ipaddresses"), SUPERVISOR)
