"""The page before the button of the admin: what changes of an instance's groups would do."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory.models import Task, Vm
from secgroups.admin import previews
from secgroups.models import SecurityGroup
from tests.cast import Cast, enter, memberships
from tests.cast import vm as make_vm
from tests.contracts import grant
from tests.secgroups.api.test_previews import open_to

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    cast = enter()
    open_to(cast.production.web, 443, "0.0.0.0/0")
    return cast


def look(client: Client, action: str, vms: list[Vm], groups: list[SecurityGroup], **more: str) -> Any:
    url = reverse(f"admin:inventory_instance_{action}_groups", query={"ids": ",".join(str(vm.pk) for vm in vms)})
    answer = client.post(url, {"groups": [group.pk for group in groups], **more})
    assert answer.status_code in {200, 302}
    return answer


def shown(answer: Any) -> list[Any]:
    found: list[Any] = answer.context["changes"].shown
    return found


def test_it_shows_what_the_change_would_do_and_does_nothing(admin_client: Client, cast: Cast) -> None:
    before = memberships()
    answer = look(admin_client, "add", [cast.production.single], [cast.production.web])
    [change] = shown(answer)
    message = "Added security group web to production-single."
    assert (change.status, change.message) == ("Ok", message)
    [port] = change.ports
    assert [group.name for group in port.before] == ["default"]
    assert [group.name for group in port.after] == ["default", "web"]
    [line] = change.appear.first
    assert (line.ports, line.other_side, change.disappear.first) == ("443", "0.0.0.0/0", [])
    assert {warning.kind for warning in change.warnings} == {"open_to_world"}
    page = answer.content.decode()
    for text in (message, "Every public address can connect: tcp 443.", "eni-production-single-1", "443"):
        assert text in page
    assert not Task.objects.exists()
    assert memberships() == before


def test_its_button_does_what_it_shows(admin_client: Client, cast: Cast) -> None:
    page = look(admin_client, "add", [cast.production.single], [cast.production.web]).content.decode()
    assert f'<input type="hidden" name="groups" value="{cast.production.web.pk}">' in page
    assert look(
        admin_client, "add", [cast.production.single], [cast.production.web], confirm="Add"
    ).url.startswith("/admin/inventory/task/")
    assert Task.objects.get().arguments["group"]["ems_ref"] == "sg-production-web"


def test_a_group_that_is_removed_shows_what_disappears(admin_client: Client, cast: Cast) -> None:
    cast.production.single.network_ports.get().memberships.create(
        security_group=cast.production.web, vm=cast.production.single
    )
    [change] = shown(look(admin_client, "remove", [cast.production.single], [cast.production.web]))
    assert [line.ports for line in change.disappear.first] == ["443"]
    assert {warning.kind for warning in change.warnings} == {"connections_stay", "locked_out"}


def test_each_change_is_on_top_of_those_before(admin_client: Client, cast: Cast) -> None:
    open_to(cast.production.db, 443, "0.0.0.0/0")
    groups = [cast.production.web, cast.production.db]
    vms = [cast.production.single, cast.production.double]
    changes = shown(look(admin_client, "add", vms, groups))
    assert [(change.vm.name, len(change.appear.first)) for change in changes] == [
        ("production-single", 1),
        ("production-single", 0),
        ("production-double", 1),
        ("production-double", 0),
    ]
    assert [len(change.ports) for change in changes] == [1, 1, 2, 2]


def test_what_is_refused_says_why(admin_client: Client, cast: Cast) -> None:
    vms = [cast.production.single, cast.staging.single]
    refused = shown(look(admin_client, "add", vms, [cast.production.web]))[1]
    assert (refused.status, refused.ports) == ("Error", [])
    assert refused.message.startswith("Cannot add web (sg-production-web) to staging-single")


def test_of_too_much_it_shows_the_first(admin_client: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    open_to(cast.production.web, 80, *(f"10.{number}.0.0/16" for number in range(4)))
    for name, number in (("INSTANCES", 2), ("CHANGES", 3), ("LINES", 2)):
        monkeypatch.setattr(previews, name, number)
    vms = [cast.production.single, cast.production.double, make_vm(cast.production.network, "third")]
    answer = look(admin_client, "add", vms, [cast.production.db, cast.production.web])
    changes = answer.context["changes"]
    assert (len(changes.shown), changes.more, changes.more_vms) == (3, 1, 1)
    opened = changes.shown[1].appear
    assert (len(opened.first), opened.more) == (2, 3)
    page = answer.content.decode()
    assert "And 1 more change." in page
    assert "1 more instance" in page


def test_it_shows_nothing_that_the_user_may_not_see(client: Client, cast: Cast) -> None:
    user = User.objects.create_user("sam", is_staff=True)
    grant(user, "inventory.view_instance", "inventory.change_vm_security_groups")
    client.force_login(user)
    [change] = shown(look(client, "add", [cast.production.single], [cast.production.web]))
    assert change.ports == []
    grant(user, "inventory.view_networkport")
    [change] = shown(look(client, "add", [cast.production.single], [cast.production.web]))
    assert [(port.before, port.after) for port in change.ports] == [([], [])]
    assert {line.addresses for line in change.appear.first} == {None}
    assert "unknown" in {warning.kind for warning in change.warnings}


def test_it_needs_no_credentials_and_as_many_queries_for_more_groups(
    admin_client: Client, cast: Cast, settings: Any
) -> None:
    settings.CREDENTIALS_KEYS = [Fernet.generate_key().decode()]

    def queries(*groups: SecurityGroup) -> int:
        with CaptureQueriesContext(connection) as captured:
            look(admin_client, "add", [cast.production.single], list(groups))
        return len(captured)

    assert queries(cast.production.web) == queries(cast.production.web, cast.production.db)
