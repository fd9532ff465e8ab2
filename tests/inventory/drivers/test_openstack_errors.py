"""What the OpenStack driver makes of refusals, of failures, and of no answer at all, in words for operators."""

from __future__ import annotations

import json
from typing import Any

import pytest
from keystoneauth1 import exceptions as keystone
from requests import Response

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
from inventory.drivers.openstack import OpenStackDriver
from inventory.drivers.openstack.errors import cloud_errors, raise_for
from inventory.drivers.values import Connection

REQUEST_ID = "req-0fa17000"


def answer(status: int, body: Any = None, **headers: str) -> Response:
    made = Response()
    made.status_code = status
    made.reason = "Reason"
    made._content = body if isinstance(body, bytes) else json.dumps(body).encode()
    made.headers.update({"X-Openstack-Request-Id": REQUEST_ID, **headers})
    return made


def neutron(kind: str, message: str = "Neutron's words") -> dict[str, Any]:
    return {"NeutronError": {"type": kind, "message": message, "detail": ""}}


def meant(response: Response) -> CloudError:
    with pytest.raises(CloudError) as raised:
        raise_for(response)
    return raised.value


@pytest.mark.parametrize(
    ("status", "kind", "error", "words"),
    [
        (404, "SecurityGroupNotFound", GroupNotFound, "There is no such security group"),
        (404, "SecurityGroupRuleNotFound", RuleNotFound, "has no such rule"),
        (404, "AddressGroupNotFound", CloudRefused, "The list of addresses no longer exists."),
        (404, "PortNotFound", CloudRefused, "The port no longer exists."),
        (409, "SecurityGroupRuleExists", AlreadyThere, "already has this rule"),
        (409, "SecurityGroupInUse", InUse, "The security group is in use."),
        (409, "SecurityGroupConflict", CloudRefused, "stateful and stateless"),
        (409, "OverQuota", CloudRefused, "The project has reached its quota. Have it raised"),
        (409, "SomethingElse", CloudRefused, "conflicts with"),
        (412, "RevisionNumberConstraintFailed", Outdated, "Somebody else has changed it"),
        (413, "", Throttled, "rate limit"),
        (429, "", Throttled, "rate limit"),
        (401, "", CredentialsRefused, "Check the provider's credentials"),
        (403, "", NotAllowed, "It needs a role"),
        (400, "", CloudRefused, "The cloud refused the request."),
        (501, "", NotOffered, "does not support this"),
        (500, "", CloudUnavailable, "The cloud failed"),
        (503, "", CloudUnavailable, "The cloud failed"),
    ],
)
def test_a_refusal_says_what_happened_and_what_to_do(
    status: int, kind: str, error: type[CloudError], words: str
) -> None:
    refused = meant(answer(status, neutron(kind)))
    assert type(refused) is error
    assert words in str(refused)
    assert refused.message.endswith("OpenStack said: Neutron's words")
    assert str(refused).endswith(f"Neutron's words (request {REQUEST_ID})")


@pytest.mark.parametrize(
    "body",
    [
        {"itemNotFound": {"code": 404, "message": "Instance x could not be found."}},
        {"error": {"code": 404, "message": "Instance x could not be found.", "title": "Not Found"}},
    ],
)
def test_every_service_has_its_own_form_of_an_error(body: Any) -> None:
    assert meant(answer(404, body)).message.endswith("OpenStack said: Instance x could not be found.")


def test_a_server_that_is_not_there_is_told_from_an_address_that_is_wrong() -> None:
    gone = {"itemNotFound": {"code": 404, "message": "Instance x could not be found."}}
    assert type(meant(answer(404, gone))) is InstanceGone
    assert type(meant(answer(404, {"error": {"code": 404, "message": "Not Found"}}))) is NotOffered


@pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"", [], "text", {"a": 1}, {"a": {}, "b": {}}])
def test_an_answer_that_is_none_of_openstack_is_told_by_its_status(body: Any) -> None:
    assert meant(answer(502, body)).message.endswith("OpenStack said: HTTP 502 Reason")


@pytest.mark.parametrize(("header", "pause"), [("17", 17.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None)])
def test_a_pause_that_the_cloud_asks_for_is_told(header: str, pause: float | None) -> None:
    throttled = meant(answer(429, neutron(""), **{"Retry-After": header}))
    assert throttled.retry_after == pause


def test_what_has_changed_meanwhile_is_to_be_read_again_at_once() -> None:
    outdated = meant(answer(412, neutron("RevisionNumberConstraintFailed")))
    assert (outdated.permanent, outdated.retry_after) == (False, 0.0)


@pytest.mark.parametrize(
    ("raised", "error", "words"),
    [
        (keystone.SSLError("certificate verify failed: certificate has expired"), CloudRefused, "has expired"),
        (keystone.SSLError("CERTIFICATE_VERIFY_FAILED: self-signed"), CloudRefused, "is not trusted"),
        (keystone.SSLError("WRONG_VERSION_NUMBER"), CloudRefused, "does not speak TLS"),
        (keystone.EndpointNotFound("no network in nowhere"), CloudRefused, "Check the region."),
        (keystone.ConnectFailure("NameResolutionError"), CloudUnavailable, "The host name can't be resolved"),
        (keystone.ConnectTimeout("too long"), CloudUnavailable, "did not answer in time"),
        (keystone.ConnectFailure("refused"), CloudUnavailable, "can't be reached"),
        (keystone.DiscoveryFailure("no versions"), ForeignAnswer, "A login page may be in the way."),
        (ValueError("no JSON"), ForeignAnswer, "Check the provider's address"),
    ],
)
def test_no_answer_says_what_happened_and_what_to_do(
    raised: Exception, error: type[CloudError], words: str
) -> None:
    with pytest.raises(error, match=words.replace("?", r"\?")), cloud_errors():
        raise raised


@pytest.mark.parametrize(
    ("connection", "error", "words"),
    [
        (Connection(url="http://127.0.0.1:1"), CredentialsRefused, "no user"),
        (Connection(userid="u", password="p"), CloudRefused, "no address"),
        (Connection(url="ftp://host", userid="u", password="p"), CloudRefused, "not a valid URL of Keystone"),
        (Connection(url="http://127.0.0.1:1", userid="u", password="p"), CloudUnavailable, "can't be reached"),
        (
            Connection(url="https://127.0.0.1:1", userid="u", password="p", certificate_authority="x"),
            CloudRefused,
            "not a PEM certificate",
        ),
    ],
)
def test_a_connection_that_leads_nowhere_says_why(
    connection: Connection, error: type[CloudError], words: str
) -> None:
    with pytest.raises(error, match=words):
        OpenStackDriver(connection).inventory()
