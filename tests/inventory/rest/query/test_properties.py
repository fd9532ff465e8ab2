"""`filter[]`, sorting and paging over random rows answer what plain Python makes of them, on every database."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.api import ProviderViewSet
from inventory.db.conditions import EVERYTHING
from inventory.models import Provider
from inventory.rest.query import order, where
from inventory.rest.reading.rows import RowQuery
from tests.examples import EXAMPLES
from tests.inventory.rest.query.model import Filter, Query, Row, answer
from tests.queries import SUPERVISOR

#: What makes trouble in patterns, in quotes, in collations and in bytes.
TEXTS = st.text("aAbzZ01%_*?[]'\"\\^$.,- äÄßéİσςΣ\n\N{GRINNING FACE}\uffee", max_size=5)
NUMBERS = st.integers(0, 5) | st.sampled_from([65535, 2**31 - 1])
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(-2, 2).map(lambda n: NEW_YEAR + n * timedelta(seconds=1)) | st.integers(0, 10**6).map(
    lambda n: NEW_YEAR + timedelta(microseconds=n)
)
#: Attribute -> its values.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "project": TEXTS,
    "hostname": TEXTS,
    "port": NUMBERS,
    "enabled": st.booleans(),
    "last_refresh_date": MOMENTS,
}
DAYS = st.integers(-1, 1).map(lambda n: NEW_YEAR.date() + n * timedelta(days=1))
#: Attribute -> what it can be compared with; a time with a whole day as well.
COMPARED = VALUES | {"last_refresh_date": MOMENTS | DAYS}
NULLABLE = {"project", "hostname", "port", "last_refresh_date"}
TEXTUAL = {"project", "hostname"}
PATTERNS = ["^a", "b$", "[0-9]", "a|z", r"\.", "ä", r"^\S*$", "(?:a|A)+", ".{3}"]


def rows() -> st.SearchStrategy[list[Row]]:
    one = {name: st.none() | values if name in NULLABLE else values for name, values in VALUES.items()}
    return st.lists(st.fixed_dictionaries(one), max_size=8)


def written(value: Any, quote: str) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case date():
            return value.isoformat()
        case str():
            return f"{quote}{value}{quote}"
    return str(value)


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    name = draw(st.sampled_from(sorted(VALUES)))
    quote = draw(st.sampled_from("'\""))
    space = draw(st.sampled_from(["", " "]))
    kinds = (
        ["=", "!=", "==", "!=="] + ["<", "<=", ">", ">="] * (name != "enabled") + ["=~", "!~"] * (name in TEXTUAL)
    )
    operator = draw(st.sampled_from(kinds))
    alternative = draw(st.integers(0, 3)) == 0
    if "~" in operator:
        pattern = draw(st.sampled_from(PATTERNS))
        values = (pattern.replace("$", r"\Z"),)  # Python's $ would let a newline follow
        operand = f"/{pattern}/"
    elif operator in {"<", "<=", ">", ">="}:
        values = (draw(COMPARED[name]),)
        operand = written(values[0], quote)
    else:
        items = draw(st.lists(st.none() | COMPARED[name], min_size=1, max_size=3))
        values = tuple(items)
        operand = "[" + ",".join(written(item, "'") for item in items) + "]"
        if len(items) == 1 and draw(st.booleans()):
            operand = written(items[0], quote)
        elif any(isinstance(item, str) and "'" in item for item in items):
            values = tuple(item.replace("'", "x") if isinstance(item, str) else item for item in items)
            operand = "[" + ",".join(written(item, "'") for item in values) + "]"
    text = f"{'or ' * alternative}{name}{space}{operator}{space}{operand}"
    return Filter(name, operator, values, text, alternative)


def queries() -> st.SearchStrategy[Query]:
    orders = st.lists(
        st.tuples(st.sampled_from(sorted(VALUES)), st.booleans()), max_size=3, unique_by=lambda o: o[0]
    )
    return st.builds(
        Query, st.lists(filters(), max_size=4), orders, st.booleans(), st.integers(0, 4), st.integers(1, 6)
    )


@pytest.mark.django_db
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(rows(), queries())
def test_a_page_of_a_filtered_and_sorted_list_is_what_plain_python_makes_of_it(
    rows: list[Row], query: Query
) -> None:
    with transaction.atomic():
        made = Provider.objects.bulk_create(
            Provider(name=f"{number}", vendor="x", **row) for number, row in enumerate(rows)
        )
        known = [{"id": one.pk, **row} for one, row in zip(made, rows, strict=True)]
        assert page(query) == answer(known, query)
        transaction.set_rollback(True)


def page(query: Query) -> list[int]:
    asked = QueryDict(mutable=True)
    asked["sort_by"] = ",".join(name for name, _ in query.orders)
    asked["sort_order"] = ",".join("desc" if descending else "asc" for _, descending in query.orders)
    asked["sort_options"] = "ignore_case" if query.ignore_case else ""
    texts = [one.text for one in query.filters]
    row_query = RowQuery(
        ProviderViewSet.resource_type,
        EVERYTHING,
        order=order(ProviderViewSet.resource_type, asked if query.orders else QueryDict(), SUPERVISOR),
        offset=query.offset,
        limit=query.limit,
    )
    if texts:
        row_query = row_query.filter(where(ProviderViewSet.resource_type, texts, SUPERVISOR))
    return row_query.ids()
