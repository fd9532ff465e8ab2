"""What an operator is told whom a service refuses something, whichever page of the admin asked for it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from inspect import isfunction
from types import ModuleType
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from inventory.admin.provider import ProviderAdmin
from inventory.db.events import because
from inventory.models import Provider, Task
from inventory.services import QueueFull, cause_of_task
from secgroups.models import Membership
from tests.cast import AMAZON, Cast, enter, give_credentials

pytestmark = pytest.mark.django_db

FULL = QueueFull(7)
GONE = Provider.DoesNotExist("Couldn't find Provider with 'id'=3")
MODULES = (
    "inventory.admin.provider",
    "inventory.admin.refreshable",
    "inventory.admin.task",
    "secgroups.admin.task",
    "secgroups.admin.vm",
)


@pytest.fixture
def cast() -> Cast:
    entered = enter()
    Provider.objects.update(provider_region="eu-west-1")
    give_credentials(entered.acme, userid="AKIA", password="secret")
    return entered


def page(model: str, view: str = "changelist", *args: object, **query: object) -> str:
    return reverse(f"admin:{model}_{view}", args=args, query=query)


def typed(**fields: str) -> dict[str, str]:
    """The provider form as a browser sends it."""
    return {
        "name": "acme",
        "vendor": AMAZON,
        "enabled": "on",
        "provider_region": "eu-west-2",
        "interface": "public",
        "verify_ssl": "on",
    } | fields


def act(client: Client, model: str, action: str, *rows: Any, **more: str) -> Any:
    chosen = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(page(model), chosen | more, follow=True)


def add(client: Client, cast: Cast) -> Any:
    return client.post(page("inventory_provider", "add"), typed(name="new", userid="A", password="b"), follow=True)


def edit(client: Client, cast: Cast) -> Any:
    return client.post(page("inventory_provider", "change", cast.acme.pk), typed(), follow=True)


def delete(client: Client, cast: Cast) -> Any:
    return client.post(page("inventory_provider", "delete", cast.acme.pk), {"post": "yes"}, follow=True)


def delete_selected(client: Client, cast: Cast) -> Any:
    return act(client, "inventory_provider", "delete_selected", cast.acme, post="yes")


def refresh(client: Client, cast: Cast) -> Any:
    return act(client, "inventory_provider", "refresh", cast.acme)


def refresh_group(client: Client, cast: Cast) -> Any:
    return act(client, "secgroups_securitygroup", "refresh", cast.production.web)


def change_groups(client: Client, cast: Cast) -> Any:
    url = page("inventory_instance", "add_groups", ids=cast.production.single.pk)
    return client.post(url, {"groups": [cast.production.web.pk], "confirm": "Add"}, follow=True)


def revert(client: Client, cast: Cast) -> Any:
    vm = cast.production.single
    task = Task.objects.create(name="Adding", queue=f"vms/{vm.pk}", provider=cast.acme, vm=vm, state="Finished")
    with transaction.atomic(), because(cause_of_task(task)):
        Membership.objects.create(security_group=cast.production.web, network_port=vm.network_ports.get(), vm=vm)
    return act(client, "inventory_task", "revert", task)


#: Where each service is called, by a view of the admin.
ASKED: list[tuple[str, Callable[[Client, Cast], Any]]] = [
    ("inventory.admin.provider.connect_provider", add),
    ("inventory.admin.provider.edit_provider", edit),
    ("inventory.admin.provider.delete_provider", delete),
    ("inventory.admin.provider.delete_provider", delete_selected),
    ("inventory.admin.provider.request_refresh", refresh),
    ("inventory.admin.refreshable.request_refresh_of", refresh_group),
    ("secgroups.admin.task.request_reverts", revert),
    ("secgroups.admin.vm.request_changes", change_groups),
]
#: What can't be refused so: it queues nothing, or says what it has to say in its own words.
OTHERS = {
    "inventory.admin.provider.verify_credentials",
    "inventory.admin.task.cancel_task",
    "inventory.admin.task.retry_task",
    "secgroups.admin.task.decide_revert",
    "secgroups.admin.task.may_revert",
    "secgroups.admin.vm.keep_refused_change",
}


def services(module: ModuleType) -> set[str]:
    """The services that a module calls."""
    return {
        f"{module.__name__}.{name}"
        for name, value in vars(module).items()
        if isfunction(value) and ".services" in value.__module__
    }


def test_every_service_of_the_admin_is_here() -> None:
    named = set().union(*(services(import_module(module)) for module in MODULES))
    assert named == {name for name, _ in ASKED} | OTHERS


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have a service raise an error at its first call, or at each, after it has done its work."""

    def refuse(name: str, error: Exception, *, always: bool = False) -> None:
        module, _, attribute = name.rpartition(".")
        serve = getattr(import_module(module), attribute)
        errors = [error]

        def refused(**arguments: Any) -> Any:
            with transaction.atomic():
                done = serve(**arguments)
                if errors:
                    raise errors[0] if always else errors.pop()
            return done

        monkeypatch.setattr(name, refused)

    return refuse


