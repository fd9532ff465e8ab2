"""What the EC2 driver makes of a good status that comes with something else than what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from inventory.drivers.ec2 import Ec2Driver
from inventory.drivers.exceptions import (
    ABSENT,
    AnswerTooLarge,
    CloudError,
    CloudRefused,
    ForeignAnswer,
    NotAllowed,
    NotOffered,
)
from inventory.drivers.rate_limit import RateLimiter
from inventory.drivers.values import Group, Port, Rule
from tests.live.ec2 import driver_of
from tests.live.faults import FaultProxy, fault_proxy

pytestmark = pytest.mark.live

LIST = "DescribeSecurityGroups"


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    """Nothing stands behind it."""
    with fault_proxy("http://127.0.0.1:9") as faults:
        yield faults


class RememberingRateLimiter(RateLimiter):
    def __init__(self) -> None:
        self.errors: list[CloudError] = []

    def send(self, action: str, request: Callable[[], Any]) -> Any:
        try:
            return request()
        except CloudError as error:
            self.errors.append(error)
            raise


def groups(inside: str, rest: str = "") -> str:
    items = f"<securityGroupInfo>{inside}</securityGroupInfo>" if inside else ""
    return (
        f"<DescribeSecurityGroupsResponse><requestId>r-1</requestId>{items}{rest}</DescribeSecurityGroupsResponse>"
    )


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        '{"SecurityGroups": []}',
        "<!doctype html><p>Log in",
        "<page/>",
        groups("<item><groupId>sg-1</groupId>")[:90],
        groups(""),
        "<DescribeVpcsResponse><requestId>r-1</requestId><vpcSet/></DescribeVpcsResponse>",
        groups("<item><groupName>web</groupName></item>"),
    ],
)
def test_it_is_no_answer(proxy: FaultProxy, body: str) -> None:
    proxy.answer(LIST, body)
    with pytest.raises(ForeignAnswer) as error:
        driver_of(proxy.url)._groups({"group-id": ["sg-1"]})
    assert not error.value.permanent


def test_a_number_that_is_none_is_no_answer(proxy: FaultProxy) -> None:
    rule = "<item><securityGroupRuleId>r</securityGroupRuleId><fromPort>ssh</fromPort></item>"
    proxy.answer(
        "DescribeSecurityGroupRules",
        f"<Response><requestId>r-1</requestId><securityGroupRuleSet>{rule}</securityGroupRuleSet></Response>",
    )
    with pytest.raises(ForeignAnswer):
        driver_of(proxy.url).rules_of("sg-1")


def test_a_group_that_was_made_has_to_be_told(proxy: FaultProxy) -> None:
    answer = "<CreateSecurityGroupResponse><requestId>r-1</requestId></CreateSecurityGroupResponse>"
    proxy.answer("CreateSecurityGroup", answer)
    with pytest.raises(ForeignAnswer):
        driver_of(proxy.url).create_group(Group("", "web", "web", network_ref="vpc-1"))


@pytest.mark.parametrize("said", ["false", "true"])
def test_a_write_that_says_that_it_was_not_done_is_not_taken_for_done(proxy: FaultProxy, said: str) -> None:
    answer = "<{0}Response><requestId>r-1</requestId><return>{1}</return></{0}Response>"
    writes: dict[str, Callable[[], object]] = {
        "DeleteSecurityGroup": lambda: driver_of(proxy.url).delete_group("sg-1"),
        "RevokeSecurityGroupIngress": lambda: driver_of(proxy.url).delete_rule(Rule("r-1", "sg-1", "inbound")),
    }
    for action, write in writes.items():
        proxy.answer(action, answer.format(action, said))
        with pytest.raises(ForeignAnswer) if said == "false" else nullcontext():
            write()


def test_a_page_that_was_read_already_is_an_error_at_once(proxy: FaultProxy) -> None:
    page = groups("<item><groupId>sg-1</groupId><groupName>a</groupName></item>", "<nextToken>again</nextToken>")
    for _ in range(9):
        proxy.answer(LIST, page)
    with pytest.raises(CloudRefused, match="is endless"):
        list(driver_of(proxy.url)._client.read("describe_security_groups", "SecurityGroups"))
    assert proxy.count(LIST) == 2


@pytest.mark.parametrize(
    ("new", "asked", "error", "words"),
    [
        (lambda page: ["sg-1", "sg-2"], 2, CloudRefused, "refers back to an earlier one"),
        (lambda page: [], 101, CloudRefused, "101 pages in a row are empty"),
        (lambda page: [f"sg-{page}-1", f"sg-{page}-2"], 3, AnswerTooLarge, "CLOUD_LIST_SIZE"),
    ],
    ids=["nothing new", "nothing", "without end"],
)
def test_a_list_whose_next_token_is_always_another_ends(
    proxy: FaultProxy, new: Callable[[int], list[str]], asked: int, error: type[CloudError], words: str
) -> None:
    for page in range(120):
        items = (f"<item><groupId>{ref}</groupId><groupName>a</groupName></item>" for ref in new(page))
        proxy.answer(LIST, groups("".join(items) or " ", f"<nextToken>{page}</nextToken>"))
    driver = Ec2Driver(replace(driver_of(proxy.url).connection, list_size=5))
    with pytest.raises(error, match=words):
        list(driver._client.read("describe_security_groups", "SecurityGroups"))
    assert proxy.count(LIST) == asked


def test_a_list_without_ids_is_read_to_its_end(proxy: FaultProxy) -> None:
    for following in ("<nextToken>more</nextToken>", ""):
        proxy.answer(LIST, groups("<item><groupName>a</groupName></item>", following))
    assert len(list(driver_of(proxy.url)._client.read("describe_security_groups", "SecurityGroups"))) == 2


OPTIONAL = "DescribeSecurityGroupVpcAssociations"


@pytest.mark.parametrize("code", ["InvalidAction", "UnauthorizedOperation"])
def test_an_action_that_is_not_there_for_us_is_done_without(proxy: FaultProxy, code: str) -> None:
    read = driver_of(proxy.url)._client.read
    proxy.refuse(OPTIONAL, code)
    operation, key = "describe_security_group_vpc_associations", "SecurityGroupVpcAssociations"
    with pytest.raises(ABSENT):
        list(read(operation, key, optional=True))
    proxy.refuse(OPTIONAL, "UnauthorizedOperation")
    with pytest.raises(NotAllowed):
        list(read(operation, key))


@pytest.mark.parametrize(("status", "absent"), [(404, True), (501, True), (500, True), (200, False), (502, False)])
def test_a_page_for_an_action_is_told_by_its_status(proxy: FaultProxy, status: int, absent: bool) -> None:
    proxy.answer(OPTIONAL, "<!doctype html><p>None", status=status, content_type="text/html")
    driver = driver_of(proxy.url)
    driver.rate_limiter = rate_limiter = RememberingRateLimiter()
    found = driver._client.read(
        "describe_security_group_vpc_associations", "SecurityGroupVpcAssociations", optional=True
    )
    with pytest.raises(NotOffered if absent else ForeignAnswer):
        list(found)
    # A refresh repeats what is not permanent: each would take ten seconds longer for what is never there.
    assert [error.permanent for error in rate_limiter.errors] == [absent]


def test_a_write_that_a_page_answers_is_not_taken_for_done(proxy: FaultProxy) -> None:
    proxy.answer("ModifyNetworkInterfaceAttribute", "<page/>")
    with pytest.raises(ForeignAnswer):
        driver_of(proxy.url).change_groups(Port("eni-1"), ["sg-1"])
