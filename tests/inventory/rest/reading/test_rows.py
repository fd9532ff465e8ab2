"""Of which reads PostgreSQL keeps the plan: of those that one plan suits, whatever their values are."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F
from django.db.models.lookups import Exact

from inventory.db.conditions import EVERYTHING, Condition, compare, compare_by
from inventory.db.expressions import Like
from inventory.rest.hrefs import Hrefs
from inventory.rest.reading.reader import Reader
from inventory.rest.reading.rows import Parent, RowQuery
from inventory.rest.resources import get_resource_type
from inventory.restrictions import Restriction
from tests.cast import Cast

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="is about the plans of PostgreSQL")


def plans_kept_of(rows: RowQuery) -> int:
    """How many this reading adds."""
    before = kept_plans()
    rows.ids()
    return kept_plans() - before


def kept_plans() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements")
        [number] = cursor.fetchone()
    return int(number)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        (EVERYTHING, 1),
        (compare("pk", 7), 1),
        (compare("pk__gt", 7), 1),
        (compare("ems_ref__exact", "i-7"), 1),
        (compare_by(Exact, F("ems_ref"), "i-7"), 1),
        (compare("ems_ref", "i-7") & ~compare("pk", 7), 0),
        (compare("ems_ref__gt", "i-7"), 0),
        (compare("name", "web-7"), 1),
        (compare("power_state", "on"), 0),
        (compare_by(Exact, F("power_state"), "on"), 0),
        (compare_by(Like, F("ems_ref"), ("i-", "")), 0),
        (compare("ems_ref", "i-7") | compare("name", "web-7"), 1),
        (compare("ems_ref", "i-7") | compare("power_state", "on"), 0),
    ],
)
def test_that_of_what_tells_a_row_is_kept(condition: Condition, kept: int) -> None:
    instances = get_resource_type("instances")
    assert plans_kept_of(RowQuery(instances, EVERYTHING).filter(condition)) == kept


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("condition", "kept"),
    [(EVERYTHING, 0), (compare("pk", 7), 1), (compare("pk__gt", 7), 0), (compare("name", "a"), 1)],
)
def test_that_of_a_row_that_is_named_is_kept_whatever_the_scope(condition: Condition, kept: int) -> None:
    scope = Restriction((1, 2)).condition("provider", "cloud_tenant")
    assert plans_kept_of(RowQuery(get_resource_type("instances"), scope).filter(condition)) == kept


@pytest.mark.parametrize(
    ("collection", "name", "kept"),
    [
        ("instances", "security_groups", 1),
        ("security_groups", "firewall_rules", 1),
        ("security_groups", "instances", 0),
        ("providers", "instances", 0),
    ],
)
def test_that_of_a_subcollection_of_which_no_parent_has_many_is_kept(
    cast: Cast, admin_user: User, collection: str, name: str, kept: int
) -> None:
    reader, above = Reader(admin_user, Hrefs("/api")), get_resource_type(collection)
    below = above.subcollections[name]
    parent = Parent(above, reader.scope(above), below, 7)
    assert plans_kept_of(reader.row_query(below.resource_type, parent)) == kept
    assert plans_kept_of(reader.row_query(below.resource_type, parent).filter(compare("description", "x"))) == 0