def told(answer: Any) -> str:
    """What the page says, to whoever was sent there."""
    assert answer.status_code == 200
    return answer.content.decode().replace("&#x27;", "'")


@pytest.mark.parametrize(("service", "ask"), ASKED)
def test_a_full_queue_is_told_and_nothing_is_done(
    admin_client: Client, cast: Cast, refusing: Any, service: str, ask: Any
) -> None:
    refusing(service, FULL, always=True)
    assert str(FULL) in told(ask(admin_client, cast))
    assert not Task.objects.unfinished().exists()
    assert not LogEntry.objects.exists()
    assert Provider.objects.connected().values_list("name", "provider_region").get() == ("acme", "eu-west-1")


@pytest.mark.parametrize(("service", "ask"), ASKED)
def test_what_was_deleted_meanwhile_is_told(
    admin_client: Client, cast: Cast, refusing: Any, service: str, ask: Any
) -> None:
    refusing(service, GONE)
    assert str(GONE) in told(ask(admin_client, cast))


@pytest.mark.parametrize(("service", "ask"), ASKED)
def test_what_is_always_said_to_be_deleted_is_not_found(
    admin_client: Client, cast: Cast, refusing: Any, service: str, ask: Any
) -> None:
    refusing(service, GONE, always=True)
    assert ask(admin_client, cast).status_code == (200 if ask is change_groups else 404)


@pytest.mark.parametrize(("service", "ask"), [one for one in ASKED if one[1] is not change_groups])
def test_what_another_wrote_at_the_same_time_is_seen_by_a_second_attempt(
    admin_client: Client, cast: Cast, refusing: Any, service: str, ask: Any
) -> None:
    refusing(service, IntegrityError("duplicate key"))
    told(ask(admin_client, cast))
    assert Task.objects.unfinished().count() == 1
    assert LogEntry.objects.count() <= 1


def test_what_was_typed_is_there_again_with_a_full_queue(admin_client: Client, cast: Cast, settings: Any) -> None:
    settings.QUEUE_LIMIT = 0
    form = edit(admin_client, cast).context["adminform"].form
    assert form["provider_region"].value() == "eu-west-2"
    assert "Nothing was saved: Queue full: 0 tasks are already waiting" in str(form.errors)


def blind_at_first(monkeypatch: pytest.MonkeyPatch, model: type, check: str) -> None:
    """What checks a row finds nothing the first time, when the other is not there yet."""
    found = getattr(model, check)
    first = iter([lambda *args, **kwargs: None])
    monkeypatch.setattr(model, check, lambda *args, **kwargs: next(first, found)(*args, **kwargs))


@pytest.mark.parametrize(("change", "name"), [(add, "new"), (edit, "acme")])
def test_of_two_names_at_once_one_is_an_error_of_the_form(
    admin_client: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch, change: Any, name: str
) -> None:
    Provider.objects.filter(pk=cast.acme.pk).update(name="old")
    Provider.objects.create(name=name, vendor=AMAZON)
    blind_at_first(monkeypatch, Provider, "validate_constraints")
    assert "A provider with this name already exists." in told(change(admin_client, cast))
    assert Provider.objects.count() == 2


def test_so_it_is_with_groups_of_users(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose admin is Django's own."""
    Group.objects.create(name="operators")
    blind_at_first(monkeypatch, Group, "validate_unique")
    answer = admin_client.post(page("auth_group", "add"), {"name": "operators"})
    assert "Group with this Name already exists." in told(answer)


def test_the_page_of_a_provider_that_was_just_deleted_says_so(
    admin_client: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    Provider.objects.update(deleted_on=timezone.now())
    get = ProviderAdmin.get_object
    first = iter([lambda self, request, pk, field=None: Provider.objects.get(pk=pk)])
    monkeypatch.setattr(ProviderAdmin, "get_object", lambda *args: next(first, get)(*args))
    assert "It was deleted in the meantime" in told(edit(admin_client, cast))
