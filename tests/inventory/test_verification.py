"""Testing a provider: what becomes of what its cloud says, and of a cloud that says nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event, Semaphore
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User

from inventory import capacity
from inventory.capacity import NoThreadLeft, Share
from inventory.drivers.exceptions import CloudUnavailable, CredentialsRefused
from inventory.drivers.values import Check
from inventory.models import Provider
from inventory.services import TooManyWaiting, Verdict, verification, verify_credentials, waiting
from tests.cast import AMAZON, OPENSTACK
from tests.clouds import MemoryCloud

READ = Check("list instances", True, "May list instances.", needed=True)
BLIND = Check("list instances", False, "May not list instances: grant ec2:DescribeInstances.", needed=True)
CHANGE = Check("change", True, "May change.")
KEEP = Check("change", False, "May not change: grant ec2:Change.")
WHO_KNOWS = Check("change", None, "Whether it may change is not known.")


def verdict_of(provider: Provider, **arguments: Any) -> Verdict:
    """The verdict for somebody who may see every provider."""
    [verdict] = verify_credentials(providers=[provider], user=User(is_superuser=True), **arguments)
    return verdict


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Any:
    """Have the cloud answer with these checks, or do something else."""
    settings.DRIVERS = {AMAZON: "tests.clouds.MemoryCloud"}

    def say(answer: Any) -> None:
        monkeypatch.setattr(MemoryCloud, "verify", lambda cloud: answer(cloud) if callable(answer) else answer)

    return say


def raising(error: Exception) -> Any:
    def verify(cloud: MemoryCloud) -> Any:
        raise error

    return verify


@pytest.mark.parametrize(
    ("checks", "success", "message"),
    [
        (
            (READ, CHANGE),
            True,
            "The cloud responds and accepts the credentials. All required permissions are granted.",
        ),
        ((READ, KEEP), True, f"The cloud responds and accepts the credentials. {KEEP.message}"),
        ((READ, WHO_KNOWS), True, f"The cloud responds and accepts the credentials. {WHO_KNOWS.message}"),
        (
            (BLIND, KEEP),
            False,
            f"Credentials accepted, but permissions are missing. {BLIND.message} {KEEP.message}",
        ),
    ],
)
def test_what_may_be_done_is_told(says: Any, checks: tuple[Check, ...], success: bool, message: str) -> None:
    says(checks)
    verdict = verdict_of(Provider(vendor=AMAZON))
    assert (verdict.success, verdict.message, verdict.checks) == (success, message, checks)


@pytest.mark.parametrize("error", [CredentialsRefused("No such key."), CloudUnavailable("The host is not known.")])
def test_a_cloud_that_refuses_or_does_not_answer_is_told(says: Any, error: Exception) -> None:
    says(raising(error))
    verdict = verdict_of(Provider(vendor=AMAZON))
    assert (verdict.success, verdict.message, verdict.checks) == (False, str(error), ())


def test_a_failure_of_our_own_is_logged_and_told_without_its_words(
    says: Any, caplog: pytest.LogCaptureFixture
) -> None:
    says(raising(ZeroDivisionError("a secret")))
    verdict = verdict_of(Provider(vendor=AMAZON))
    assert (verdict.success, verdict.message) == (
        False,
        "Internal error in the test. See the Portcullis log for details.",
    )
    assert "ZeroDivisionError" in caplog.text


def test_the_credentials_reach_the_cloud_with_little_patience(says: Any) -> None:
    asked = []
    says(lambda cloud: asked.append(cloud.connection) or (READ,))
    credentials = {"userid": "AKIA", "password": "secret"}
    verdict_of(Provider(vendor=AMAZON, provider_region="eu-west-1", credentials=credentials))
    [connection] = asked
    assert (connection.userid, connection.password, connection.region) == ("AKIA", "secret", "eu-west-1")
    assert connection.timeout == verification.TIMEOUT


@pytest.fixture
def silence() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("kind", [AMAZON, OPENSTACK])
def test_a_cloud_that_never_answers_is_not_waited_for(
    silence: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Provider(vendor=kind, url=silence, credentials={"userid": "who", "password": "secret"})
    monkeypatch.setattr(verification, "TIMEOUT", 1.0)
    verdict = verdict_of(provider, seconds=0.1)
    assert (verdict.success, verdict.message) == (
        False,
        "The cloud did not answer all requests within 0.1 seconds.",
    )
    for thread in threading.enumerate():
        if thread.name == "verify":
            thread.join(timeout=30)
            assert not thread.is_alive()


def test_no_more_go_on_at_a_time_than_a_process_can_bear(says: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    end, ended = Event(), Event()

    def hang(cloud: MemoryCloud) -> tuple[Check, ...]:
        end.wait(timeout=30)
        return (READ,)

    says(hang)
    monkeypatch.setattr(verification, "_free", free := verification.BoundedSemaphore(1))
    release = free.release
    monkeypatch.setattr(free, "release", lambda: (release(), ended.set()))
    provider = Provider(vendor=AMAZON)
    assert "did not answer" in verdict_of(provider, seconds=0.01).message
    with pytest.raises(TooManyWaiting):
        verdict_of(provider, seconds=0.01)
    end.set()
    assert ended.wait(timeout=30)
    assert verdict_of(provider).success


def test_without_time_nobody_is_asked(says: Any) -> None:
    says(raising(AssertionError()))
    verdict = verdict_of(Provider(vendor=AMAZON), seconds=0)
    assert verdict.message == "Not tested: the time limit was reached. Test fewer providers per request."


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("answer", "success", "message"),
    [
        (raising(CloudUnavailable("The host is not known. 10.0.0.1, port 22: SSH-2.0")), False, "can't be used"),
        (raising(CredentialsRefused("No such key.")), False, "can't be used"),
        ((BLIND, KEEP), False, "can't be used"),
        ((READ, KEEP), True, "The connection can be used."),
    ],
)
def test_who_may_not_see_providers_is_told_no_reason(
    says: Any, answer: Any, success: bool, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "inventory")
    says(answer)
    user = User.objects.create_user("scanner")
    user.user_permissions.set(Permission.objects.filter(codename__in=["add_provider", "change_provider"]))
    [verdict] = verify_credentials(providers=[Provider(vendor=AMAZON)], user=user)
    assert (verdict.success, verdict.checks) == (success, ())
    assert message in verdict.message
    words = ("10.0.0.1", "SSH", "No such key", "grant")
    assert not any(word in verdict.message for word in words)
    assert any(word in caplog.text for word in words)


class TestThreads:
    """Requests that wait for clouds leave threads to others."""

    @pytest.mark.parametrize(("threads", "size"), [(1, 1), (4, 1), (8, 2), (11, 2), (16, 4)])
    def test_a_quarter_may_wait(self, threads: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(capacity, "web_threads", threads)
        quarter = Share(4)
        with ExitStack() as stack:
            for _ in range(size):
                stack.enter_context(quarter.thread())
            with pytest.raises(NoThreadLeft), quarter.thread():
                pass
        with quarter.thread():
            pass

    def test_a_thread_is_given_back_after_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(capacity, "web_threads", 4)
        quarter = Share(4)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError), quarter.thread():
                raise ZeroDivisionError

    def test_more_requests_are_refused_while_others_hang(self, says: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(waiting, "_quarter", Share(4))
        end, begun = Event(), Semaphore(0)

        def hang(cloud: MemoryCloud) -> tuple[Check, ...]:
            begun.release()
            end.wait(timeout=30)
            return (READ,)

        says(hang)
        provider = Provider(vendor=AMAZON)
        with ThreadPoolExecutor(2) as pool:
            futures = [pool.submit(verdict_of, provider) for _ in range(2)]
            try:
                assert all(begun.acquire(timeout=30) for _ in range(2))
                with pytest.raises(TooManyWaiting) as refused:
                    verdict_of(provider)
                assert refused.value.wait == waiting.SECONDS
            finally:
                end.set()
            assert [future.result(timeout=30).success for future in futures] == [True, True]
        assert verdict_of(provider).success
