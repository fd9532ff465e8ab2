"""Rows made equal to what a cloud has."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory import reconcile as module
from inventory.models import CloudTenant, Provider
from inventory.reconcile import TooManyGone, batches, reconcile
from tests import cast as actors


@pytest.fixture
def acme(db: None) -> Provider:
    return actors.provider("acme")


def tenants(provider: Provider) -> dict[str, str]:
    return dict(CloudTenant.objects.filter(provider=provider).values_list("ems_ref", "name"))


def wanted(*names: str) -> dict[str, dict[str, Any]]:
    return {f"t-{name}": {"name": name} for name in names}


def test_what_is_missing_is_created(acme: Provider) -> None:
    reconcile(CloudTenant, acme, wanted("a", "b"))
    assert tenants(acme) == {"t-a": "a", "t-b": "b"}


def test_what_is_gone_is_deleted(acme: Provider) -> None:
    reconcile(CloudTenant, acme, wanted("a", "b"))
    reconcile(CloudTenant, acme, wanted("b"))
    assert tenants(acme) == {"t-b": "b"}
    reconcile(CloudTenant, acme, {})
    assert tenants(acme) == {}


def test_what_differs_is_updated_and_keeps_its_id(acme: Provider) -> None:
    before = reconcile(CloudTenant, acme, wanted("a", "b"))
    after = reconcile(CloudTenant, acme, wanted("a", "b") | {"t-a": {"name": "renamed"}})
    assert before == after
    assert tenants(acme) == {"t-a": "renamed", "t-b": "b"}


def test_only_the_attributes_that_differ_in_a_row_are_written(acme: Provider) -> None:
    def described(**names: str) -> dict[str, dict[str, Any]]:
        return {f"t-{ref}": {"name": name, "description": "the same"} for ref, name in names.items()}

    reconcile(CloudTenant, acme, described(a="a", b="b", c="c"))
    with CaptureQueriesContext(connection) as queries:
        reconcile(CloudTenant, acme, described(a="x", b="y", c="c"))
    [update] = [query["sql"] for query in queries if query["sql"].startswith("UPDATE")]
    assert '"name" = ' in update
    assert '"description" = ' not in update
    assert tenants(acme) == {"t-a": "x", "t-b": "y", "t-c": "c"}


def test_an_update_notes_its_time_on_the_rows_that_it_changed(acme: Provider) -> None:
    reconcile(CloudTenant, acme, wanted("a", "b"))
    long_ago = timezone.now().replace(year=2001)
    CloudTenant.objects.update(updated_on=long_ago)
    reconcile(CloudTenant, acme, wanted("a", "b") | {"t-a": {"name": "renamed"}})
    times = dict(CloudTenant.objects.values_list("name", "updated_on"))
    assert times["b"] == long_ago
    assert times["renamed"] > long_ago


def test_it_answers_the_id_of_each_that_is_there_now(acme: Provider) -> None:
    reconcile(CloudTenant, acme, wanted("a", "b"))
    ids = reconcile(CloudTenant, acme, wanted("b", "c"))
    assert ids == dict(CloudTenant.objects.values_list("ems_ref", "pk"))


def test_the_rows_of_other_providers_are_left_alone(acme: Provider) -> None:
    other = actors.provider("other")
    reconcile(CloudTenant, other, wanted("a"))
    reconcile(CloudTenant, acme, wanted("a"))
    reconcile(CloudTenant, acme, {})
    assert tenants(other) == {"t-a": "a"}


def test_what_is_as_it_was_is_not_written(acme: Provider) -> None:
    reconcile(CloudTenant, acme, wanted("a", "b"))
    with CaptureQueriesContext(connection) as queries:
        reconcile(CloudTenant, acme, wanted("a", "b"))
    assert [query["sql"].split()[0] for query in queries] == ["SELECT"]


def test_many_rows_are_written_in_batches(acme: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 3)
    many = [f"n{number}" for number in range(10)]
    reconcile(CloudTenant, acme, wanted(*many))
    reconcile(CloudTenant, acme, {ref: {"name": "x"} for ref in wanted(*many[3:])})
    assert tenants(acme) == dict.fromkeys(wanted(*many[3:]), "x")
    reconcile(CloudTenant, acme, {})
    assert tenants(acme) == {}


@pytest.mark.parametrize(("items", "lengths"), [(0, []), (1, [1]), (3, [3]), (7, [3, 3, 1])])
def test_batches_are_full_but_for_the_last(
    items: int, lengths: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 3)
    made = list(batches(range(items)))
    assert [len(batch) for batch in made] == lengths
    assert list(chain.from_iterable(made)) == list(range(items))


@pytest.mark.parametrize(("left", "stopped"), [("abcd", False), ("ab", False), ("a", True), ("", True)])
def test_a_guarded_one_does_not_delete_more_than_half(left: str, stopped: bool, acme: Provider) -> None:
    reconcile(CloudTenant, acme, wanted(*"abcd"))
    if stopped:
        with pytest.raises(TooManyGone, match=f"^{4 - len(left)} of 4 cloud tenants$"):
            reconcile(CloudTenant, acme, wanted(*left), guarded=True)
        assert tenants(acme) == {f"t-{name}": name for name in "abcd"}
    else:
        reconcile(CloudTenant, acme, wanted(*left), guarded=True)
        assert tenants(acme) == {f"t-{name}": name for name in left}


def test_the_guard_counts_what_is_gone_however_much_is_new(acme: Provider) -> None:
    reconcile(CloudTenant, acme, wanted(*"abc"))
    with pytest.raises(TooManyGone):
        reconcile(CloudTenant, acme, wanted(*"cdefgh"), guarded=True)


def test_the_guard_lets_a_first_reading_through(acme: Provider) -> None:
    reconcile(CloudTenant, acme, wanted("a"), guarded=True)
    assert tenants(acme) == {"t-a": "a"}
