"""What the errors of OpenStack's services and of its SDK mean: the one place where they become a `CloudError`.

The types are the names of Neutron's exceptions, which its answers carry as `NeutronError.type`, and Nova's
own words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from keystoneauth1 import exceptions as keystone
from requests import RequestException, Response
from requests.exceptions import ChunkedEncodingError, ContentDecodingError

from inventory.drivers.answers import FOREIGN, MALFORMED
from inventory.drivers.endpoints import NO_ANSWER, about_the_network, about_tls
from inventory.drivers.exceptions import (
    AlreadyThere,
    CloudError,
    CloudRefused,
    CloudUnavailable,
    CredentialsRefused,
    ForeignAnswer,
    GroupNotFound,
    InstanceGone,
    InUse,
    NotAllowed,
    NotOffered,
    Outdated,
    RuleNotFound,
    Throttled,
)

Meaning = tuple[type[CloudError], str]

_BY_TYPE: Mapping[str, Meaning] = {
    "SecurityGroupNotFound": (GroupNotFound, "There is no such security group in the project."),
    "SecurityGroupRuleNotFound": (RuleNotFound, "The security group has no such rule."),
    "SecurityGroupRuleExists": (AlreadyThere, "The security group has this rule already."),
    "SecurityGroupInUse": (InUse, "The security group is in use."),
    "SecurityGroupConflict": (CloudRefused, "A port can't have stateful and stateless security groups together."),
    "SecurityGroupCannotRemoveDefault": (CloudRefused, "Every project keeps its default security group."),
    "SecurityGroupCannotUpdateDefault": (CloudRefused, "The default security group keeps its name."),
    "PortSecurityAndIPRequiredForSecurityGroups": (CloudRefused, "Port security is switched off on the port."),
    "PortNotFound": (CloudRefused, "The port does not exist any more."),
    "OverQuota": (
        CloudRefused,
        "The quota of the project is used up: have it raised, or delete what is not needed.",
    ),
    "itemNotFound": (
        InstanceGone,
        "The instance does not exist any more.",
    ),  # the one thing that Nova is asked for
    "RevisionNumberConstraintFailed": (Outdated, "Somebody else has changed it meanwhile."),
}
_BY_STATUS: Mapping[int, Meaning] = {
    HTTPStatus.UNAUTHORIZED: (
        CredentialsRefused,
        "The user or its password is wrong, or has expired: check the provider's credentials and its domain.",
    ),
    HTTPStatus.FORBIDDEN: (
        NotAllowed,
        "The user may not do this: it needs a role in the project that allows it.",
    ),
    HTTPStatus.NOT_FOUND: (NotOffered, "It does not exist, or the address is not that of the service."),
    HTTPStatus.CONFLICT: (CloudRefused, "Something that is there already is in the way."),
    HTTPStatus.PRECONDITION_FAILED: (Outdated, "Somebody else has changed it meanwhile."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (Throttled, "The cloud is asked more often than it allows."),
    HTTPStatus.TOO_MANY_REQUESTS: (Throttled, "The cloud is asked more often than it allows."),
    HTTPStatus.NOT_IMPLEMENTED: (NotOffered, "The cloud does not have this."),
}
#: The longest pause that a cloud can ask for, in seconds.
LONGEST_PAUSE = 3600.0
_FAILED: Meaning = (CloudUnavailable, "The cloud failed; if this goes on, its operators have to look after it.")
_REFUSED: Meaning = (CloudRefused, "The cloud refused.")


def raise_for(answer: Response) -> None:
    """Raise what an answer means, unless it is a good one."""
    if answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
        return
    if answer.status_code < HTTPStatus.BAD_REQUEST:  # no redirect, which is refused before
        raise ForeignAnswer(f"{FOREIGN} (HTTP {answer.status_code})")
    kind, said = _said(answer)
    request_id = answer.headers.get("X-Openstack-Request-Id") or answer.headers.get("X-Compute-Request-Id")
    raise _error(_meaning(kind, answer.status_code), said, request_id, answer.headers.get("Retry-After"))


@contextmanager
def cloud_errors() -> Iterator[None]:
    """Raise whatever the SDK raises inside as a `CloudError`."""
    try:
        yield
    except keystone.HttpError as error:
        if error.response is not None:
            raise_for(error.response)
        raise _error(_meaning("", error.http_status), error.message or "", error.request_id, None) from error
    except (keystone.ClientException, RequestException, *MALFORMED) as error:
        raise _unanswered(error) from error


def _said(answer: Response) -> tuple[str, str]:
    """The type and the words of an error, in whichever of the services' forms: `{"<kind>": {"message": ...}}`."""
    try:
        [(kind, told)] = answer.json().items()
        return str(told.get("type") or kind), str(told.get("message") or "")
    except MALFORMED:
        return "", f"HTTP {answer.status_code} {answer.reason}"


def _meaning(kind: str, status: int) -> Meaning:
    if kind in _BY_TYPE:
        return _BY_TYPE[kind]
    return _BY_STATUS.get(status) or (_FAILED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _REFUSED)


def _error(meaning: Meaning, said: str, request_id: str | None, retry_after: str | None) -> CloudError:
    kind, words = meaning
    told: dict[str, Any] = {"request_id": request_id}
    if issubclass(kind, Throttled):
        pause = retry_after if retry_after and retry_after.isascii() and retry_after.isdigit() else None
        told["retry_after"] = min(float(pause), LONGEST_PAUSE) if pause else None
    return kind(f"{words} OpenStack said: {said}" if said else words, **told)


def _unanswered(error: Exception) -> CloudError:
    words = str(error)
    if isinstance(error, keystone.SSLError):
        # Not `CloudUnavailable`: the request was never sent, and no retry mends a certificate.
        return CloudRefused(f"{about_tls(words)} {words}")
    if isinstance(error, keystone.EndpointNotFound) or "service catalog" in words:
        return CloudRefused(f"Keystone knows no endpoint of a service there: is the region right? {words}")
    if isinstance(error, keystone.ConnectTimeout) or "Read timed out" in words:
        return CloudUnavailable(f"{NO_ANSWER} {words}")
    if isinstance(getattr(error, "original", None), ChunkedEncodingError | ContentDecodingError):
        return CloudUnavailable(f"The answer broke off, or can't be unpacked. {words}")
    if isinstance(error, keystone.ConnectionError):
        return CloudUnavailable(f"{about_the_network(words)} {words}")
    # Among them what keystoneauth says of a discovery or a login that it does not understand.
    return ForeignAnswer(f"{FOREIGN} {words}")
