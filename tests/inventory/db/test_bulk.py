"""Writing many rows at once."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import Model
from django.utils import timezone

from inventory.db import bulk
from inventory.db.bulk import batches, copy_rows, new_ids, update_rows
from inventory.models import CloudTenant, NetworkPort, Provider, Vm
from secgroups.models import AddressList
from tests import cast as actors
from tests.cast import Cast

pytestmark = pytest.mark.django_db

VM = ("id", "provider", "ems_ref", "guid", "name", "vendor", "cloud", "template", "power_state")
DATES = ("created_on", "updated_on")


@pytest.fixture
def cast() -> Cast:
    return actors.enter()


def test_what_is_written_is_read_as_from_an_ordinary_insert(cast: Cast) -> None:
    guid, moment = uuid.uuid4(), timezone.now()
    [pk] = new_ids(Vm, 1)
    copy_rows(
        Vm,
        [*VM, *DATES],
        [(pk, cast.acme.pk, "i-1", guid, "tab\tand \\N\nline", "x", True, False, "on", moment, moment)],
    )
    made = Vm.objects.get(pk=pk)
    assert (made.guid, made.name, made.created_on, made.template) == (guid, "tab\tand \\N\nline", moment, False)
    assert made.description is None


def test_values_that_a_field_keeps_in_another_form_are_written_in_it(cast: Cast) -> None:
    fields = ("provider", "ems_ref", "ipaddresses", "port_security_enabled")
    copy_rows(NetworkPort, fields, [(cast.acme.pk, "eni-1", ["10.0.0.1", "::1"], True)])
    assert NetworkPort.objects.get(ems_ref="eni-1").ipaddresses == ["10.0.0.1", "::1"]


def test_more_rows_than_are_held_are_all_written(cast: Cast) -> None:
    moment = timezone.now()
    fields = ("provider", "ems_ref", "name", "enabled", *DATES)
    rows = ((cast.acme.pk, f"t-{number}", "many", True, moment, moment) for number in range(2500))
    copy_rows(CloudTenant, fields, rows)
    assert CloudTenant.objects.filter(name="many").count() == 2500


def test_a_row_that_breaks_a_constraint_is_refused(cast: Cast) -> None:
    known, fields = cast.tenant, ("provider", "ems_ref", "name", "enabled", *DATES)
    row = (known.provider_id, known.ems_ref, "again", True, known.created_on, known.created_on)
    with pytest.raises(IntegrityError), transaction.atomic():
        copy_rows(CloudTenant, fields, [row])


@pytest.mark.parametrize("model", [Vm, CloudTenant])
def test_no_row_gets_a_key_that_was_taken(cast: Cast, model: type[Model]) -> None:
    before = set(model._default_manager.values_list("pk", flat=True))
    taken = new_ids(model, 3)
    assert len(set(taken)) == 3
    assert before.isdisjoint(taken)


def test_a_key_that_was_taken_is_not_given_again(cast: Cast) -> None:
    [pk] = new_ids(CloudTenant, 1)
    moment = timezone.now()
    fields = ("id", "provider", "ems_ref", "name", "enabled", *DATES)
    copy_rows(CloudTenant, fields, [(pk, cast.acme.pk, "t-taken", "taken", True, moment, moment)])
    assert actors.tenant(cast.acme, "next").pk == pk + 1


def test_nothing_is_written_without_rows(cast: Cast) -> None:
    before = Vm.objects.count()
    copy_rows(Vm, VM, [])
    assert (Vm.objects.count(), connection.needs_rollback) == (before, False)


#: What an escape, a separator or an array could be taken for.
TEXTS = [
    "",
    "NULL",
    "null",
    "\\N",
    "\\.",
    "back\\slash",
    "tab\tnew\nline\rreturn",
    "both \"quotes\" and 'these'",
    "{a,b}",
    "a,b;c|d",
    "%s %d %%",
    " leading and trailing ",
    "Zürich 東京 🙂",
    None,
]


@pytest.mark.parametrize("text", TEXTS)
class TestAnyText:
    def test_it_is_copied_as_it_is(self, text: str | None, cast: Cast) -> None:
        copy_rows(
            CloudTenant, ["provider_id", "ems_ref", "name", "description"], [(cast.acme.pk, "t-1", "new", text)]
        )
        assert CloudTenant.objects.get(ems_ref="t-1").description == text

    def test_it_is_set_as_it_is(self, text: str | None, cast: Cast) -> None:
        other = actors.tenant(cast.acme, "other")
        update_rows(CloudTenant, ["description"], [(other.pk, "beside it"), (cast.tenant.pk, text)])
        for row, value in ((cast.tenant, text), (other, "beside it")):
            row.refresh_from_db()
            assert row.description == value


LISTS = [[], [""], ["10.0.0.1", "::1"], ["a\\b", 'c"d', "e,f", "{g}", "h\ni", "東京"]]


@pytest.mark.parametrize("value", LISTS)
class TestLists:
    def test_it_is_copied_as_it_is(self, value: Any, cast: Cast) -> None:
        copy_rows(NetworkPort, ["provider_id", "ems_ref", "ipaddresses"], [(cast.acme.pk, "eni-1", value)])
        assert NetworkPort.objects.get(ems_ref="eni-1").ipaddresses == value

    def test_it_is_set_as_it_is(self, value: Any, cast: Cast) -> None:
        [one, other] = cast.staging.double.network_ports.all()
        update_rows(NetworkPort, ["ipaddresses"], [(one.pk, value), (other.pk, ["beside it"])])
        for row, expected in ((one, value), (other, ["beside it"])):
            row.refresh_from_db()
            assert row.ipaddresses == expected


@pytest.mark.parametrize("value", [*LISTS, {"none": None}])
class TestAnyJson:
    def test_it_is_copied_as_it_is(self, value: Any, cast: Cast) -> None:
        copy_rows(AddressList, ["provider_id", "ems_ref", "entries"], [(cast.acme.pk, "pl-1", value)])
        assert AddressList.objects.get(ems_ref="pl-1").entries == value

    def test_it_is_set_as_it_is(self, value: Any, cast: Cast) -> None:
        one, other = (actors.address_list(cast.acme, name, []) for name in ("one", "other"))
        update_rows(AddressList, ["entries"], [(one.pk, value), (other.pk, ["beside it"])])
        for row, expected in ((one, value), (other, ["beside it"])):
            row.refresh_from_db()
            assert row.entries == expected


def test_what_is_not_named_has_its_default_of_each_row_its_own(cast: Cast) -> None:
    before = timezone.now()
    names = ("provider_id", "ems_ref", "name", "vendor")
    copy_rows(Vm, names, [(cast.acme.pk, f"i-{number}", "new", "x") for number in range(3)])
    made = list(Vm.objects.filter(name="new"))
    assert len({vm.guid for vm in made}) == 3
    assert {(vm.cloud, vm.template, vm.power_state, vm.location) for vm in made} == {
        (True, False, "unknown", None)
    }
    assert before <= min(vm.created_on for vm in made) <= max(vm.updated_on for vm in made) <= timezone.now()


def test_a_secret_is_refused(cast: Cast) -> None:
    """It is encrypted for its row, which is not known here."""
    with pytest.raises(TypeError, match="encrypted for its row"), transaction.atomic():
        copy_rows(Provider, ["name", "vendor", "credentials"], [("new", actors.AMAZON, {"userid": "u"})])
    with pytest.raises(TypeError, match="encrypted for its row"), transaction.atomic():
        update_rows(Provider, ["credentials"], [(cast.acme.pk, {"userid": "v"})])


def test_every_kind_of_value_can_be_set(cast: Cast) -> None:
    vm, guid, moment = cast.staging.single, uuid.uuid4(), datetime(2001, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
    names = ["guid", "cloud", "cloud_tenant_id", "created_on", "power_state"]
    update_rows(Vm, names, [(vm.pk, guid, False, None, moment, Vm.PowerState.OFF)])
    vm.refresh_from_db()
    assert [getattr(vm, name) for name in names] == [guid, False, None, moment, "off"]


def test_only_the_rows_that_are_given_are_set_and_their_time_is_noted(cast: Cast) -> None:
    long_ago = timezone.now().replace(year=2001)
    Vm.objects.update(updated_on=long_ago)
    update_rows(Vm, ["name"], [(cast.staging.single.pk, "new")])
    [changed] = Vm.objects.filter(name="new")
    assert changed.pk == cast.staging.single.pk
    assert changed.updated_on > long_ago
    assert set(Vm.objects.exclude(pk=changed.pk).values_list("updated_on", flat=True)) == {long_ago}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite knows no length of a text")
def test_a_value_that_is_too_long_is_refused_and_not_cut(cast: Cast) -> None:
    with pytest.raises(DataError), transaction.atomic():
        copy_rows(CloudTenant, ["provider_id", "ems_ref", "name"], [(cast.acme.pk, "t-1", "x" * 257)])
    with pytest.raises(DataError), transaction.atomic():
        update_rows(CloudTenant, ["name"], [(cast.tenant.pk, "x" * 257)])


@pytest.mark.parametrize(("items", "lengths"), [(0, []), (1, [1]), (3, [3]), (7, [3, 3, 1])])
def test_batches_are_full_but_for_the_last(
    items: int, lengths: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "BATCH", 3)
    made = list(batches(range(items)))
    assert [len(batch) for batch in made] == lengths
    assert list(chain.from_iterable(made)) == list(range(items))
