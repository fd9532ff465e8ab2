"""How many rows there are is kept, whoever writes them, and however."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.state import ProjectState
from django.db.models import Count, F, Sum
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.db.tallies import KeepTally
from inventory.models import EventStream, Instance, NetworkPort, Provider, Tally, Vm
from inventory.querysets import TalliedQuerySet
from inventory.retention import prune_events
from inventory.tasks import forget_what_is_over
from secgroups.models import FirewallRule, SecurityGroup
from tests import cast as actors
from tests.cast import Cast

MODELS = [Vm, Instance, NetworkPort, SecurityGroup, FirewallRule]


def counted(rows: TalliedQuerySet) -> int:
    """How many there are, by looking at each of them."""
    return len(rows.values_list("pk"))


def assert_exact() -> None:
    for model in MODELS:
        assert model.objects.count() == counted(model.objects.all())
        for provider in Provider.objects.all():
            of = model.objects.filter(provider=provider)
            assert of.count() == counted(of)


def of_inventory() -> Any:
    """The tallies of what goes with its provider."""
    return Tally.objects.exclude(table=EventStream._meta.db_table)


def kept(rows: TalliedQuerySet) -> bool:
    """Whether a count of these asks what is kept alone."""
    with CaptureQueriesContext(connection) as queries:
        rows.count()
    return [re.findall('(?:FROM|JOIN) "([^"]+)"', query["sql"]) for query in queries] == [["inventory_tally"]]


@pytest.fixture
def rows(cast: Cast) -> Cast:
    """The cast, with a rule and a second provider that has some rows of each kind."""
    site = actors.site(actors.network(actors.tenant(actors.provider("other")), "other"))
    for group in (cast.production.web, site.web):
        actors.rule(group, 443)
    return cast


@pytest.mark.django_db
@pytest.mark.usefixtures("rows")
class TestWhatIsWritten:
    def test_is_counted(self) -> None:
        assert Vm.objects.count() == 6
        assert_exact()

    @pytest.mark.parametrize("model", MODELS)
    def test_the_table_is_not_scanned(self, model: Any) -> None:
        assert kept(model.objects.all())
        assert kept(model.objects.filter(provider=Provider.objects.latest("pk")))

    def test_is_counted_in_bulk(self, rows: Cast) -> None:
        site = rows.production
        SecurityGroup.objects.bulk_create(
            SecurityGroup(provider=provider, ems_ref=f"new-{number}", name="new")
            for number in range(5)
            for provider in Provider.objects.all()
        )
        SecurityGroup.objects.bulk_create(
            [SecurityGroup(provider=rows.acme, ems_ref=ref, name="") for ref in ("new-6", site.web.ems_ref)],
            ignore_conflicts=True,
        )
        assert_exact()

    def test_is_not_counted_any_more_when_it_is_deleted(self, rows: Cast) -> None:
        rows.production.single.delete()
        assert_exact()
        SecurityGroup.objects.filter(name="web").delete()
        assert_exact()

    def test_goes_with_its_provider(self, rows: Cast) -> None:
        rows.acme.delete()
        assert Vm.objects.count() == 2
        assert_exact()
        Provider.objects.all().delete()
        assert_exact()
        Tally.objects.fold()
        assert not of_inventory().exclude(number=0).exists()

    def test_moves_with_its_columns(self, rows: Cast) -> None:
        Vm.objects.filter(pk=rows.production.single.pk).update(cloud=False)
        assert Instance.objects.count() == Vm.objects.count() - 1
        NetworkPort.objects.filter(provider=rows.acme).update(provider=Provider.objects.latest("pk"))
        assert NetworkPort.objects.filter(provider=rows.acme).count() == 0
        assert_exact()

    def test_is_not_counted_where_it_was_undone(self, rows: Cast) -> None:
        before = list(Tally.objects.order_by("pk").values())
        with transaction.atomic():
            rows.production.single.delete()
            actors.group(rows.production.network, "new")
            transaction.set_rollback(True)
        assert list(Tally.objects.order_by("pk").values()) == before

    def test_is_counted_once_by_who_loads_what_was_dumped(self, tmp_path: Any) -> None:
        dump = tmp_path / "dump.json"
        models = ("auth", "inventory", "secgroups")
        call_command("dumpdata", *models, exclude=["inventory.eventstream"], output=str(dump))
        assert "inventory.tally" not in {row["model"] for row in json.loads(dump.read_text())}
        Provider.objects.all().delete()
        call_command("loaddata", str(dump), stdout=StringIO())
        assert Vm.objects.count() == 6
        assert_exact()

    def test_is_shown_as_the_totals_of_its_provider(self, rows: Cast, admin_client: Client) -> None:
        query = (
            "?attributes=total_vms,total_security_groups&expand=resources&sort_by=total_vms&filter[]=total_vms>0"
        )
        other, acme = admin_client.get(f"/api/providers{query}").json()["resources"]
        assert (other["total_vms"], other["total_security_groups"]) == (2, 3)
        assert (acme["total_vms"], acme["total_security_groups"]) == (4, 6)
        actors.provider("empty")
        [*_, empty] = admin_client.get("/api/providers?attributes=total_vms&expand=resources").json()["resources"]
        assert empty["total_vms"] == 0

    def test_what_is_put_together_is_as_many(self, rows: Cast) -> None:
        actors.group(rows.production.network, "new")
        forget_what_is_over()
        said = Tally.objects.values("table", "provider", "cloud_tenant", "cloud")
        assert set(said.annotate(rows=Count("pk")).values_list("rows", flat=True)) == {1}
        assert_exact()
        rows.production.single.delete()
        actors.group(rows.production.network, "newer")
        assert_exact()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "narrowed",
    [
        lambda vms: vms.none(),
        lambda vms: vms.filter(name="production-single"),
        lambda vms: vms.filter(provider__name="acme"),
        lambda vms: vms.filter(provider__in=[1, 2]),
        lambda vms: vms.filter(provider=F("id")),
        lambda vms: vms.exclude(cloud=True),
        lambda vms: vms.filter(cloud=True) | vms.filter(provider=0),
        lambda vms: vms.filter(cloud=True).filter(cloud=False),
        lambda vms: vms[:1],
        lambda vms: vms.values("provider").order_by().distinct(),
        lambda vms: vms.values("provider").annotate(Count("pk")),
        lambda vms: vms.values("network_ports__name"),
        lambda vms: vms.annotate(Sum("network_ports")),
        lambda vms: vms.order_by().union(vms.order_by()),
        lambda vms: vms.extra(where=["name = 'x'"]),
    ],
)
def test_what_asks_for_anything_else_is_counted_one_by_one(
    cast: Cast, narrowed: Callable[[TalliedQuerySet], TalliedQuerySet]
) -> None:
    assert narrowed(Vm.objects.all()).count() == len(narrowed(Vm.objects.all()))


@pytest.mark.django_db
def test_what_was_read_is_counted_as_it_was_read(cast: Cast, django_assert_num_queries: Any) -> None:
    vms = Vm.objects.all()
    assert len(vms) == 4
    with django_assert_num_queries(0):
        assert vms.count() == 4


@pytest.mark.django_db
def test_events_are_counted_and_stay_when_their_provider_goes(rows: Cast) -> None:
    """Also those of no provider."""
    EventStream.objects.create(event_type="login_refused", timestamp=timezone.now())
    events, acme = EventStream.objects.all(), rows.acme.pk
    of_provider = events.filter(ems_id=acme)
    assert kept(events)
    assert kept(of_provider)
    assert events.count() == counted(events) > of_provider.count() == counted(of_provider) > 1
    rows.acme.delete()
    Tally.objects.fold()
    assert events.count() == counted(events) > of_provider.count() == counted(of_provider) > 1


@pytest.mark.django_db
def test_old_events_are_not_counted_any_more(rows: Cast, settings: Any) -> None:
    old = timezone.now() - timedelta(days=400)
    EventStream.objects.create(event_type="login_refused", timestamp=old)
    prune_events()
    assert not EventStream.objects.filter(timestamp=old).exists()
    assert EventStream.objects.count() == counted(EventStream.objects.all())


@pytest.mark.usefixtures("shared_database")
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_who_writes_waits_neither_for_another_writer_nor_for_what_is_put_together() -> None:
    """Each of them fails instead of waiting."""
    network = actors.enter().production.network

    def write(name: str) -> None:
        with closing(connection), transaction.atomic():
            connection.cursor().execute("SET LOCAL lock_timeout = '1s'")
            actors.group(network, name)
            SecurityGroup.objects.filter(name="web").delete()
            Tally.objects.fold()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        actors.group(network, "first")
        Tally.objects.fold()
        pool.submit(write, "second").result()
        assert SecurityGroup.objects.count() == counted(SecurityGroup.objects.all()) == 6
        actors.group(network, "third")
    assert SecurityGroup.objects.count() == counted(SecurityGroup.objects.all()) == 7
    Tally.objects.fold()
    assert SecurityGroup.objects.count() == 7


@pytest.mark.django_db(transaction=True)
def test_what_is_there_already_is_counted_by_the_migration(cast: Cast) -> None:
    keep, state = KeepTally("SecurityGroup"), ProjectState.from_apps(apps)
    with connection.schema_editor() as editor:
        keep.database_backwards("secgroups", editor, state, state)
    assert SecurityGroup.objects.count() == 0
    actors.group(cast.production.network, "new")
    for _ in range(2):
        with connection.schema_editor() as editor:
            keep.database_forwards("secgroups", editor, state, state)
        assert SecurityGroup.objects.count() == 7
    actors.group(cast.production.network, "newer")
    assert_exact()


@pytest.mark.django_db(transaction=True)
def test_a_table_that_is_emptied_at_once_has_nothing(cast: Cast) -> None:
    for port in (80, 443):
        actors.rule(cast.production.web, port)
    tables = "firewallrule", "exposure_firewall_rules", "expiration", "temporarymembership"
    emptied = f"TRUNCATE {', '.join(f'secgroups_{table}' for table in tables)}"
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM secgroups_firewallrule" if connection.vendor == "sqlite" else emptied)
    assert FirewallRule.objects.count() == 0
    assert Vm.objects.count() == 4


@pytest.mark.django_db(transaction=True)
def test_an_emptied_database_has_nothing(cast: Cast) -> None:
    call_command("flush", interactive=False, verbosity=0)
    assert not Tally.objects.exclude(number=0).exists()
    actors.enter()
    assert_exact()
