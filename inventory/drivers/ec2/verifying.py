"""Checks what an EC2 user may do, with a small page of each list and with `DryRun` for each write.

An endpoint that only resembles EC2 may not know `DryRun`, so even a real write must change nothing. An interface
gets the groups that it already has, and the other writes refer to things that can't exist.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from inventory.drivers.ec2.client import Client
from inventory.drivers.ec2.errors import Unserved, WouldWork
from inventory.drivers.exceptions import (
    CloudRefused,
    ForeignAnswer,
    GroupNotFound,
    NotAllowed,
    NotOffered,
    RuleNotFound,
)
from inventory.drivers.values import Check

#: The fewest that every list of EC2 takes.
PAGE_SIZE = 5
NOWHERE = "0" * 17
_GROUP, _RULE, _INTERFACE = f"sg-{NOWHERE}", f"sgr-{NOWHERE}", f"eni-{NOWHERE}"
_PERMISSION = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "127.0.0.1/32"}]}
_REVOKED = {"GroupId": _GROUP, "SecurityGroupRuleIds": [_RULE]}
_AUTHORIZED = {"GroupId": _GROUP, "IpPermissions": [_PERMISSION]}

#: Operation → what it lists. The interfaces last: what is found is used.
LISTS = {
    "describe_vpcs": "networks",
    "describe_instances": "instances",
    "describe_security_groups": "security groups",
    "describe_security_group_rules": "firewall rules",
    "describe_network_interfaces": "network interfaces",
}
#: The same for lists that a refresh can do without. The prefix lists last: their entries are a list of their own.
EXTRA_LISTS = {
    "describe_security_group_vpc_associations": "VPC associations of security groups",
    "describe_vpc_peering_connections": "VPC peering connections",
    "describe_managed_prefix_lists": "prefix lists",
}
ENTRIES = ("get_managed_prefix_list_entries", "entries of prefix lists")
CHANGE = "add and remove security groups"
#: Operation → what it does, and parameters that name nothing.
WRITES: dict[str, tuple[str, dict[str, Any]]] = {
    "create_security_group": (
        "create security groups",
        {"GroupName": "portcullis-test", "Description": "A test", "VpcId": f"vpc-{NOWHERE}"},
    ),
    "delete_security_group": ("delete security groups", {"GroupId": _GROUP}),
    "authorize_security_group_ingress": ("create inbound rules", _AUTHORIZED),
    "authorize_security_group_egress": ("create outbound rules", _AUTHORIZED),
    "revoke_security_group_ingress": ("delete inbound rules", _REVOKED),
    "revoke_security_group_egress": ("delete outbound rules", _REVOKED),
}


def checks(client: Client) -> Iterator[Check]:
    """Raises `CredentialsRefused` at the first of them if the credentials are none."""
    response: Mapping[str, Any] = {}
    for operation, resources in LISTS.items():
        try:
            check, response = _listed(client, operation, resources, needed=True)
            yield check
        except NotOffered:
            message = f"This endpoint does not support {_action(operation)}."
            yield Check(f"list {resources}", False, message, needed=True)
    yield _check(client, "modify_network_interface_attribute", CHANGE, _as_it_is(response))
    yield from _extras(client)
    for operation, (name, parameters) in WRITES.items():
        yield _check(client, operation, name, parameters)


def _listed(
    client: Client, operation: str, resources: str, *, needed: bool, **parameters: Any
) -> tuple[Check, Mapping[str, Any]]:
    """Whether they may be listed, with the answer, which is empty if they may not."""
    name = f"list {resources}"
    try:
        response = client.call(operation, MaxResults=PAGE_SIZE, **parameters)
        return Check(name, True, f"May {name}.", needed), response
    except NotAllowed as error:
        return Check(name, False, f"May not {name}: grant {_action(operation)}. {error}", needed), {}


def _extras(client: Client) -> Iterator[Check]:
    """An endpoint that doesn't support such a list has nothing to be granted, so it gets no check."""
    response: Mapping[str, Any] = {}
    for operation, resources in EXTRA_LISTS.items():
        with suppress(NotOffered, Unserved):
            check, response = _listed(client, operation, resources, needed=False)
            yield check
    for prefix_list in response.get("PrefixLists", ())[:1]:
        with suppress(NotOffered, Unserved):
            yield _listed(client, *ENTRIES, needed=False, PrefixListId=prefix_list["PrefixListId"])[0]


def _as_it_is(response: Mapping[str, Any]) -> dict[str, Any]:
    """An interface of this answer that may be changed, with the groups that it has."""
    for interface in response.get("NetworkInterfaces", ()):
        if interface.get("RequesterManaged"):
            continue  # EC2 refuses it whatever the credentials
        if groups := [group["GroupId"] for group in interface.get("Groups", ())]:
            return {"NetworkInterfaceId": interface["NetworkInterfaceId"], "Groups": groups}
    return {"NetworkInterfaceId": _INTERFACE, "Groups": [_GROUP]}


def _check(client: Client, operation: str, name: str, parameters: Mapping[str, Any]) -> Check:
    action = _action(operation)
    try:
        client.call(operation, DryRun=True, **parameters)
    except WouldWork:
        return Check(name, True, f"May {name}.")
    except NotAllowed as error:
        return Check(name, False, f"May not {name}: grant {action}. {error}")
    except (CloudRefused, GroupNotFound, RuleNotFound, ForeignAnswer):
        return Check(name, None, f"Unknown whether this user may {name} ({action}): the endpoint does not say.")
    return Check(name, None, f"Unknown whether this user may {name}: the endpoint does not support DryRun.")


def _action(operation: str) -> str:
    """`describe_vpcs` as policies of AWS name it."""
    return "ec2:" + "".join(map(str.capitalize, operation.split("_")))
