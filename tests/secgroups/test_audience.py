"""What tasks say of a cloud's errors to users who may, and may not, see its provider."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone

from inventory.backoff import Waiting
from inventory.drivers.exceptions import (
    CloudError,
    CloudRefused,
    CloudUnavailable,
    CredentialsRefused,
    GroupNotFound,
)
from inventory.drivers.messages import NOT_DONE
from inventory.models import Task
from inventory.runner import run_queue
from inventory.services import TaskRetries, request_refresh
from secgroups.services import group_deletion, request_edits
from tests.cast import Cast
from tests.clouds import Clock, Grip, MemoryCloud, fail
from tests.secgroups.carrying import carried_out, queue
from tests.secgroups.editing import edited

BANNER = "SSH-2.0-OpenSSH_9.2 at 10.0.0.7, port 22"
#: What the tasks here take.
ALLOWED = ("refresh_provider", "change_vm_security_groups", "delete_securitygroup")
pytestmark = pytest.mark.usefixtures("cloud")


def user(name: str, *permissions: str) -> User:
    made = User.objects.create_user(name)
    made.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return made


@pytest.fixture
def viewer(cast: Cast) -> User:
    return user("viewer", "view_provider", *ALLOWED)


@pytest.fixture
def scanner(cast: Cast) -> User:
    """May do anything to providers but see them."""
    return user("scanner", "add_provider", "change_provider", "delete_provider", *ALLOWED)


def errors() -> list[CloudError]:
    return [CloudRefused(BANNER), CredentialsRefused(BANNER, request_id="req-banner")]


@pytest.mark.parametrize("error", errors(), ids=lambda error: type(error).__name__)
def test_of_a_refresh(cast: Cast, cloud: MemoryCloud, viewer: User, scanner: User, error: CloudError) -> None:
    cloud.script("inventory", fail(error))
    for asker in (viewer, scanner, None):
        request_refresh(provider=cast.acme, user=asker)
    run_queue(f"providers/{cast.acme.pk}")
    seen, unseen, scheduled = Task.objects.order_by("pk").values_list("message", flat=True)
    assert BANNER in seen
    assert BANNER in scheduled
    assert unseen == NOT_DONE
    cast.acme.refresh_from_db()
    assert BANNER in cast.acme.last_refresh_error


@pytest.mark.parametrize("error", errors(), ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("call", ["ports", "change_groups"])
def test_of_a_change(
    cast: Cast, cloud: MemoryCloud, viewer: User, scanner: User, error: CloudError, call: str
) -> None:
    vm = cast.production.single
    for asker, group in ((viewer, "web"), (scanner, "db")):
        [task] = queue(vm, "add", group)
        Task.objects.filter(pk=task.pk).update(owner=asker)
    cloud.script(call, *[fail(error)] * 3)
    carried_out(vm)
    seen, unseen = Task.objects.order_by("pk")
    assert BANNER in seen.message
    assert seen.context_data["request_id"] == error.request_id
    assert unseen.message.endswith(NOT_DONE)
    assert "banner" not in str(unseen.context_data)


def test_of_an_edit(cast: Cast, cloud: MemoryCloud, viewer: User, scanner: User) -> None:
    for asker in (viewer, scanner):
        cloud.script("delete_group", fail(CloudRefused(BANNER, request_id="req-banner")))
        request_edits([group_deletion(cast.production.web)], user=asker)
    edited(cast.acme)
    seen, unseen = Task.objects.order_by("pk")
    assert BANNER in seen.message
    assert unseen.message == f"Cannot delete security group web: {NOT_DONE}"
    assert "banner" not in str(unseen.context_data)


def test_of_a_pause(cast: Cast, cloud: MemoryCloud, clock: Clock, viewer: User, scanner: User) -> None:
    vm = cast.production.single
    tasks = [*queue(vm, "add", "web"), *queue(vm, "add", "db")]
    for task, asker in zip(tasks, (viewer, scanner), strict=True):
        Task.objects.filter(pk=task.pk).update(owner=asker)
    cloud.script("ports", fail(CloudUnavailable(BANNER)))
    waiting: list[str] = []
    clock.meanwhile = lambda: waiting.extend(Task.objects.order_by("pk").values_list("message", flat=True))
    carried_out(vm)
    seen, unseen, *_ = waiting
    assert BANNER in seen
    assert unseen.startswith("Attempt 1 failed")
    assert unseen.endswith(NOT_DONE)


def test_of_a_pause_of_a_refresh(cast: Cast, scanner: User) -> None:
    """Which waits within a call of its driver."""
    task = request_refresh(provider=cast.acme, user=scanner)
    TaskRetries([task], cast.acme, Grip()).wait(Waiting(1, CloudUnavailable(BANNER), timezone.now()))
    task.refresh_from_db()
    assert task.message.startswith("Attempt 1 failed")
    assert task.message.endswith(NOT_DONE)


def test_whoever_runs_portcullis_finds_the_reason_in_the_log(
    cast: Cast, cloud: MemoryCloud, scanner: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "inventory")
    cloud.script("delete_group", fail(CloudRefused(BANNER)))
    request_edits([group_deletion(cast.production.web)], user=scanner)
    edited(cast.acme)
    assert BANNER in caplog.text


def test_what_a_driver_says_of_resources_is_for_everybody(cast: Cast, cloud: MemoryCloud, scanner: User) -> None:
    vm = cast.production.single
    for group, error in (
        ("web", GroupNotFound("There is no security group sg-1.")),
        ("db", CloudRefused("EC2 said: " + BANNER, general="The port no longer exists.")),
    ):
        [task] = queue(vm, "add", group)
        Task.objects.filter(pk=task.pk).update(owner=scanner)
        cloud.script("change_groups", *[fail(error)] * 2)
        [told] = carried_out(vm)
        assert told.message.endswith(error.general or error.message)
