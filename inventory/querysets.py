"""The querysets of this app. Each read on behalf of a user starts with `visible_to` or `scope_of`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

from django.apps import apps
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import Func, Model, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce, Concat, NullIf, Trim

from inventory.db.conditions import EVERYTHING, NOTHING, Condition, compare, fixed
from inventory.db.inspection import comparisons, has_lookup
from inventory.db.links import links_of
from inventory.db.lookups import Connected, Numbers
from inventory.db.statements import Param
from inventory.db.stored_counts import condition_for_tallies
from inventory.drivers.values import Instance
from inventory.restrictions import Restriction, User, restriction_of

#: Like Django's own aggregates, but without a subquery.
ROWS = Func(template="COUNT(*)", output_field=models.BigIntegerField())
SUM = Func(
    "number",
    template="CAST(COALESCE(SUM(%(expressions)s), 0) AS bigint)",
    output_field=models.BigIntegerField(),
)


#: Tasks whose arguments don't have `names_others`; see `inventory.arguments`.
NAMES_NO_OTHERS = fixed(~Q(arguments__has_key="names_others"), recurs=True)


def scope_of(user: User, model: type[Model], permission: str | None = None) -> Condition:
    """The condition for rows of a model that this user may see; see `ResourceQuerySet.scope_of`."""
    scope: Condition = model._default_manager.all().scope_of(user, permission)  # type: ignore[attr-defined]
    return scope


def reaches(user: User, permission: str | None, model: type[Model], pk: int, *, is_seen: bool = False) -> bool:
    """Whether a user sees this row of a model, or with a permission whether that reaches it.

    Whether they have the permission at all, the caller checks. With `is_seen`, the row is known to be one that the
    user sees: mostly, the permission reaches just those.
    """
    scope = scope_of(user, model, permission)
    if scope is EVERYTHING or (is_seen and scope == scope_of(user, model)):
        return True
    return model._default_manager.filter(scope.q(), pk=pk).exists()


class ResourceQuerySet(models.QuerySet[Any]):
    """Rows that users can see."""

    #: The lookups that lead to the provider and to the tenant of a row.
    provider: ClassVar[str | None] = None
    tenant: ClassVar[str | None] = None
    #: The columns by which the database counts the rows, each with what `Tally` calls it: `inventory.db.tallies`.
    count_partition: ClassVar[Mapping[str, str]] = {}

    def scope_of(self, user: User, permission: str | None = None) -> Condition:
        """The condition for rows that the user may see, or with a permission for those that it reaches.

        It doesn't check whether the user has the permission, or that to view the model: a user who may add a group
        to an instance can name a group without the permission to list groups. Views check it.
        """
        if self.provider is None or (restriction := restriction_of(user, permission)) is None:
            return EVERYTHING
        if permission is None:
            return self.seen(restriction)
        return restriction.condition(self.provider, self.tenant)

    def seen(self, restriction: Restriction) -> Condition:
        """The condition for rows that a user with this restriction may see."""
        return restriction.condition(str(self.provider), self.tenant)

    def visible_to(self, user: User, permission: str | None = None) -> Self:
        """Only the rows that the user may see, or with a permission those that it reaches."""
        return self.filter(self.scope_of(user, permission).q())

    def number_of_each(self, lookup: str) -> Subquery:
        """An expression for queries of the owners: the number of these rows whose `lookup` leads to each owner."""
        links, row, owner = links_of(self.model, lookup)
        if row == "pk":
            return Subquery(self.filter(**{owner: OuterRef("pk")}).counted())
        links = links.filter(**{owner: OuterRef("pk")}).order_by()
        if self.query.where:
            links = links.filter(**{f"{row}__in": self.order_by().values("pk")})
        return Subquery(links.values_list(count_distinct(row)))

    def counted(self) -> models.QuerySet[Any, Any]:
        """A query for the number of these rows, which must not be sliced, grouped or distinct."""
        stored = self.stored_count_query()
        return self.order_by().values_list(ROWS) if stored is None else stored

    def stored_count_query(self) -> models.QuerySet[Any, Any] | None:
        """The same query without counting, if the database maintains the number; otherwise None."""
        if not self.count_partition:
            return None
        lists = comparisons(self.query, ignoring=Connected)
        condition = None if lists is None else condition_for_tallies(lists, self.count_partition)
        if condition is None:
            return None
        tallies = self.tallies().using(self.db).filter(condition)
        if has_lookup(self.query, Connected):
            tallies = tallies.filter(provider__connected=True)
        return tallies.order_by().values_list(SUM)

    def tallies(self) -> models.QuerySet[Any]:
        """The tallies whose sum is the number of rows of the table."""
        rows: models.QuerySet[Any] = apps.get_model("inventory", "Tally").objects.all()
        return rows.filter(table=self.model._meta.db_table)

    def count(self) -> int:
        """Read the maintained number if there is one, however many rows there are.

        Otherwise count without `select_related`, because Django would prepare its columns for nothing.
        """
        if self._result_cache is None:
            if (stored := self.stored_count_query()) is not None:
                return int(stored.get()[0])
            if self.query.select_related:
                return self.select_related(None).defer(None).count()
        return super().count()


class OwnedQuerySet(ResourceQuerySet):
    """Rows that belong to a provider. They are hidden from everybody once its deletion is accepted."""

    #: The foreign key to the provider, or to a row that belongs to a provider.
    owner: ClassVar[str] = "provider"
    provider = "provider"
    tenant: ClassVar[str | None] = "cloud_tenant"

    def visible_to(self, user: User, permission: str | None = None) -> Self:
        return super().visible_to(user, permission).connected()

    def connected(self) -> Self:
        """Exclude rows that wait for their deletion. Returns the same queryset if it already excludes them."""
        return self if self._is_connected() else self.filter(**{f"{self.owner}__connected": True})

    def _is_connected(self) -> bool:
        return has_lookup(self.query, Connected)

    def deleted(self) -> Self:
        """The rows that wait for their deletion."""
        return self.exclude(**{f"{self.owner}__connected": True})

    def as_values(self) -> Iterator[Any]:
        """These rows as the drivers' values, in their order."""
        mapping = self.model.mapping
        return map(mapping.value, self.values_list(*mapping.paths.values()).iterator())


