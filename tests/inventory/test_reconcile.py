"""Rows made equal to what a cloud has."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.db import bulk
from inventory.drivers.values import Tenant
from inventory.findings import Findings
from inventory.guard import Guard, TooManyGone
from inventory.models import CloudTenant, Provider
from inventory.reconcile import reconcile
from tests import cast as actors
from tests.queries import writes


@pytest.fixture
def acme(db: None) -> Provider:
    return actors.provider("acme")


def tenants(provider: Provider) -> dict[str, str]:
    return dict(CloudTenant.objects.filter(provider=provider).values_list("ems_ref", "name"))


def bring(provider: Provider, *names: str, guard: Guard | None = None, **renamed: str) -> dict[str, int]:
    """Reconcile with tenants of these names, and with those that are called another name by now."""
    called = dict(zip(names, names, strict=True)) | renamed
    things = [Tenant(f"t-{ref}", name) for ref, name in called.items()]
    findings = Findings(guard, [])
    done = reconcile(
        CloudTenant,
        provider,
        things,
        CloudTenant.mapping.columns(),
        on_gone=lambda first, gone, appeared, known: findings.judge("cloud_tenants", gone, known, first),
    )
    if findings.objections:
        raise TooManyGone(*findings.objections)
    return done.ids


def test_what_is_missing_is_created(acme: Provider) -> None:
    bring(acme, "a", "b")
    assert tenants(acme) == {"t-a": "a", "t-b": "b"}


def test_what_is_gone_is_deleted(acme: Provider) -> None:
    bring(acme, "a", "b")
    bring(acme, "b")
    assert tenants(acme) == {"t-b": "b"}
    bring(acme)
    assert tenants(acme) == {}


def test_what_differs_is_updated_and_keeps_its_id(acme: Provider) -> None:
    before = bring(acme, "a", "b")
    after = bring(acme, "b", a="renamed")
    assert before == after
    assert tenants(acme) == {"t-a": "renamed", "t-b": "b"}


def test_only_the_attributes_that_differ_in_a_row_are_written(acme: Provider) -> None:
    def bring_described(**names: str) -> None:
        reconcile(
            CloudTenant,
            acme,
            [Tenant(f"t-{ref}", name, "the same") for ref, name in names.items()],
            CloudTenant.mapping.columns(),
        )

    bring_described(a="a", b="b", c="c")
    with CaptureQueriesContext(connection) as queries:
        bring_described(a="x", b="y", c="c")
    [update] = writes(queries)
    assert '"name" = ' in update
    assert '"description" = ' not in update
    assert tenants(acme) == {"t-a": "x", "t-b": "y", "t-c": "c"}


def test_an_update_notes_its_time_on_the_rows_that_it_changed(acme: Provider) -> None:
    bring(acme, "a", "b")
    long_ago = timezone.now().replace(year=2001)
    CloudTenant.objects.update(updated_on=long_ago)
    bring(acme, "b", a="renamed")
    times = dict(CloudTenant.objects.values_list("name", "updated_on"))
    assert times["b"] == long_ago
    assert times["renamed"] > long_ago


def test_it_answers_the_id_of_each_that_is_there_now(acme: Provider) -> None:
    bring(acme, "a", "b")
    ids = bring(acme, "b", "c")
    assert ids == dict(CloudTenant.objects.values_list("ems_ref", "pk"))


def test_the_rows_of_other_providers_are_left_alone(acme: Provider) -> None:
    other = actors.provider("other")
    bring(other, "a")
    bring(acme, "a")
    bring(acme)
    assert tenants(other) == {"t-a": "a"}


def test_what_is_as_it_was_is_not_written(acme: Provider) -> None:
    bring(acme, "a", "b")
    with CaptureQueriesContext(connection) as queries:
        bring(acme, "a", "b")
    assert [query["sql"].split()[0] for query in queries] == ["SELECT"]


@pytest.mark.parametrize("things", [[], [Tenant("t-a", "as it was read")]])
def test_a_row_that_is_newer_than_the_reading_stays_as_it_is(things: list[Tenant], acme: Provider) -> None:
    bring(acme, "a")
    reconcile(CloudTenant, acme, things, CloudTenant.mapping.columns(), newer=Q(ems_ref="t-a"))
    assert tenants(acme) == {"t-a": "a"}


def test_many_rows_are_written_in_batches(acme: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BATCH", 3)
    many = [f"n{number}" for number in range(10)]
    bring(acme, *many)
    bring(acme, **dict.fromkeys(many[3:], "x"))
    assert tenants(acme) == {f"t-{name}": "x" for name in many[3:]}
    bring(acme)
    assert tenants(acme) == {}


HALF = Guard(0.5, 3)


@pytest.mark.parametrize(
    ("guard", "left", "objection"),
    [
        (HALF, "abcd", None),
        (HALF, "ab", None),
        (HALF, "a", "3 of 4 cloud tenants (b, c, d)"),
        (HALF, "", "4 of 4 cloud tenants (a, b, c, ...)"),
        (Guard(0.8, 3), "a", None),
        (Guard(0.8, 3), "", "4 of 4 cloud tenants (a, b, c, ...)"),
        (Guard(0.5, 5), "", None),
        (Guard(0.0, 1), "abc", "1 of 4 cloud tenants (d)"),
        (None, "", None),
    ],
)
def test_the_guard_objects_to_more_than_a_share_of_at_least_so_many(
    guard: Guard | None, left: str, objection: str | None, acme: Provider
) -> None:
    bring(acme, *"abcd")
    if objection:
        with pytest.raises(TooManyGone, match=f"^{re.escape(objection)}$"):
            bring(acme, *left, guard=guard)
    else:
        bring(acme, *left, guard=guard)
        assert tenants(acme) == {f"t-{name}": name for name in left}


@pytest.mark.parametrize(("known", "left"), [("abc", "c"), ("ab", ""), ("a", "")])
def test_two_that_are_gone_are_believed(known: str, left: str, acme: Provider) -> None:
    bring(acme, *known)
    bring(acme, *left, guard=HALF)
    assert tenants(acme) == {f"t-{name}": name for name in left}


def test_the_guard_counts_what_is_gone_however_much_is_new(acme: Provider) -> None:
    bring(acme, *"abcd")
    with pytest.raises(TooManyGone):
        bring(acme, *"defgh", guard=HALF)


def test_the_guard_lets_a_first_reading_through(acme: Provider) -> None:
    bring(acme, "a", guard=HALF)
    assert tenants(acme) == {"t-a": "a"}


def test_a_row_that_stays_is_neither_deleted_nor_changed(acme: Provider) -> None:
    before = bring(acme, "a", "b")
    done = reconcile(CloudTenant, acme, [], CloudTenant.mapping.columns(), stays=lambda ref: ref == "t-a")
    assert tenants(acme) == {"t-a": "a"}
    assert done.ids == {"t-a": before["t-a"]}
