"""Writing many rows at once."""

from __future__ import annotations

import uuid

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Model
from django.utils import timezone

from inventory.bulk import copy_rows, new_ids
from inventory.models import CloudTenant, NetworkPort, Vm
from tests import cast as actors
from tests.cast import Cast

pytestmark = pytest.mark.django_db

VM = ("id", "provider", "ems_ref", "guid", "name", "vendor", "type", "cloud", "template", "power_state")
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
        [(pk, cast.acme.pk, "i-1", guid, "tab\tand \\N\nline", "x", "y", True, False, "on", moment, moment)],
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