class TalliedQuerySet(OwnedQuerySet):
    """Rows that belong to a provider, and are counted by it."""

    count_partition: ClassVar[Mapping[str, str]] = {"provider_id": "provider_id"}


class TenantTalliedQuerySet(TalliedQuerySet):
    """Rows that are also counted by their tenant."""

    count_partition: ClassVar[Mapping[str, str]] = {
        "provider_id": "provider_id",
        "cloud_tenant_id": "cloud_tenant_id",
    }


class ProviderQuerySet(OwnedQuerySet):
    owner = provider = "pk"
    tenant = None

    def seen(self, restriction: Restriction) -> Condition:
        """Also those that a restriction only names."""
        return compare("pk__among", Numbers((*restriction.providers, *restriction.named)))

    def deleted(self) -> Self:
        """The providers whose deletion was accepted."""
        return self.filter(deleted_on__isnull=False)

    def enabled(self) -> Self:
        return self.connected().filter(enabled=True)


class CloudTenantQuerySet(OwnedQuerySet):
    tenant = "pk"


class VmQuerySet(TenantTalliedQuerySet):
    count_partition = {**TenantTalliedQuerySet.count_partition, "cloud": "cloud"}

    def instances(self) -> Self:
        return self.filter(cloud=True)

    def as_values(self) -> Iterator[Instance]:
        for instance in super().as_values():
            yield replace(instance, raw_power_state="") if instance.raw_power_state is None else instance


