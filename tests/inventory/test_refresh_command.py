"""`manage.py refresh`."""

from __future__ import annotations

import uuid
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from inventory.drivers.exceptions import CloudUnavailable
from inventory.models import Lease, Provider
from inventory.refresh import STEPS
from tests import cast as actors
from tests.cast import Cast
from tests.clouds import MemoryCloud, fail

pytestmark = pytest.mark.usefixtures("cloud")


class Run:
    """One run of the command: what it said and how it ended."""

    def __init__(self, *arguments: str, **options: Any) -> None:
        out, err = StringIO(), StringIO()
        self.failure = ""
        try:
            call_command("refresh", *arguments, stdout=out, stderr=err, **options)
        except CommandError as error:
            self.failure = str(error)
        self.out, self.err = out.getvalue(), err.getvalue()


def test_it_refreshes_the_providers_that_are_named(cast: Cast, cloud: MemoryCloud) -> None:
    actors.provider("other")
    run = Run("acme")
    assert (run.out, run.failure) == ("acme: 4 instances and 6 security groups\n", "")
    assert [provider.name for provider in Provider.objects.exclude(last_refresh_date=None)] == ["acme"]
    assert len(cloud.calls) == 1


def test_it_shows_how_far_it_is() -> None:
    run = Run("acme")
    assert "acme" in run.err
    assert f"{STEPS}/{STEPS}" in run.err


def test_without_a_name_it_refreshes_all_that_are_enabled() -> None:
    actors.provider("other", vendor="nonsense", enabled=False)
    run = Run()
    assert (run.out, run.failure) == ("acme: 4 instances and 6 security groups\n", "")


def test_a_name_of_no_provider_is_an_error_before_anything_is_read(cloud: MemoryCloud) -> None:
    run = Run("acme", "nosuch", "neither")
    assert run.failure == "There is no provider nosuch, neither"
    assert not cloud.calls


def test_one_that_fails_does_not_keep_the_others_from_being_refreshed(cloud: MemoryCloud) -> None:
    actors.provider("broken", vendor="nonsense")
    cloud.script("inventory")
    run = Run("broken", "acme")
    assert run.failure == "Not refreshed: broken"
    assert "broken: Portcullis has no driver for nonsense." in run.err
    assert run.out == "acme: 4 instances and 6 security groups\n"


def test_it_says_what_the_cloud_said(cloud: MemoryCloud) -> None:
    cloud.script("inventory", fail(CloudUnavailable("No answer.")))
    run = Run("acme")
    assert (run.failure, run.out) == ("Not refreshed: acme", "")
    assert "acme: No answer." in run.err


def test_it_keeps_off_a_provider_that_is_being_refreshed(cast: Cast, cloud: MemoryCloud) -> None:
    ends_on = timezone.now() + timedelta(hours=1)
    Lease.objects.create(queue=f"providers/{cast.acme.pk}", owner=uuid.uuid4(), ends_on=ends_on)
    run = Run("acme")
    assert run.failure == "Not refreshed: acme"
    assert "acme: another process is refreshing it" in run.err
    assert not cloud.calls


def test_it_lets_go_of_the_lease() -> None:
    Run("acme")
    assert not Lease.objects.exists()


def test_more_than_half_is_removed_only_with_force(cloud: MemoryCloud) -> None:
    for ref in ("i-staging-double", "i-staging-single", "i-production-double"):
        cloud.terminate(ref)
    run = Run("acme")
    assert run.failure == "Not refreshed: acme"
    assert "it would remove 3 of 4 instances" in run.err
    run = Run("acme", "--force")
    assert (run.out, run.failure) == ("acme: 1 instance and 6 security groups\n", "")
