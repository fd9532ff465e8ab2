"""How many rows each tenant has is kept, too, and adds up to what a user with grants may see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from inventory.db.bulk import copy_rows
from inventory.models import EventStream, Instance, NetworkPort, Provider, Tally, Vm
from inventory.querysets import ResourceQuerySet
from inventory.restrictions import Restriction
from secgroups.models import SecurityGroup
from tests import cast as actors
from tests.cast import Cast
from tests.inventory.db.test_tallies import counted, kept

#: Each with its foreign keys to the provider and the tenant.
OWNERS: Mapping[Any, tuple[str, str]] = {
    Vm: ("provider_id", "cloud_tenant_id"),
    Instance: ("provider_id", "cloud_tenant_id"),
    NetworkPort: ("provider_id", "cloud_tenant_id"),
    SecurityGroup: ("provider_id", "cloud_tenant_id"),
    EventStream: ("ems_id", "cloud_tenant_id"),
}
WRITES = 60
_INSERT = """
    INSERT INTO secgroups_securitygroup
        (ems_ref, provider_id, cloud_tenant_id, name, vendor, stateful, shared, created_on, updated_on)
    SELECT ems_ref || %s, provider_id, cloud_tenant_id, name, vendor, stateful, shared, created_on, updated_on
    FROM secgroups_securitygroup WHERE id %% 3 = 0
"""


class Writer:
    """Writes to the tables of `OWNERS` at random, in every way in which they are written."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.number = 0
        self.providers = [actors.provider(name) for name in ("first", "second", "third")]
        self.tenants = [actors.tenant(provider, f"{number}") for number in range(3) for provider in self.providers]

        for model in (Vm, NetworkPort, SecurityGroup, EventStream):
            model.objects.bulk_create(model(**self.attributes(model)) for _ in range(5))

    def write(self) -> None:
        ways: list[Callable[[], object]] = [
            *[self.create, self.create_many, self.copy] * 3,
            self.insert_from_itself,
            self.move,
            self.leave_tenants,
            self.turn_into_templates,
            self.delete,
            self.delete_raw,
            self.undo,
            self.delete_tenant,
            self.hide_provider,
            Tally.objects.fold,
        ]
        self.random.choice(ways)()

    def create(self) -> None:
        model = self.random.choice([Vm, NetworkPort, SecurityGroup, EventStream])
        model.objects.create(**self.attributes(model))

    def create_many(self) -> None:
        model = self.random.choice([Vm, NetworkPort, SecurityGroup])
        model.objects.bulk_create(model(**self.attributes(model)) for _ in range(self.random.randrange(6)))

    def copy(self) -> None:
        rows = [self.attributes(NetworkPort) for _ in range(self.random.randrange(6))]
        names = ["provider_id", "cloud_tenant_id", "ems_ref"]
        copy_rows(
            NetworkPort, ["provider", "cloud_tenant", "ems_ref"], [[row[name] for name in names] for row in rows]
        )

    def insert_from_itself(self) -> None:
        self.number += 1
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, [f"-{self.number}"])

    def move(self) -> None:
        """Some rows come to another provider, and mostly to a tenant of it."""
        model = self.random.choice([Vm, NetworkPort, SecurityGroup])
        provider, tenant = self.owners()
        rows = self.some(model).exclude(ems_ref__in=model.objects.filter(provider=provider).values("ems_ref"))
        rows.update(provider=provider, cloud_tenant=tenant)

    def leave_tenants(self) -> None:
        self.some(self.random.choice([Vm, NetworkPort, SecurityGroup])).update(cloud_tenant=None)

    def turn_into_templates(self) -> None:
        self.some(Vm).update(cloud=self.random.random() < 0.5)

    def delete(self) -> None:
        self.some(self.random.choice([Vm, NetworkPort, SecurityGroup])).delete()

    def delete_raw(self) -> None:
        rows = self.some(SecurityGroup)
        rows._raw_delete(rows.db)

    def undo(self) -> None:
        with transaction.atomic():
            self.create_many()
            self.move()
            self.delete()
            transaction.set_rollback(True)

    def delete_tenant(self) -> None:
        if len(self.tenants) > 4:
            self.tenants.pop(self.random.randrange(len(self.tenants))).delete()

    def hide_provider(self) -> None:
        """As long as its deletion is accepted, or not."""
        rows = Provider.objects.filter(pk=self.random.choice(self.providers).pk)
        rows.update(deleted_on=self.random.choice([None, timezone.now()]))

    def attributes(self, model: Any) -> dict[str, Any]:
        self.number += 1
        provider, tenant = self.owners()
        owners = dict(zip(OWNERS[model], (provider, tenant), strict=True))
        if model is EventStream:
            return owners | {"event_type": "instance_gone", "timestamp": timezone.now()}
        own = {"ems_ref": f"ref-{self.number}", "name": "", **owners}
        return own | ({"cloud": self.random.random() < 0.8} if model is Vm else {})

    def owners(self) -> tuple[int, int | None]:
        """A provider and a tenant, which is none or another provider's at times."""
        tenant = self.random.choice(self.tenants)
        provider = tenant.provider_id if self.random.random() < 0.9 else self.random.choice(self.providers).pk
        return provider, tenant.pk if self.random.random() < 0.8 else None

    def some(self, model: Any) -> Any:
        pks = list(model.objects.values_list("pk", flat=True))
        return model.objects.filter(pk__in=self.random.sample(pks, min(len(pks), 3)))

    def restriction(self) -> Restriction:
        def some(pks: list[int]) -> tuple[int, ...]:
            return tuple(sorted(self.random.sample(pks, self.random.randrange(len(pks)))))

        providers = some([provider.pk for provider in self.providers])
        return Restriction(providers, some([tenant.pk for tenant in self.tenants]))


