"""What an EC2 user may do: on an endpoint that knows `DryRun`, and with EC2's own refusals before it."""

from __future__ import annotations

import pytest

from inventory.drivers.ec2.verifying import CHANGE, ENTRIES, EXTRA_LISTS, LISTS, WRITES
from inventory.drivers.exceptions import CloudUnavailable, CredentialsRefused, NotAllowed, Throttled
from inventory.drivers.values import Check
from tests.live.ec2 import Cast, driver_of
from tests.live.faults import FaultProxy

#: What moto does not serve.
UNSERVED = "VPC associations of security groups"
ORDER = [*LISTS.values(), *EXTRA_LISTS.values(), ENTRIES[1]]


@pytest.fixture
def cast(ec2_api: object) -> Cast:
    return Cast(ec2_api)


def found(proxy: FaultProxy) -> dict[str, Check]:
    return {check.name: check for check in driver_of(proxy.url).verify()}


def test_whoever_may_do_everything_is_told_so(ec2_proxy: FaultProxy, cast: Cast) -> None:
    cast.instance(cast.web)
    checks = found(ec2_proxy)
    served = [what for what in ORDER if what != UNSERVED]
    assert [name for name in checks if name.startswith("list ")] == [f"list {what}" for what in served]
    assert len(checks) == len(served) + 1 + len(WRITES)
    assert {check.allowed for check in checks.values()} == {True}
    assert [check.name for check in checks.values() if check.needed] == [f"list {what}" for what in LISTS.values()]


def test_every_write_is_a_dry_run_that_would_change_nothing(ec2_proxy: FaultProxy, cast: Cast) -> None:
    cast.instance(cast.web, cast.db)
    found(ec2_proxy)
    writes = [call for call in ec2_proxy.calls if not call.action.startswith(("Describe", "Get"))]
    assert len(writes) == 1 + len(WRITES)
    assert all(call.parameters["DryRun"] == "true" for call in writes)
    [interface] = [call for call in writes if call.action == "ModifyNetworkInterfaceAttribute"]
    groups = {value for name, value in interface.parameters.items() if name.startswith("SecurityGroupId")}
    assert groups == {cast.web, cast.db}
    named = {call.parameters.get("GroupId", call.parameters.get("VpcId")) for call in writes if call != interface}
    assert all(name and name.endswith("-" + "0" * 17) for name in named)


def test_an_interface_that_a_service_of_the_cloud_manages_is_not_tried(ec2_proxy: FaultProxy, cast: Cast) -> None:
    items = "".join(
        f"<item><networkInterfaceId>eni-{number}</networkInterfaceId><requesterManaged>{managed}</requesterManaged>"
        "<groupSet><item><groupId>sg-1</groupId></item></groupSet></item>"
        for number, managed in [(1, "true"), (2, "false")]
    )
    answer = "DescribeNetworkInterfacesResponse"
    ec2_proxy.answer(
        "DescribeNetworkInterfaces",
        f"<{answer}><requestId>1</requestId><networkInterfaceSet>{items}</networkInterfaceSet></{answer}>",
    )
    found(ec2_proxy)
    [write] = [call for call in ec2_proxy.calls if call.action == "ModifyNetworkInterfaceAttribute"]
    assert write.parameters["NetworkInterfaceId"] == "eni-2"


def test_each_request_is_sent_once(ec2_proxy: FaultProxy) -> None:
    ec2_proxy.refuse("DescribeInstances", "RequestLimitExceeded", status=503)
    with pytest.raises(Throttled):
        found(ec2_proxy)
    assert ec2_proxy.count("DescribeInstances") == 1


def test_a_list_that_is_not_allowed_names_what_to_grant(ec2_proxy: FaultProxy) -> None:
    ec2_proxy.refuse("DescribeNetworkInterfaces", "UnauthorizedOperation", "You are not authorized.", status=403)
    check = found(ec2_proxy)["list network interfaces"]
    assert (check.allowed, check.needed) == (False, True)
    assert check.message.startswith(
        "May not list network interfaces: grant ec2:DescribeNetworkInterfaces. These credentials may not do this"
    )


