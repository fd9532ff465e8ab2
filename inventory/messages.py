"""What people are told about providers, tasks and refreshes: by tasks, the API, the admin and commands.

Every sentence is here, so that they can be read together. Refused requests are in `rest.messages`, what drivers
say is in `drivers.messages` and in each driver, what a refresh found is in `findings`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from math import ceil

# Providers

NAME_TAKEN = "A provider with this name already exists."
ENTER_AGAIN = "Stored credentials are not sent to a new address. Enter them again."
UNREADABLE_CREDENTIALS = (
    "The credentials were encrypted with another key. Set CREDENTIALS_KEY to include that key, or enter the "
    "credentials again."
)
DAMAGED_CREDENTIALS = (
    "The stored credentials are damaged, or were moved here from another provider. Enter them again."
)
UNBOUND_CREDENTIALS = (
    "The credentials were stored by an earlier version, and could not be converted when Portcullis was upgraded. "
    "Enter them again."
)
PROVIDER_DELETED = "The provider was deleted."


def wrong_credentials_key(names: Iterable[str]) -> str:
    return (
        f"CREDENTIALS_KEY is wrong: it decrypts no stored credentials (of {', '.join(names)}). Set it to the key "
        "that they were encrypted with. If that key is lost, see docs/keys.md."
    )


def rotated(done: int, total: int) -> str:
    return f"Re-encrypted the credentials of {done} of {total} providers with the first key of CREDENTIALS_KEY."


OTHER_KEYS_UNUSED = (
    "No credentials need the other keys. Once every process runs with this first key, and another run re-encrypts "
    "0, remove the other keys and restart."
)


def not_rotated(names: Iterable[str]) -> str:
    return f"Keep the other keys: the credentials of {', '.join(names)} can't be read"


def not_converted(names: Iterable[str]) -> str:
    return (
        f"The credentials of {', '.join(names)} can't be read: they are damaged, or their key is not in "
        "CREDENTIALS_KEY. Enter them again."
    )


def provider_disabled(name: str) -> str:
    return f"Provider {name} is disabled."


def no_driver(kind: str) -> str:
    return f"Portcullis has no driver for {kind}."


def not_found(model: str, pk: object) -> str:
    return f"Couldn't find {model} with 'id'={pk}"


def provider_connected(name: str) -> str:
    return f"Provider {name} was connected"


def provider_edited(name: str) -> str:
    return f"Provider {name} was edited"


def provider_deleted(name: str) -> str:
    return f"Provider {name} was deleted"


def deletion_of(name: str) -> str:
    return f"Deletion of {name}"


def deleting(name: str) -> str:
    return f"Deleting provider {name}"


def deleting_rows(name: str, done: int, total: int) -> str:
    return f"Deleting provider {name}: deleted {done:,} of {total:,} rows"


def deleted(name: str) -> str:
    return f"Deleted provider {name}."


# Events


def not_a_time(text: str) -> str:
    return f"{text} is neither a date nor a time, such as 2026-11-30 or 2026-11-30T12:00:00Z."


# Logins

TOKEN_REFUSED = "A token was refused"  # nosec B105  # noqa: S105 - no token


def login_succeeded(username: str) -> str:
    return f"{username} logged in"


def login_refused(username: str | None) -> str:
    return f"A login of {username} was refused" if username else "A login was refused"


def request_refused(status: int) -> str:
    return f"A request was refused ({status})"


def token_was_issued(username: str) -> str:
    return f"A token of {username} was issued"


TOO_MANY_CHECKS = "Too many logins at the same time. Retry in a second."


def too_many_logins(seconds: int) -> str:
    return f"Too many failed logins. Retry in {ceil(seconds / 60)} min."


TOKEN_OF_ANOTHER = "This token is another user's."  # nosec B105  # noqa: S105 - no token


LOGIN_ENDED = "The login has ended. Log in again"


def too_many_tokens(limit: int) -> str:
    return f"You have {limit:,} valid tokens, which is the limit. Revoke some, or wait until one expires"


def too_many_networks(most: int) -> str:
    return f"A token can have at most {most} networks."


def invalid_end(latest: datetime) -> str:
    return f"It must be a time between now and {latest:%Y-%m-%dT%H:%M:%SZ}."


def token_created(name: str) -> str:
    return f"Created token {name}. It is shown only once."


def token_revoked(name: str) -> str:
    return f"Revoked token {name}."


# Testing a connection

CREDENTIALS_ACCEPTED = "The cloud responds and accepts the credentials."
ALL_GRANTED = "All required permissions are granted."
PERMISSIONS_MISSING = "Credentials accepted, but permissions are missing."
INVENTORY_READABLE = "The inventory can be read."
TEST_FAILED = "Internal error in the test. See the Portcullis log for details."
#: For people who may not see providers.
TEST_PASSED = "The connection can be used."
TEST_NOT_PASSED = "The connection can't be used. Ask somebody who may see providers for the reason."
NO_TIME_LEFT = "Not tested: the time limit was reached. Test fewer providers per request."


TOO_MANY_WAITING = "Too many requests are waiting for clouds. Try again in a few seconds"


def test_timed_out(seconds: float) -> str:
    return f"The cloud did not answer all requests within {seconds:g} seconds."


# Tasks


def queue_full(waiting: int) -> str:
    return f"Queue full: {waiting} tasks are already waiting. Retry when some have finished"


def will_retry(attempts: int, until: datetime, error: object) -> str:
    return f"Attempt {attempts} failed, the next is at {until:%Y-%m-%dT%H:%M:%SZ}: {error}"


def attempt_succeeded(attempt: int) -> str:
    return f"Attempt {attempt} succeeded."


def cancelled(user: str) -> str:
    return f"Cancelled by {user}."


_WAITING_ONLY = "only a task that is queued or waiting for its next attempt can be"


def cannot_cancel(task: int) -> str:
    return f"Task {task} can't be cancelled: {_WAITING_ONLY}"


def cannot_cancel_unsure(task: int) -> str:
    return f"Task {task} can't be cancelled: it continues, because the cloud may already have done part of it"


def cannot_retry(task: int) -> str:
    return f"Task {task} can't be retried: {_WAITING_ONLY}"


def cannot_retry_parts(task: int) -> str:
    return f"Task {task} can't be retried: no part of it has failed or is waiting for its next attempt"


def cannot_delete(task: int) -> str:
    return f"Task {task} can't be deleted: only a finished task can be that is no part of an unfinished one"


#: How many tasks are named at most.
_NAMED = 3


def not_attempted(failed: Sequence[int]) -> str:
    """Why a part was not begun: these tasks before it have failed."""
    named = ", ".join(map(str, failed[:_NAMED])) + (
        f" and {more} more" if (more := len(failed) - _NAMED) > 0 else ""
    )
    return f"Not attempted, because task{'s' if len(failed) > 1 else ''} {named} failed before it."


def parts_ended(name: str, counts: Mapping[str, int]) -> str:
    """`Adding web to 40 instances: 37 went well, 2 failed, 1 cancelled.`"""
    parts = [
        f"{number} {verb}"
        for number, verb in (
            (counts["ok"], "went well"),
            (counts["warn"], "went well with warnings"),
            (counts["error"], "failed"),
            (counts["cancelled"], "cancelled"),
        )
        if number
    ]
    return f"{name}: {', '.join(parts)}."


def other_version(version: object, own: int) -> str:
    return (
        f"This task was accepted by another version of Portcullis, in a format that this version can't read "
        f"(version {version} instead of {own}). Once every process runs the same version, repeat the request."
    )


def unreadable(reason: object) -> str:
    return f"Can't read what this task should do: {reason}. Repeat the request."


def internal_error(kind: str) -> str:
    return f"Internal error ({kind}). See the Portcullis log for details."


def unrecorded(done: str, reason: str) -> str:
    """What a task says that changed the cloud, and could not write it into the inventory."""
    return f"{done} The cloud has the change, and the inventory will show it after the next refresh. {reason}"


RATE_LIMITED = "The cloud limits the rate of requests, and others go first."
TIME_IS_UP = "The time limit of the request was reached. Ask for less per request."


# Refreshes


def refresh_of(subject: str) -> str:
    return f"Refresh of {subject}"


def refreshing(subject: str) -> str:
    return f"Refreshing {subject}"


def refreshing_provider(name: str) -> str:
    return refreshing(f"provider {name}")


def refreshed(subject: str, news: str, summary: str = "") -> str:
    """`news` is what has changed, in sentences."""
    return f"Refreshed {subject}: {summary}. {news}" if summary else f"Refreshed {subject}. {news}"


def not_shown(subject: str) -> str:
    return f"These credentials can't see {subject}. It stays in the inventory as it was."


def gone(subject: str) -> str:
    return f"{subject[0].upper()}{subject[1:]} no longer exists in the cloud and was removed from the inventory."


def tenant_gone(tenant: str, provider: str) -> str:
    return f"The cloud no longer shows tenant {tenant}. Refresh {provider} to remove what was in it."


def too_many_gone(provider: str, objections: str) -> str:
    return (
        f"The refresh of {provider} was stopped and changed nothing: it would remove {objections}. "
        'If they are really gone, refresh with "force".'
    )


def refresh_failed(kind: str) -> str:
    return f"Internal error in the refresh ({kind}). See the Portcullis log for details."


# The admin

READING_INVENTORY = "Its inventory is being read: {}"
TASKS_OF_ACTION = "Tasks of this action"
NO_SUCH_CHOICE = "Nothing was done: the selected objects don't exist."
NO_SUCH_FILTER = "Nothing matches the filters in the address."
NO_SUCH_KEY = "No object has this key."


def nothing_done(error: object) -> str:
    return f"Nothing was done: {error}."


def nothing_saved(error: object) -> str:
    return f"Nothing was saved: {error}."


def deleted_meanwhile(error: object) -> str:
    return f"It was deleted in the meantime: {error}."


RIGHT_LOST = "Whoever requested this is no longer active, or has lost the right. Nothing was changed."
GRANTED_ALREADY = "The group has this role there already."
MORE_THAN_YOU_HAVE = "Nobody can give, change or take more than they may do there themselves."
MEMBERS_HAVE_MORE = "A member of the group has more rights than you. You can neither limit nor free them."


GRANT_EVENTS = {
    "grant_created": "Gave the role {} to group {}",
    "grant_edited": "Changed a grant to the role {} of group {}",
    "grant_deleted": "Took the role {} from group {}",
}


def grant_deleted(pk: int) -> str:
    return f"Deleted grant {pk}"


def tenant_of_another(tenant: str, provider: str) -> str:
    return f"{tenant} does not belong to {provider}."


def beyond_grants(number: int) -> str:
    return f"Your grants do not permit this for {number} of the selected rows."


def too_many_selected(most: int) -> str:
    return f"Select at most {most} at once, or refresh their provider."


# Commands


def no_providers(names: Iterable[str]) -> str:
    return f"There is no provider {', '.join(names)}"


def not_refreshed(names: Iterable[str]) -> str:
    return f"Not refreshed: {', '.join(names)}"


BEING_REFRESHED = "another process is refreshing it"


def unhealthy(parts: Iterable[str]) -> str:
    return f"Unhealthy: {', '.join(parts)}"


def unapplied(migrations: int) -> str:
    return f"{migrations} migrations are not applied. Run manage.py migrate"


def broker_down(error: object) -> str:
    return f"{error} (tasks still run, a few seconds later)"


def tasks_waiting(number: int, seconds: int) -> str:
    return f"{number} tasks have waited for over {seconds} s without a worker. Are enough workers running?"


def refreshes_overdue(providers: Sequence[str]) -> str:
    return f"No refresh was queued for {', '.join(providers)}. Is the scheduler running?"


# Starting the service


DEBUG_IS_ON = (
    "DEBUG is on, so error pages show the code and the settings to everybody. Unset it. "
    "Only manage.py standalone on a loopback address starts with it."
)


def placeholder_left(variable: str) -> str:
    return f"{variable} still has the placeholder CHANGE-ME. Replace it."


def not_configured(reason: object) -> str:
    return f"Portcullis is not configured: {reason}"


def exposed(path: object) -> str:
    return f"Others may read {path}, which belongs to another user. Make it readable by the service's user only."


def already_running(process: int, folder: object) -> str:
    return f"Process {process} already runs the service in {folder}."


def cannot_listen(host: str, port: int, reason: str) -> str:
    return f"Can't listen on {host}, port {port}: {reason}"


def cannot_use_database(name: object, reason: str) -> str:
    return f"Can't use the database {name}: {reason}"


def no_superuser(name: str) -> str:
    return f"There is no superuser, but a user {name} exists. Set DJANGO_SUPERUSER_USERNAME to another name."


def program_ended(name: str, returncode: int, seconds: float) -> str:
    how = f"exit status {returncode}" if returncode >= 0 else f"signal {-returncode}"
    return f"The {name} ended ({how}). It restarts in {seconds:.0f} s."


def welcome(url: str, name: str, password: str | None, folder: object) -> tuple[str, ...]:
    account = f"{name}, password {password} (shown only once)" if password else name
    return (
        f"Portcullis is at {url}, its admin at {url}/admin/. Press Ctrl-C to stop it.",
        f"Admin account: {account}",
        f"Keys, lock and embedded broker are in {folder}",
    )


MOTO_MISSING = "The demonstration needs moto: pip install -r requirements-dev.txt"
