"""Maps the errors of EC2 and botocore to `CloudError`.

The codes are from https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html. For throttling and
signatures there are also other spellings, which compatible clouds and other front ends of AWS use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.parsers import ResponseParserError

from inventory.drivers.answers import MALFORMED
from inventory.drivers.ec2 import words
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
    RuleNotFound,
    Throttled,
)
from inventory.drivers.messages import IN_USE, NO_ANSWER, NO_SUCH_GROUP, NOT_DONE, about_the_network, about_tls


class WouldWork(CloudRefused):
    """A request with `DryRun` is allowed."""


class Unserved(ForeignAnswer):
    """A failure that is not EC2's, maybe because the endpoint lacks the action."""


Meaning = tuple[type[CloudError], str]

FOREIGN = "The endpoint did not return a valid EC2 response. Check the URL. A login page may be in the way."
#: Statuses of endpoints that don't know an action.
_UNSERVED = {HTTPStatus.NOT_FOUND, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.NOT_IMPLEMENTED}

#: Signs that TLS can't be established.
_NO_TLS = ("CERTIFICATE_VERIFY_FAILED", "doesn't match", "WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")

#: Codes with several meanings, distinguished by EC2's message.
_BY_WORDS: list[tuple[str, str, Meaning]] = [
    (
        "InvalidGroup.NotFound",
        "different networks",
        (CloudRefused, "A security group belongs to a different VPC than the network interface."),
    ),
    (
        "AuthFailure",
        "permission to access the specified resource",
        (
            CloudRefused,
            "The resource belongs to another account, or to a service of AWS that alone may change it.",
        ),
    ),
    ("IncorrectInstanceState", "terminated", (InstanceGone, "The instance is terminated.")),
    ("IncorrectInstanceState", "shutting-down", (InstanceGone, "The instance is about to be terminated.")),
]

_WRONG_SECRET: Meaning = (
    CredentialsRefused,
    "The secret does not match the access key. Enter both again.",
)
_NO_SUCH_KEY: Meaning = (
    CredentialsRefused,
    "The access key does not exist. It was deleted, or belongs to another cloud.",
)
_NOT_ALLOWED: Meaning = (NotAllowed, "These credentials may not do this. Their IAM policy must allow it.")
_EXPIRED: Meaning = (CredentialsRefused, "The credentials have expired. Enter new ones.")
_NO_SUCH_GROUP: Meaning = (GroupNotFound, NO_SUCH_GROUP)
_NO_SUCH_RULE: Meaning = (RuleNotFound, "The security group has no such rule.")
_NO_SUCH_PREFIX_LIST: Meaning = (NotOffered, "There is no such prefix list, or it is not shared with the account.")
_TOO_FAST: Meaning = (Throttled, "The EC2 API rate limit of this account was exceeded.")

_BY_CODE: dict[str, Meaning] = {
    "InvalidAction": (NotOffered, "This endpoint does not support the action."),
    # groups
    "InvalidGroup.NotFound": _NO_SUCH_GROUP,
    "InvalidGroupId.Malformed": _NO_SUCH_GROUP,
    "InvalidSecurityGroupID.NotFound": _NO_SUCH_GROUP,
    "SecurityGroupsPerInterfaceLimitExceeded": (
        CloudRefused,
        "The network interface would have more security groups than the account's limit (5 unless it was raised).",
    ),
    "InvalidGroup.Duplicate": (AlreadyThere, words.NAME_TAKEN),
    "InvalidGroup.Reserved": (CloudRefused, "This name is reserved for a VPC's default security group."),
    "DependencyViolation": (InUse, IN_USE),
    "CannotDelete": (CloudRefused, words.DEFAULT_IS_KEPT),
    "SecurityGroupLimitExceeded": (
        CloudRefused,
        "The account has reached its limit of security groups. Delete some, or have the quota raised.",
    ),
    "InvalidVpcID.NotFound": (CloudRefused, "The VPC no longer exists."),
    # rules
    "InvalidPermission.Duplicate": (AlreadyThere, "The security group already has this rule."),
    "InvalidPermission.NotFound": _NO_SUCH_RULE,
    "InvalidSecurityGroupRuleId.NotFound": _NO_SUCH_RULE,
    "InvalidSecurityGroupRuleId.Malformed": _NO_SUCH_RULE,
    "RulesPerSecurityGroupLimitExceeded": (
        CloudRefused,
        "The security group would have more rules than the account's limit (60 unless it was raised).",
    ),
    # prefix lists
    "InvalidPrefixListID.NotFound": _NO_SUCH_PREFIX_LIST,
    "InvalidPrefixListId.NotFound": _NO_SUCH_PREFIX_LIST,
    # ports and instances
    "InvalidNetworkInterfaceID.NotFound": (CloudRefused, "The network interface no longer exists."),
    "InvalidInstanceID.NotFound": (InstanceGone, "The instance no longer exists."),
    # credentials
    "AuthFailure": (CredentialsRefused, "The access key or its secret is wrong, or may not be used for this."),
    "InvalidClientTokenId": _NO_SUCH_KEY,
    "InvalidAccessKeyId": _NO_SUCH_KEY,
    "UnrecognizedClientException": _NO_SUCH_KEY,
    "SignatureDoesNotMatch": _WRONG_SECRET,
    "InvalidSignatureException": _WRONG_SECRET,
    "IncompleteSignature": _WRONG_SECRET,
    "MissingAuthenticationToken": (CredentialsRefused, "The endpoint found no credentials in the request."),
    "UnauthorizedOperation": _NOT_ALLOWED,
    "AccessDenied": _NOT_ALLOWED,
    "AccessDeniedException": _NOT_ALLOWED,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "RequestExpired": (
        CredentialsRefused,
        "The request's timestamp was rejected. Check the clock of this machine.",
    ),
    "DryRunOperation": (WouldWork, "This is allowed."),
    "OptInRequired": (CredentialsRefused, "The account is not signed up for EC2 or for this region."),
    "Blocked": (CredentialsRefused, "The account is blocked."),
    "PendingVerification": (CredentialsRefused, "The account has yet to be verified by AWS."),
    # how often
    "RequestLimitExceeded": _TOO_FAST,
    "EC2ThrottledException": _TOO_FAST,
    "RequestThrottled": _TOO_FAST,
    "RequestThrottledException": _TOO_FAST,
    "SlowDown": _TOO_FAST,
    "Throttling": _TOO_FAST,
    "ThrottlingException": _TOO_FAST,
    "TooManyRequestsException": _TOO_FAST,
}