@pytest.mark.parametrize(
    ("action", "resources"),
    [
        ("DescribeSecurityGroupVpcAssociations", "VPC associations of security groups"),
        ("DescribeVpcPeeringConnections", "VPC peering connections"),
        ("DescribeManagedPrefixLists", "prefix lists"),
        ("GetManagedPrefixListEntries", "entries of prefix lists"),
    ],
)
def test_a_list_that_a_refresh_can_do_without_names_what_to_grant(
    ec2_proxy: FaultProxy, action: str, resources: str
) -> None:
    ec2_proxy.refuse(action, "UnauthorizedOperation", "You are not authorized.", status=403)
    checks = found(ec2_proxy)
    check = checks[f"list {resources}"]
    assert (check.allowed, check.needed) == (False, False)
    assert check.message.startswith(f"May not list {resources}: grant ec2:{action}. ")
    assert [other.name for other in checks.values() if other.allowed is False] == [check.name]


@pytest.mark.parametrize("what", ["InvalidAction", "nothing"])
def test_a_list_that_an_endpoint_lacks_needs_no_grant(ec2_proxy: FaultProxy, what: str) -> None:
    if what == "nothing":
        ec2_proxy.answer("DescribeVpcPeeringConnections", "not found", status=404, content_type="text/plain")
    else:
        ec2_proxy.refuse("DescribeVpcPeeringConnections", what)
    assert "list VPC peering connections" not in found(ec2_proxy)


def test_a_write_that_is_not_allowed_names_what_to_grant(ec2_proxy: FaultProxy) -> None:
    ec2_proxy.refuse("ModifyNetworkInterfaceAttribute", "UnauthorizedOperation", "You are not authorized.")
    check = found(ec2_proxy)[CHANGE]
    assert (check.allowed, check.needed) == (False, False)
    assert check.message.startswith(
        "May not add and remove security groups: grant ec2:ModifyNetworkInterfaceAttribute."
    )


@pytest.mark.parametrize("code", ["InvalidGroup.NotFound", "InvalidParameterValue"])
def test_what_the_endpoint_does_not_tell_is_not_known(ec2_proxy: FaultProxy, code: str) -> None:
    ec2_proxy.refuse("DeleteSecurityGroup", code, "No.")
    assert found(ec2_proxy)["delete security groups"].allowed is None


def test_an_endpoint_that_does_not_know_dry_runs_is_told(ec2_proxy: FaultProxy) -> None:
    ec2_proxy.answer(
        "DeleteSecurityGroup",
        "<DeleteSecurityGroupResponse><requestId>1</requestId><return>true</return></DeleteSecurityGroupResponse>",
    )
    check = found(ec2_proxy)["delete security groups"]
    assert (check.allowed, check.message) == (
        None,
        "Unknown whether this user may delete security groups: the endpoint does not support DryRun.",
    )


@pytest.mark.parametrize("code", ["AuthFailure", "SignatureDoesNotMatch", "InvalidClientTokenId", "ExpiredToken"])
def test_credentials_that_are_none_are_refused(ec2_proxy: FaultProxy, code: str) -> None:
    ec2_proxy.refuse("DescribeVpcs", code, "No.", status=401)
    with pytest.raises(CredentialsRefused) as refused:
        found(ec2_proxy)
    assert not isinstance(refused.value, NotAllowed)
    assert len(ec2_proxy.calls) == 1


def test_an_endpoint_that_fails_is_told(ec2_proxy: FaultProxy) -> None:
    ec2_proxy.answer("DescribeVpcs", "Service Unavailable", status=503, content_type="text/plain")
    with pytest.raises(CloudUnavailable):
        found(ec2_proxy)
