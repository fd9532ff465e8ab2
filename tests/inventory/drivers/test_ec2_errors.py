"""What the EC2 driver makes of EC2's refusals, of its failures, and of no answer at all."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from botocore import exceptions

from inventory.drivers.ec2.errors import cloud_errors
from inventory.drivers.exceptions import (
    CloudError,
    CloudRefused,
    CloudUnavailable,
    CredentialsRefused,
    GroupNotFound,
    InstanceGone,
    NotAllowed,
    Throttled,
)
from inventory.drivers.values import Port
from tests.live.ec2 import driver_of
from tests.live.faults import REQUEST_ID, FaultProxy, fault_proxy

pytestmark = pytest.mark.live

WRITE = "ModifyNetworkInterfaceAttribute"
PORT = Port("eni-1")


def refusal(proxy: FaultProxy) -> CloudError:
    with pytest.raises(CloudError) as raised:
        driver_of(proxy.url).change_groups(PORT, ["sg-1"])
    return raised.value


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    """A proxy for the tests that never get past it: nothing stands behind."""
    with fault_proxy("http://127.0.0.1:9") as faults:
        yield faults


@pytest.fixture
def port(ec2_api: Any) -> Port:
    """An interface of the account that has the default group."""
    subnet = ec2_api.describe_subnets()["Subnets"][0]["SubnetId"]
    made = ec2_api.create_network_interface(SubnetId=subnet)["NetworkInterface"]
    return Port(made["NetworkInterfaceId"], network_ref=made["VpcId"])


@pytest.fixture
def group(ec2_api: Any, port: Port) -> str:
    made = ec2_api.create_security_group(GroupName="web", Description="web", VpcId=port.network_ref)
    return str(made["GroupId"])


@pytest.mark.parametrize(
    ("code", "message", "kind", "words"),
    [
        (
            "InvalidGroup.NotFound",
            "The security group 'sg-1' does not exist",
            GroupNotFound,
            "no such security group",
        ),
        ("InvalidGroupId.Malformed", 'Invalid id: "web"', GroupNotFound, "no such security group"),
        (
            "InvalidGroup.NotFound",
            "You have specified two resources that belong to different networks.",
            CloudRefused,
            "belongs to a different VPC",
        ),
        (
            "AuthFailure",
            "You do not have permission to access the specified resource.",
            CloudRefused,
            "to a service of AWS",
        ),
        (
            "SecurityGroupsPerInterfaceLimitExceeded",
            "The maximum number of security groups per interface has been reached.",
            CloudRefused,
            "more security groups than the account's limit",
        ),
        (
            "InvalidInstanceID.NotFound",
            "The instance ID 'i-1' does not exist",
            InstanceGone,
            "no longer exists",
        ),
        ("IncorrectInstanceState", "The instance 'i-1' is terminated", InstanceGone, "instance is terminated"),
        ("IncorrectInstanceState", "The instance 'i-1' is shutting-down", InstanceGone, "about to be terminated"),
        ("IncorrectInstanceState", "The instance 'i-1' is pending", CloudRefused, "EC2 refused"),
        (
            "InvalidNetworkInterfaceID.NotFound",
            "The networkInterface ID 'eni-1'",
            CloudRefused,
            "no longer exists",
        ),
        ("AuthFailure", "AWS was not able to validate the access", CredentialsRefused, "access key or its secret"),
        ("UnauthorizedOperation", "You are not authorized", NotAllowed, "may not do this"),
        ("InvalidClientTokenId", "The token is invalid", CredentialsRefused, "access key does not exist"),
        ("SignatureDoesNotMatch", "The signature we calculated", CredentialsRefused, "secret does not match"),
        ("ExpiredToken", "The token has expired", CredentialsRefused, "have expired"),
        ("RequestExpired", "Request has expired", CredentialsRefused, "clock"),
        ("OptInRequired", "You are not subscribed", CredentialsRefused, "not signed up"),
        ("SomethingNew", "Whatever it is", CloudRefused, "EC2 refused"),
    ],
)
def test_a_refusal_says_what_it_means_and_keeps_what_ec2_said(
    proxy: FaultProxy, code: str, message: str, kind: type[CloudError], words: str
) -> None:
    proxy.refuse(WRITE, code, message)
    error = refusal(proxy)
    assert type(error) is kind
    assert error.permanent
    assert words in str(error)
    assert error.message.endswith(f"EC2 said: {message} ({code})")
    assert error.request_id == REQUEST_ID


def test_a_refusal_is_not_asked_for_again(proxy: FaultProxy) -> None:
    proxy.refuse(WRITE, "InvalidGroup.NotFound")
    refusal(proxy)
    assert proxy.count(WRITE) == 1


@pytest.mark.parametrize(
    ("code", "status"), [("RequestLimitExceeded", 503), ("Throttling", 400), ("Unheard", 429)]
)
def test_throttling_is_left_to_the_caller(proxy: FaultProxy, code: str, status: int) -> None:
    proxy.refuse(WRITE, code, "Request limit exceeded.", status=status)
    error = refusal(proxy)
    assert type(error) is Throttled
    assert not error.permanent
    assert "Request limit exceeded." in str(error)
    assert error.request_id == REQUEST_ID


@pytest.mark.parametrize(("code", "status"), [("InternalError", 500), ("Unavailable", 503), ("Unheard", 500)])
def test_a_failure_of_ec2_leaves_open_whether_it_was_done(proxy: FaultProxy, code: str, status: int) -> None:
    proxy.refuse(WRITE, code, "An internal error has occurred", status=status)
    error = refusal(proxy)
    assert type(error) is CloudUnavailable
    assert not error.permanent
    assert "An internal error has occurred" in str(error)
    assert proxy.count(WRITE) == 1


def test_after_a_failure_the_next_call_goes_through(ec2_proxy: FaultProxy, port: Port, group: str) -> None:
    driver = driver_of(ec2_proxy.url)
    ec2_proxy.refuse(WRITE, "RequestLimitExceeded", status=503)
    with pytest.raises(Throttled):
        driver.change_groups(port, [group])
    assert driver.change_groups(port, [group])


def test_a_lost_answer_leaves_open_whether_it_was_done(
    ec2_proxy: FaultProxy, ec2_api: Any, port: Port, group: str
) -> None:
    ec2_proxy.lose_answer(WRITE)
    with pytest.raises(CloudUnavailable, match="Connection was closed"):
        driver_of(ec2_proxy.url).change_groups(port, [group])
    (found,) = ec2_api.describe_network_interfaces(NetworkInterfaceIds=[port.ref])["NetworkInterfaces"]
    assert [held["GroupId"] for held in found["Groups"]] == [group]


@pytest.mark.parametrize("status", [200, 404, 502])
@pytest.mark.parametrize("page", ["<!doctype html><p>Hello", "<page>Hello</page>"])
def test_an_answer_in_another_language_is_no_answer(proxy: FaultProxy, page: str, status: int) -> None:
    proxy.answer(WRITE, page, status=status, content_type="text/html")
    error = refusal(proxy)
    assert isinstance(error, CloudUnavailable)
    assert "valid EC2 response" in str(error)


def test_a_failure_half_way_fails_the_reading(ec2_proxy: FaultProxy) -> None:
    ec2_proxy.refuse("DescribeSecurityGroupRules", "InternalError", status=500)
    with pytest.raises(CloudUnavailable, match="EC2 failed"):
        driver_of(ec2_proxy.url).inventory()


def test_an_unknown_action_is_an_error_where_it_is_needed(ec2_proxy: FaultProxy) -> None:
    ec2_proxy.refuse("DescribeVpcs", "InvalidAction", "The action DescribeVpcs is not valid")
    with pytest.raises(CloudRefused, match="does not support the action"):
        driver_of(ec2_proxy.url).inventory()


@pytest.fixture
def closed_url() -> Iterator[str]:
    """The URL of a port on which nobody listens, and which nobody else gets meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def test_an_endpoint_that_cannot_be_reached_is_unavailable(closed_url: str) -> None:
    with pytest.raises(CloudUnavailable, match=f'Could not connect to the endpoint URL: "{closed_url}'):
        driver_of(closed_url).inventory()


@pytest.mark.parametrize(
    "kind",
    [
        exceptions.ConnectTimeoutError,
        exceptions.ReadTimeoutError,
        exceptions.ConnectionClosedError,
        exceptions.ProxyConnectionError,
        exceptions.SSLError,
    ],
)
def test_whatever_keeps_an_answer_away_is_no_answer(kind: Any) -> None:
    with pytest.raises(CloudUnavailable, match="//endpoint"), cloud_errors():
        raise kind(endpoint_url="https://endpoint", proxy_url="http://endpoint", error="EOF occurred")


def test_what_botocore_finds_wrong_itself_is_refused(proxy: FaultProxy) -> None:
    with pytest.raises(CloudRefused, match="NetworkInterfaceId"):
        driver_of(proxy.url).change_groups(Port(None), ["sg-1"])  # type: ignore[arg-type]
    assert proxy.calls == []
