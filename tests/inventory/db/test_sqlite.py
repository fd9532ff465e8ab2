"""Migrations on SQLite, where Django alters a table by building another one."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, models
from django.db.migrations import AlterField
from django.db.migrations.state import ProjectState

from inventory.models import EventStream, Tally, Vm
from secgroups.models import FirewallRule, Membership
from tests.cast import Cast

pytestmark = [
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL alters tables in place"),
    pytest.mark.django_db(transaction=True),
]


def triggers() -> list[tuple[str, str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name")
        return list(cursor.fetchall())


def rebuild(model: type[models.Model], name: str, **changes: Any) -> None:
    """Migrate a field there and back, which builds the table twice."""
    before = ProjectState.from_apps(apps)
    field = model._meta.get_field(name)
    label = model._meta.app_label
    _, _, args, kwargs = field.deconstruct()
    migration = AlterField(model._meta.model_name, name, type(field)(*args, **kwargs | changes))
    after = before.clone()
    migration.state_forwards(label, after)
    with connection.schema_editor() as editor:
        migration.database_forwards(label, editor, before, after)
    with connection.schema_editor() as editor:
        migration.database_backwards(label, editor, after, before)


@pytest.mark.parametrize(
    ("model", "name", "changes"),
    [
        (Vm, "name", {"max_length": 300}),
        (FirewallRule, "description", {"null": False, "default": ""}),
        (EventStream, "message", {"null": True}),
        (Tally, "table", {"max_length": 99}),
        (User, "first_name", {"max_length": 99}),
    ],
)
def test_a_table_that_is_rebuilt_keeps_all_triggers(
    cast: Cast, model: type[models.Model], name: str, changes: dict[str, Any]
) -> None:
    before = triggers()
    assert before
    rebuild(model, name, **changes)
    assert triggers() == before


def test_they_do_their_work(cast: Cast) -> None:
    """Those of the table, and those of others that write to it."""
    rebuild(Vm, "name", max_length=300)
    rebuild(EventStream, "message", null=True)
    rebuild(Tally, "table", max_length=99)
    number, earlier = Vm.objects.count(), EventStream.objects.latest("pk").pk
    Membership.objects.filter(vm=cast.production.single).delete()
    cast.production.single.delete()
    assert Vm.objects.count() == number - 1
    events = EventStream.objects.filter(pk__gt=earlier).order_by("pk").values_list("event_type", flat=True)
    assert list(events) == ["security_group_removed", "instance_gone"]
    with pytest.raises(IntegrityError, match="Events are never changed"):
        EventStream.objects.all().delete()


def test_a_rebuild_leaves_no_events(cast: Cast) -> None:
    before = EventStream.objects.count()
    rebuild(Vm, "name", max_length=300)
    assert EventStream.objects.count() == before
