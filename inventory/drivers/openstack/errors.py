"""Maps the errors of OpenStack's services and SDK to `CloudError`.

The types are the names of Neutron's exceptions, which its answers have as `NeutronError.type`, and Nova's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from keystoneauth1 import exceptions as keystone
from requests import RequestException, Response
from requests.exceptions import ChunkedEncodingError, ContentDecodingError

from inventory.drivers.answers import MALFORMED
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
from inventory.drivers.messages import (
    FOREIGN,
    IN_USE,
    NO_ANSWER,
    NO_SUCH_GROUP,
    NOT_DONE,
    about_the_network,
    about_tls,
)
from inventory.drivers.openstack import words

Meaning = tuple[type[CloudError], str]

_BY_TYPE: Mapping[str, Meaning] = {
    "SecurityGroupNotFound": (GroupNotFound, NO_SUCH_GROUP),
    "SecurityGroupRuleNotFound": (RuleNotFound, "The security group has no such rule."),
    "AddressGroupNotFound": (CloudRefused, "The list of addresses no longer exists."),
    "SecurityGroupRuleExists": (AlreadyThere, "The security group already has this rule."),
    "SecurityGroupInUse": (InUse, IN_USE),
    "SecurityGroupConflict": (CloudRefused, "A port can't have both stateful and stateless security groups."),
    "SecurityGroupCannotRemoveDefault": (CloudRefused, words.DEFAULT_IS_KEPT),
    "SecurityGroupCannotUpdateDefault": (CloudRefused, words.DEFAULT_KEEPS_NAME),
    "PortSecurityAndIPRequiredForSecurityGroups": (CloudRefused, "Port security is disabled on the port."),
    "PortNotFound": (CloudRefused, "The port no longer exists."),
    "OverQuota": (
        CloudRefused,
        "The project has reached its quota. Have it raised, or delete what is not needed.",
    ),
    "itemNotFound": (
        InstanceGone,
        "The instance no longer exists.",
    ),  # Portcullis only requests instances from Nova by id
    "RevisionNumberConstraintFailed": (Outdated, "Somebody else has changed it in the meantime."),
}
_BY_STATUS: Mapping[int, Meaning] = {
    HTTPStatus.UNAUTHORIZED: (
        CredentialsRefused,
        "The user or the password is wrong or has expired. Check the provider's credentials and domain.",
    ),
    HTTPStatus.FORBIDDEN: (
        NotAllowed,
        "The user may not do this. It needs a role in the project that allows it.",
    ),
    HTTPStatus.NOT_FOUND: (NotOffered, "It does not exist, or this is not the address of the service."),
    HTTPStatus.CONFLICT: (CloudRefused, "It conflicts with something that already exists."),
    HTTPStatus.PRECONDITION_FAILED: (Outdated, "Somebody else has changed it in the meantime."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (Throttled, "The cloud's rate limit was exceeded."),
    HTTPStatus.TOO_MANY_REQUESTS: (Throttled, "The cloud's rate limit was exceeded."),
    HTTPStatus.NOT_IMPLEMENTED: (NotOffered, "The cloud does not support this."),
}
#: Maximum pause that a cloud can request, in seconds.
LONGEST_PAUSE = 3600.0
_FAILED: Meaning = (CloudUnavailable, "The cloud failed. If this continues, contact its operators.")
_REFUSED: Meaning = (CloudRefused, "The cloud refused the request.")


def raise_for(response: Response) -> None:
    """Raise the error of an answer, unless it is a good one."""
    if response.status_code < HTTPStatus.MULTIPLE_CHOICES:
        return
    if response.status_code < HTTPStatus.BAD_REQUEST:  # redirects are refused before
        raise ForeignAnswer(f"{FOREIGN} (HTTP {response.status_code})")
    kind, message = _said(response)
    request_id = response.headers.get("X-Openstack-Request-Id") or response.headers.get("X-Compute-Request-Id")
    raise _error(_meaning(kind, response.status_code), message, request_id, response.headers.get("Retry-After"))


@contextmanager
def cloud_errors() -> Iterator[None]:
    """Raise errors of the SDK as `CloudError`."""
    try:
        yield
    except keystone.HttpError as error:
        if error.response is not None:
            raise_for(error.response)
        raise _error(_meaning("", error.http_status), error.message or "", error.request_id, None) from error
    except (keystone.ClientException, RequestException, *MALFORMED) as error:
        raise _unanswered(error) from error


def _said(response: Response) -> tuple[str, str]:
    """The type and the words of an error, in whichever of the services' forms: `{"<kind>": {"message": ...}}`."""
    try:
        [(kind, details)] = response.json().items()
        return str(details.get("type") or kind), str(details.get("message") or "")
    except MALFORMED:
        return "", f"HTTP {response.status_code} {response.reason}"


def _meaning(kind: str, status: int) -> Meaning:
    if kind in _BY_TYPE:
        return _BY_TYPE[kind]
    return _BY_STATUS.get(status) or (_FAILED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _REFUSED)


def _error(meaning: Meaning, message: str, request_id: str | None, retry_after: str | None) -> CloudError:
    kind, text = meaning
    is_typed = meaning in _BY_TYPE.values()  # said by Nova or Neutron, and not by something else at this address
    kwargs: dict[str, Any] = {"request_id": request_id, "general": text if is_typed else NOT_DONE}
    if issubclass(kind, Throttled):
        pause = retry_after if retry_after and retry_after.isascii() and retry_after.isdigit() else None
        kwargs["retry_after"] = min(float(pause), LONGEST_PAUSE) if pause else None
    return kind(f"{text} OpenStack said: {message}" if message else text, **kwargs)


def _unanswered(error: Exception) -> CloudError:
    text = str(error)
    if isinstance(error, keystone.SSLError):
        # Not `CloudUnavailable`: the request was never sent, and no retry mends a certificate.
        return CloudRefused(f"{about_tls(text)} {text}")
    if isinstance(error, keystone.EndpointNotFound) or "service catalog" in text:
        return CloudRefused(f"Keystone has no endpoint for a service in this region. Check the region. {text}")
    if isinstance(error, keystone.ConnectTimeout) or "Read timed out" in text:
        return CloudUnavailable(f"{NO_ANSWER} {text}")
    if isinstance(getattr(error, "original", None), ChunkedEncodingError | ContentDecodingError):
        return CloudUnavailable(f"The answer is incomplete, or can't be decompressed. {text}")
    if isinstance(error, keystone.ConnectionError):
        return CloudUnavailable(f"{about_the_network(text)} {text}")
    # Among them what keystoneauth says of a discovery or a login that it does not understand.
    return ForeignAnswer(f"{FOREIGN} {text}")
