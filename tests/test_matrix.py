"""Who may do what: every operation of the API for everybody, with the answer that its declaration implies.

What is expected of rows stands in `PLACES`, by collection: a collection that is new fails until it is there.
"""

from __future__ import annotations

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
    "grants": "tenant",
    "event_streams": "tenant",
    "zones": "everybody",
    "users": "another",
    "groups": "another",
    "tokens": "another",
}
DENIED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
ROLES = tuple(settings.ROLES)


@dataclass(frozen=True)
class Caller:
    """Somebody with a role (None: without, "all": a superuser) on a tenant, a provider, or another tenant."""

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
    body: Any = None

    def expected(self, caller: Caller) -> HTTPStatus | None:
        """None: whatever is said about the input."""
        if isinstance(caller.user, AnonymousUser):
            return HTTPStatus.UNAUTHORIZED
        if caller.role != "all" and not caller.permissions.issuperset(self.needed):
            return HTTPStatus.FORBIDDEN
        if not all(map(caller.sees, self.seen)):
            return HTTPStatus.NOT_FOUND
        return HTTPStatus.FORBIDDEN if self.reached and not caller.reaches(self.reached) else None


def operations(rows: dict[str, Any]) -> Iterator[Operation]:
    for name in settings.COLLECTIONS:
        resource_type, url = get_resource_type(name), f"/api/{name}"
        one = f"{url}/{rows[name].pk}"
        place, view = PLACES[name], resource_type.view_permissions
        yield Operation(url, view, ())
        yield Operation(one, view, (place,))
        for action in viewset_of(name).declared_actions():
            where = (one, (), view, (place,), place) if action.detail else (url, (), view, (), "everything")
            yield _action(action, *where)
        for below in resource_type.subcollections:
            yield from _below(resource_type, below, one, rows, place)


def _below(parent: ResourceType, name: str, url: str, rows: dict[str, Any], place: str) -> Iterator[Operation]:
    subcollection = parent.subcollections[name]
    view = (*parent.view_permissions, *subcollection.resource_type.view_permissions)
    yield Operation(f"{url}/{name}", view, (place,))
    for action in import_string(subcollection.viewset).declared_actions():
        if not action.detail:
            yield _action(action, f"{url}/{name}", parent.view_permissions, view, (place,), place)


def _action(
    action: Any, url: str, above: tuple[str, ...], view: tuple[str, ...], seen: tuple[str, ...], reached: str
) -> Operation:
    """One whose permission has to reach something. Without one, it takes what it takes to look."""
    permission = action.kwargs.get("permission")
    needed = (*above, permission) if permission else view
    is_checked = permission is not None and not action.kwargs.get("checks_reach")
    return Operation(url, needed, seen, reached if is_checked else None, {"action": action.url_path})


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
    scopes = {"tenant": kept.tenant, "provider": kept.provider, "elsewhere": other.tenant}
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
    rows: dict[str, Any], callers: list[Caller], record_property: Any
) -> None:
    wrong, cells = [], 0
    everything = list(operations(rows))
    for caller in callers:
        client = Client()
        if isinstance(caller.user, User):
            client.force_login(caller.user)
        for operation in everything:
            cells += 1
            # Nothing is done: a body without what an action takes, and the rest taken back.
            status = _status(client, operation)
            expected = operation.expected(caller)
            if status != expected and not (expected is None and status not in DENIED):
                wrong.append((str(caller.user), operation.url, operation.body, expected, status))
    record_property("cells", cells)
    assert not wrong, "\n".join(map(str, wrong))
    assert cells > 1_000


def _status(client: Client, operation: Operation) -> int:
    if operation.body is None:
        return client.get(operation.url).status_code
    # A key that nobody takes: what is allowed is refused for it, and changes nothing.
    body = {**operation.body, "resource": {"nobody_takes_this": True}}
    return client.post(operation.url, body, "application/json").status_code


def test_every_collection_has_its_place() -> None:
    assert PLACES.keys() == settings.COLLECTIONS.keys()