def narrowed(model: Any, restriction: Restriction) -> list[ResourceQuerySet]:
    """What is counted by what is kept: everything, of a provider or a tenant, and of a user with grants."""
    provider, tenant = OWNERS[model]
    everything = model.objects.all()
    scope = restriction.condition(provider, tenant)
    rows = [everything, everything.filter(scope.q())]
    rows += [everything.filter(**{provider: pk}) for pk in restriction.providers]
    rows += [everything.filter(**{tenant: pk}) for pk in restriction.tenants[:1]]
    rows += [everything.filter(scope.q(), **{tenant: pk}) for pk in restriction.tenants[:1]]
    rows += [everything.filter(scope.q(), **{provider: pk}) for pk in restriction.providers[:1]]
    return rows


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_written_what_is_kept_is_exact(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - only for a test
    writer, written = Writer(random), set()
    for _ in range(WRITES):
        writer.write()
        restriction = writer.restriction()
        for model in OWNERS:
            if model.objects.filter(cloud_tenant_id__isnull=False).exists():
                written.add(model)
            for rows in narrowed(model, restriction):
                assert rows.count() == counted(rows), (model, str(rows.query))
                if model is not EventStream:
                    assert rows.connected().count() == counted(rows.connected())
    assert written == OWNERS.keys()


@pytest.mark.django_db
@pytest.mark.parametrize("model", OWNERS)
@pytest.mark.usefixtures("cast")
def test_the_table_is_not_scanned(model: Any) -> None:
    restriction = Restriction((1,), (2, 3))
    for rows in narrowed(model, restriction):
        assert kept(rows)


@pytest.mark.django_db
def test_a_row_of_a_tenant_in_a_granted_provider_counts_once(cast: Cast) -> None:
    scope = Restriction((cast.acme.pk,), (cast.tenant.pk,)).condition("provider", "cloud_tenant")
    assert Vm.objects.filter(scope.q()).count() == Vm.objects.count() == 4


@pytest.mark.django_db
@pytest.mark.parametrize(
    "narrow",
    [
        lambda vms, scope: vms.filter(scope) | vms.filter(name=""),
        lambda vms, scope: vms.exclude(scope),
        lambda vms, scope: vms.filter(scope, name="production-single"),
        lambda vms, scope: vms.filter(scope).filter(
            Restriction((1,), (2,)).condition("provider", "cloud_tenant").q()
        ),
        lambda vms, scope: vms.filter(scope, cloud_tenant=None),
    ],
)
def test_what_asks_for_anything_else_is_counted_one_by_one(cast: Cast, narrow: Any) -> None:
    scope = Restriction((0,), (cast.tenant.pk,)).condition("provider", "cloud_tenant")
    rows = narrow(Vm.objects.all(), scope.q())
    assert not kept(rows)
    assert rows.count() == counted(rows)
