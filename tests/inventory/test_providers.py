"""Providers: connecting them, and having their inventory read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from inventory.arguments import ProviderRefresh, provider_task
from inventory.drivers.ec2 import Ec2Driver
from inventory.drivers.values import Connection
from inventory.models import Provider, Task
from inventory.services import connect_provider, finish, request_refresh
from inventory.tasks import queue_due_refreshes
from tests import cast as actors
from tests.cast import AMAZON

NOW = timezone.now()
RECENTLY, LONG_AGO = NOW - timedelta(seconds=30), NOW - timedelta(hours=2)


@pytest.fixture(autouse=True)
def interval(settings: Any) -> None:
    settings.REFRESH_INTERVAL = timedelta(hours=1)


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("sam")


@pytest.mark.parametrize(
    ("attributes", "endpoint"),
    [
        ({}, None),
        ({"url": "", "hostname": ""}, None),
        ({"url": "http://cloud:5000/v3"}, "http://cloud:5000/v3"),
        ({"url": "http://cloud", "hostname": "other", "port": 1}, "http://cloud"),
        ({"hostname": "cloud"}, "https://cloud"),
        ({"hostname": "cloud", "port": 5000}, "https://cloud:5000"),
        ({"hostname": "cloud", "port": 5000, "security_protocol": "non-ssl"}, "http://cloud:5000"),
        ({"hostname": "cloud", "security_protocol": "ssl"}, "https://cloud"),
        ({"hostname": "cloud", "security_protocol": "ssl-with-validation"}, "https://cloud"),
        ({"hostname": "cloud", "vendor": "openstack"}, "https://cloud:5000"),
    ],
)
def test_the_endpoint_is_the_url_or_what_host_port_and_protocol_say(
    attributes: dict[str, Any], endpoint: str | None
) -> None:
    assert Provider(**attributes).endpoint == endpoint


@pytest.mark.parametrize(
    ("attributes", "verified"),
    [
        ({}, True),
        ({"verify_ssl": False}, False),
        ({"security_protocol": "ssl"}, False),
        ({"security_protocol": "ssl-with-validation"}, True),
        ({"security_protocol": "ssl-with-validation", "verify_ssl": False}, False),
    ],
)
def test_certificates_are_verified_unless_somebody_said_otherwise(
    attributes: dict[str, Any], verified: bool
) -> None:
    assert Provider(vendor=AMAZON, **attributes).driver().connection.verify_ssl is verified


def test_its_driver_is_connected_with_everything_that_is_known(settings: Any) -> None:
    settings.CLOUD_ANSWER_SIZE, settings.CLOUD_ANSWER_TIME, settings.CLOUD_LIST_SIZE = 7, 8, 9
    provider = Provider(
        vendor=AMAZON,
        url="https://cloud",
        provider_region="eu-1",
        credentials={"userid": "AKID", "password": "secret"},
        certificate_authority="-----BEGIN",
        project="admin",
        uid_ems="default",
        interface="internal",
    )
    driver = provider.driver()
    assert isinstance(driver, Ec2Driver)
    assert driver.connection == Connection(
        "https://cloud",
        "eu-1",
        "AKID",
        "secret",
        True,
        "-----BEGIN",
        "admin",
        "default",
        interface="internal",
        answer_size=7,
        list_size=9,
        answer_time=8,
    )


@pytest.mark.parametrize(("kind", "supported"), [(AMAZON, True), ("nonsense", False)])
def test_a_provider_without_a_driver_can_not_manage_groups(kind: str, supported: bool) -> None:
    assert Provider(vendor=kind).supports_security_groups is supported


def test_a_driver_that_can_not_manage_groups_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ec2Driver, "supports_security_groups", False)
    assert not Provider(vendor=AMAZON).supports_security_groups


def test_a_provider_that_is_connected_is_refreshed(user: User) -> None:
    provider = connect_provider(user=user, name="acme", vendor=AMAZON, credentials={"userid": "AKID"})
    task = Task.objects.get()
    assert (task.name, task.message) == ("Refresh of acme", "Refreshing provider acme")
    assert (task.queue, task.provider, task.owner) == (f"providers/{provider.pk}", provider, user)
    assert Provider.objects.get().credentials == {"userid": "AKID"}


@pytest.mark.parametrize("attributes", [{"vendor": AMAZON, "enabled": False}, {"vendor": "nonsense"}])
def test_a_provider_that_can_not_be_read_is_connected_without_a_refresh(
    attributes: dict[str, Any], user: User
) -> None:
    assert connect_provider(user=user, name="acme", **attributes).pk
    assert not Task.objects.exists()


@pytest.mark.parametrize("force", [True, False])
def test_a_refresh_that_is_asked_for_says_whether_it_is_forced(force: bool, db: None) -> None:
    task = request_refresh(provider=actors.provider("acme"), user=None, force=force)
    assert provider_task(task.arguments) == ProviderRefresh(force=force)
    assert task.context_data == {"action": "refresh", "provider": "acme", "force": force}
    assert (task.owner, task.userid) == (None, "system")


@pytest.mark.parametrize(
    ("attributes", "due"),
    [
        ({"last_refresh_date": None}, True),
        ({"last_refresh_date": LONG_AGO}, True),
        ({"last_refresh_date": LONG_AGO, "last_refresh_error": "No answer."}, True),
        ({"last_refresh_date": RECENTLY}, False),
        ({"last_refresh_date": LONG_AGO, "enabled": False}, False),
        ({"last_refresh_date": None, "enabled": False}, False),
    ],
)
def test_a_refresh_is_queued_for_the_providers_that_are_due(
    attributes: dict[str, Any], due: bool, db: None
) -> None:
    provider = actors.provider("acme", **attributes)
    queue_due_refreshes()
    assert [task.provider for task in Task.objects.all()] == [provider] * due


@pytest.mark.parametrize("state", ["Queued", "Active"])
def test_no_refresh_is_queued_while_one_is_under_way(state: str, db: None) -> None:
    acme, other = actors.provider("acme"), actors.provider("other")
    under_way = request_refresh(provider=acme, user=None)
    Task.objects.update(state=state)
    queue_due_refreshes()
    queue_due_refreshes()
    assert [task.provider for task in Task.objects.exclude(pk=under_way.pk)] == [other]


def test_a_change_under_way_does_not_keep_a_refresh_from_being_queued(db: None) -> None:
    acme = actors.provider("acme")
    Task.objects.create(name="Adding web", message="", userid="sam", queue="vms/1", provider=acme)
    queue_due_refreshes()
    assert Task.objects.filter(queue=f"providers/{acme.pk}").count() == 1


def test_after_a_refresh_was_finished_the_next_can_be_queued(db: None) -> None:
    finish(request_refresh(provider=actors.provider("acme"), user=None), Task.Status.ERROR, "No answer.")
    queue_due_refreshes()
    assert Task.objects.unfinished().count() == 1


@pytest.mark.parametrize("seconds", [0, -1])
def test_the_schedule_can_be_turned_off(seconds: int, db: None, settings: Any) -> None:
    settings.REFRESH_INTERVAL = timedelta(seconds=seconds)
    actors.provider("acme")
    queue_due_refreshes()
    assert not Task.objects.exists()