class TaskQuerySet(ResourceQuerySet):
    provider = "provider"
    tenant = "vm__cloud_tenant"

    def scope_of(self, user: User, permission: str | None = None) -> Condition:
        """A user's own tasks, or with the permission to view tasks everybody's, within the user's restriction.

        Their own tasks need not lead to where a restricted user may look: a task may have no instance, and it
        outlives its provider. A task of others that names a group of another tenant is not one of its instance's.
        """
        scope = super().scope_of(user, permission)
        if (restriction := restriction_of(user, permission)) is not None:
            if restriction.tenants:
                scope &= restriction.condition("provider", None) | NAMES_NO_OTHERS
            if user.pk is not None:
                scope |= compare("owner", user.pk)
        return scope & _own_unless(user, "inventory.view_task", "owner")

    def unfinished(self) -> Self:
        return self.exclude(state="Finished")

    def of_queue(self, queue: str | Param) -> Self:
        """The unfinished tasks of one queue that may run, in the order in which they were accepted."""
        return self.may_run().filter(queue=queue).order_by("id")

    def may_run(self) -> Self:
        """The unfinished tasks that don't wait for a stage of their parent."""
        return self.unfinished().filter(stage=None)

    def with_parts(self) -> Self:
        """The parents of other tasks, which no worker runs."""
        return self.filter(queue="")

    def waiting_in(self, queue: str) -> Self:
        """The tasks of a queue that have failed and wait for their next attempt."""
        return self.of_queue(queue).filter(next_attempt_on__isnull=False)

    def deletions(self) -> Self:
        """The deletions of providers, whose arguments are `arguments.ProviderDeletion`."""
        return self.filter(arguments__deletion=True)


class EventStreamQuerySet(ResourceQuerySet):
    """Events, which outlive the provider and the tenant whose ids they have."""

    count_partition = {"ems_id": "provider_id", "cloud_tenant_id": "cloud_tenant_id"}
    provider = "ems_id"
    tenant = "cloud_tenant_id"


class CallRateQuerySet(OwnedQuerySet):
    tenant = None


class GrantQuerySet(ResourceQuerySet):
    """Grants. Those on everything are seen by who has one that reaches everything."""

    provider = "provider"
    tenant = "cloud_tenant"

    def scope_of(self, user: User, permission: str | None = None) -> Condition:
        """The grants on what the user owns: what others may do is nobody else's business."""
        return super().scope_of(user, permission or "inventory.view_grant")


class LeaseQuerySet(ResourceQuerySet):
    def scope_of(self, user: User, permission: str | None = None) -> Condition:
        """All leases, but none for restricted users, because a lease has no provider."""
        return EVERYTHING if restriction_of(user, permission) is None else NOTHING


class UserQuerySet(ResourceQuerySet):
    def scope_of(self, user: User, permission: str | None = None) -> Condition:
        """The user, or with the permission to view users everybody."""
        return _own_unless(user, "auth.view_user", "pk")

    def described(self) -> Self:
        """Add each user's full name, their address (null if empty) and their first group."""
        name = Trim(Concat("first_name", Value(" "), "last_name"))
        memberships = self.model.groups.through.objects.filter(user=OuterRef("pk")).order_by("group")
        return self.annotate(
            full_name=Coalesce(NullIf(name, Value("")), "username"),
            address=NullIf("email", Value("")),
            current_group=Subquery(memberships.values("group")[:1]),
        )


class GroupQuerySet(ResourceQuerySet):
    def scope_of(self, user: User, permission: str | None = None) -> Condition:
        """The user's own groups, and those with a grant on what the user owns, or with the permission all."""
        own = _own_unless(user, "auth.view_group", "user")
        if own is EVERYTHING or not user.has_perm("inventory.view_grant"):  # type: ignore[union-attr]
            return own
        grants = apps.get_model("inventory", "Grant").objects.visible_to(user)
        return own | fixed(models.Q(pk__in=grants.values("group")))


class AuthTokenQuerySet(ResourceQuerySet):
    def scope_of(self, user: User, permission: str | None = None) -> Condition:
        """The user's own tokens, or with the permission to view tokens everybody's.

        A user who is limited to a group sees those that are limited to it.
        """
        group = getattr(user, "group", None)
        own = _own_unless(user, "inventory.view_authtoken", "user")
        return own & compare("group", group.pk) if group else own


class InstanceManager(models.Manager.from_queryset(VmQuerySet)):  # type: ignore[misc]
    def get_queryset(self) -> VmQuerySet:
        rows: VmQuerySet = super().get_queryset()
        return rows.instances()


def _own_unless(user: User, permission: str, lookup: str) -> Condition:
    """The rows whose lookup leads to the user, or with the permission everything."""
    if isinstance(user, PermissionsMixin) and user.has_perm(permission):
        return EVERYTHING
    return NOTHING if user.pk is None else compare(lookup, user.pk)


def count_distinct(column: str) -> Func:
    """Like `ROWS`, of the different values of a column."""
    return Func(column, template="COUNT(DISTINCT %(expressions)s)", output_field=models.BigIntegerField())