@contextmanager
def cloud_errors() -> Iterator[None]:
    """Raise errors of EC2 and botocore as `CloudError`."""
    try:
        yield
    except ClientError as error:
        raise _answered(error) from error
    except BotoCoreError as error:
        raise _unanswered(error) from error
    except (ResponseParserError, *MALFORMED) as error:  # the latter for invalid numbers and the like
        raise ForeignAnswer(FOREIGN) from error


def refuse_page(response_dict: Mapping[str, Any], **_: Any) -> None:
    """Detect pages with a bad status that are no errors of EC2, before botocore parses them."""
    status, body = response_dict["status_code"], response_dict["body"]
    if status >= HTTPStatus.BAD_REQUEST and b"<Code>" not in body:
        raise (Unserved if status in _UNSERVED else ForeignAnswer)(f"{FOREIGN} The status was HTTP {status}.")


def _answered(error: ClientError) -> CloudError:
    response = error.response
    if "Error" not in response:  # but well-formed, like many proxies' pages
        return ForeignAnswer(FOREIGN)
    code, message = response["Error"].get("Code") or "", response["Error"].get("Message") or ""
    metadata = response.get("ResponseMetadata", {})
    kind, text = _meaning(code, message, metadata.get("HTTPStatusCode", 0))
    return kind(
        f"{text} EC2 said: {f'{message} ({code})' if message else code}",
        request_id=metadata.get("RequestId"),
        general=text if _is_of_ec2(code) and not issubclass(kind, CredentialsRefused) else NOT_DONE,
    )


def _is_of_ec2(code: str) -> bool:
    """Whether EC2 itself said so, and not something else at this address."""
    return code in _BY_CODE or any(code == known_code for known_code, *_ in _BY_WORDS)


def _meaning(code: str, message: str, status: int) -> Meaning:
    for known_code, phrase, meaning in _BY_WORDS:
        if code == known_code and phrase in message:
            return meaning
    # The code has precedence, because throttling has the status 503, like a failure.
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status == 429:
        return _TOO_FAST
    if status >= 500:
        return CloudUnavailable, "EC2 failed. If this continues, check the AWS health dashboard."
    return CloudRefused, "EC2 refused the request."


def _unanswered(error: BotoCoreError) -> CloudError:
    if isinstance(cause := error.kwargs.get("error"), CloudError):
        return cause  # from a guarded answer; botocore wraps unknown exceptions
    text = f"{error} {error.kwargs.get('error', '')}"  # with its cause
    if isinstance(error, SSLError) and any(phrase in text for phrase in _NO_TLS):
        # Not `CloudUnavailable`: the request was never sent, and no retry mends a certificate.
        return CloudRefused(f"{about_tls(text)} {error}")
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError):
        return CloudUnavailable(f"{NO_ANSWER} {error}")
    if isinstance(error, EndpointConnectionError):
        return CloudUnavailable(f"{about_the_network(text)} {error}")
    if isinstance(error, NoConnectionError | HTTPClientError):
        return CloudUnavailable(f"The connection broke before the answer arrived. {error}")
    return CloudRefused(str(error))  # botocore's own validation, before it sends anything
