"""Who may do what: every operation of the API for everybody, with the answer that its declaration implies.

What is expected of rows stands in `PLACES`, by collection: a collection that is new fails until it is there.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, Group, User
from django.test import Client
from django.utils.module_loading import import_string

from inventory.models import EventStream, Grant, Task, Zone
from inventory.rest.actions.viewset import METHODS, DeleteMixin, EditMixin
from inventory.rest.resources import ResourceType, get_resource_type
from inventory.rest.routers import viewset_of
from inventory.restrictions import permissions_of
from inventory.services import create_token
from tests.cast import Planted, plant
from tests.readers import grant

pytestmark = pytest.mark.walk

#: Where the row of a collection lies: in the tenant, or it is its provider; it is everybody's, or somebody else's.
PLACES = {
    "providers": "provider",
    "cloud_tenants": "tenant",
    "cloud_networks": "tenant",
    "instances": "tenant",
    "vms": "tenant",
    "network_ports": "tenant",
    "tasks": "tenant",
    "security_groups": "tenant",
    "firewall_rules": "tenant",
    "address_lists": "tenant",
    "exposures": "tenant",
    "expirations": "tenant",
    "grants": "tenant",
    "event_streams": "tenant",
    "zones": "everybody",
    "users": "another",
    "groups": "another",
    "tokens": "another",
}
DENIED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
ROLES = tuple(settings.ROLES)
#: What makes PUT, PATCH and DELETE run an action.
MIXINS = {"edit": EditMixin, "delete": DeleteMixin}
#: Collections of which everybody may list what is theirs.
EVERYBODYS = {"zones", "tasks", "users", "groups", "tokens"}


@dataclass(frozen=True)
class Caller:
    """Somebody with a role (None: without, "all": a superuser) on a tenant, a provider, another tenant or all."""

    user: User | AnonymousUser
    role: str | None = None
    scope: str = "tenant"

    @property
    def permissions(self) -> frozenset[str]:
        return permissions_of(self.role) if self.role else frozenset()

    def sees(self, place: str) -> bool:
        if self.role == "all":
            return True
        if place in {"everybody", "another"}:
            return place == "everybody"
        return bool(self.role) and (place == "provider" or self.scope != "elsewhere")

    def reaches(self, place: str) -> bool:
        return (
            self.role == "all"
            or (self.scope == "everything" and bool(self.role))
            or (self.scope == "provider" and place != "everything")
            or (self.scope == "tenant" and place == "tenant")
        )


@dataclass(frozen=True)
class Operation:
    """A read of a list or a resource, or an action on one of them; of a collection or below a parent."""

    url: str
    needed: tuple[str, ...]
    #: Where the rows lie that have to be seen, and the one that the permission has to reach, if any.
    seen: tuple[str, ...]
    reached: str | None = None
    method: str = "get"
    action: str | None = None

    def expected(self, caller: Caller) -> HTTPStatus:
        """What is allowed is read, or refused for what the body lacks."""
        if isinstance(caller.user, AnonymousUser):
            return HTTPStatus.UNAUTHORIZED
        if caller.role != "all" and not caller.permissions.issuperset(self.needed):
            return HTTPStatus.FORBIDDEN
        if not all(map(caller.sees, self.seen)):
            return HTTPStatus.NOT_FOUND
        if self.reached and not caller.reaches(self.reached):
            return HTTPStatus.FORBIDDEN
        return HTTPStatus.OK if self.method == "get" else HTTPStatus.BAD_REQUEST

    def status(self, client: Client) -> int:
        """What a caller gets. A key that nobody takes is refused, so nothing is done."""
        unknown = {"nobody_takes_this": True}
        body = {"action": self.action, "resource": unknown} if self.method == "post" else unknown
        if self.method == "get":
            return client.get(self.url).status_code
        return client.generic(self.method.upper(), self.url, json.dumps(body), "application/json").status_code


def operations(rows: dict[str, Any]) -> Iterator[Operation]:
    for name in settings.COLLECTIONS:
        resource_type, url = get_resource_type(name), f"/api/{name}"
        place, view = PLACES[name], resource_type.view_permissions
        yield Operation(url, view, ())
        yield Operation(f"{url}/{rows[name].pk}", view, (place,))
        yield from _actions(viewset_of(name), url, rows[name], (), view, (), place, "everything")
        for below in resource_type.subcollections:
            yield from _below(resource_type, below, rows, place)
    for side in ("vms", "instances", "network_ports", "security_groups"):
        yield Operation(f"/api/reachability?to={side}/{rows[side].pk}&from=10.0.0.1", (), ("tenant",))
        yield Operation(f"/api/reachability?from={side}/{rows[side].pk}", (), ("tenant",))


def _below(parent: ResourceType, name: str, rows: dict[str, Any], place: str) -> Iterator[Operation]:
    subcollection, url = parent.subcollections[name], f"/api/{parent.name}/{rows[parent.name].pk}/{name}"
    child = subcollection.resource_type
    view = (*parent.view_permissions, *child.view_permissions)
    yield Operation(url, view, (place,))
    viewset = import_string(subcollection.viewset)
    is_there = subcollection.of(child.queryset, rows[parent.name].pk).filter(pk=rows[name].pk).exists()
    row = rows[name] if is_there else None
    if row:
        yield Operation(f"{url}/{row.pk}", view, (place, PLACES[name]))
    yield from _actions(viewset, url, row, parent.view_permissions, view, (place,), PLACES[name], place)


def _actions(
    viewset: Any,
    url: str,
    row: Any,
    above: tuple[str, ...],
    view: tuple[str, ...],
    seen: tuple[str, ...],
    place: str,
    whole: str,
) -> Iterator[Operation]:
    """The actions on a row, if there is one, whose permission has to reach it; on the collection, the `whole`.

    Without a permission, it takes what it takes to look.
    """
    for action in viewset.declared_actions():
        permission, name = action.kwargs.get("permission"), action.url_path
        needed = (*above, permission) if permission else view
        is_checked = permission is not None and not action.kwargs.get("checks_reach")
        if not action.detail:
            yield Operation(url, needed, seen, whole if is_checked else None, "post", name)
        elif row:
            for method in ("post", *(METHODS.get(name, ()) if issubclass(viewset, MIXINS.get(name, ())) else ())):
                where = (f"{url}/{row.pk}", needed, (*seen, place), place if is_checked else None)
                yield Operation(*where, method, name)


@pytest.fixture
def rows(admin_user: User) -> dict[str, Any]:
    """A row of each collection."""
    kept = plant("kept")
    some, nobodys = (Group.objects.create(name=name) for name in ("some", "of nobody"))
    given = Grant.objects.create(group=some, role="viewer", provider=kept.provider, cloud_tenant=kept.tenant)
    create_token(user=admin_user, name="of the admin")
    return {
        "providers": kept.provider,
        "cloud_tenants": kept.tenant,
        "cloud_networks": kept.network,
        "instances": kept.vm,
        "vms": kept.vm,
        "network_ports": kept.port,
        "tasks": Task.objects.create(name="kept", queue="x", provider=kept.provider, vm=kept.vm),
        "security_groups": kept.web,
        "firewall_rules": kept.rule,
        "address_lists": kept.address_list,
        "exposures": kept.db.exposures.get(),
        "expirations": kept.web.expirations.get(),
        "grants": given,
        "event_streams": EventStream.objects.filter(cloud_tenant_id=kept.tenant.pk).first(),
        "zones": Zone.objects.first(),
        "users": admin_user,
        "groups": nobodys,
        "tokens": admin_user.auth_token_set.get(),
        "planted": kept,
    }


@pytest.fixture
def callers(rows: dict[str, Any], admin_user: User, django_user_model: type[User]) -> list[Caller]:
    kept: Planted = rows["planted"]
    other = plant("other", kept.provider)
    scopes: dict[str, Any] = {"tenant": kept.tenant, "provider": kept.provider, "elsewhere": other.tenant}
    scopes["everything"] = None
    made = [
        Caller(AnonymousUser()),
        Caller(django_user_model.objects.create_user("nothing")),
        Caller(admin_user, "all"),
    ]
    for scope, row in scopes.items():
        for role in ROLES:
            user = django_user_model.objects.create_user(f"{role} {scope}")
            grant(user, role, row, f"{role} {scope}")
            made.append(Caller(user, role, scope))
    return made


def test_everybody_gets_the_answer_that_the_declarations_imply(
    rows: dict[str, Any], callers: list[Caller]
) -> None:
    wrong, statuses = [], defaultdict(Counter)
    everything = list(operations(rows))
    for caller in callers:
        client = Client()
        if isinstance(caller.user, User):
            client.force_login(caller.user)
        for operation in everything:
            status = operation.status(client)
            statuses[operation][status] += 1
            if status != operation.expected(caller):
                wrong.append((str(caller.user), operation, operation.expected(caller), status))
    assert len(everything) * len(callers) > 3_000
    assert not wrong, "\n".join(map(str, wrong))
    # Nobody is let in who is not logged in, and each but the zones is denied to somebody else as well.
    denied = {operation: sum(found[status] for status in DENIED) for operation, found in statuses.items()}
    assert min(denied.values()) == 1
    assert {operation.url.split("/")[2] for operation, number in denied.items() if number == 1} == EVERYBODYS


def test_every_collection_has_its_place() -> None:
    assert PLACES.keys() == settings.COLLECTIONS.keys()
