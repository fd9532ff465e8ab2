"""`python -m tests.bench.ec2 MILLISECONDS [INSTANCES]`: an EC2 account in memory, which answers after so long.

It has what a refresh reads and what a change of security groups asks for, and means what it says: filters choose,
a write is there for the next reading, and what it does not know is an error. It allows any number of groups on an
interface. Prints its address, and ends with its standard input.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4
from xml.sax.saxutils import escape

#: How many there are; every instance has one interface, which begins with the group `default`.
INSTANCES, GROUPS = 100, 100

OWNER, VPC, DEFAULT = "123456789012", "vpc-1", "sg-default"

Item = dict[str, Any]
Parameters = dict[str, str]


class Refused(Exception):
    """An error of EC2: its code and its message."""


class Account:
    def __init__(self, instances: int = INSTANCES) -> None:
        names = {DEFAULT: "default"} | {f"sg-{number}": f"group-{number}" for number in range(GROUPS)}
        self.groups = {ref: _group(ref, name) for ref, name in names.items()}
        self.instances = {f"i-{number}": _instance(f"i-{number}") for number in range(instances)}
        self.interfaces = {f"eni-{number}": (f"i-{number}", (DEFAULT,)) for number in range(instances)}

    def describe_vpcs(self, asked: Parameters) -> Item:
        return {"vpcSet": [{"vpcId": VPC, "cidrBlock": "10.0.0.0/16", "ownerId": OWNER}]}

    def describe_security_group_rules(self, asked: Parameters) -> Item:
        return {"securityGroupRuleSet": []}

    def describe_security_groups(self, asked: Parameters) -> Item:
        keys = {"group-id": "groupId", "group-name": "groupName", "vpc-id": "vpcId"}
        return {"securityGroupInfo": _chosen(self.groups.values(), asked, keys)}

    def describe_instances(self, asked: Parameters) -> Item:
        refs = _listed(asked, "InstanceId") or list(self.instances)
        if unknown := set(refs).difference(self.instances):
            raise Refused("InvalidInstanceID.NotFound", f"The instance IDs '{', '.join(unknown)}' do not exist")
        found = [{"ownerId": OWNER, "instancesSet": [self.instances[ref]]} for ref in refs]
        return {"reservationSet": found}

    def describe_network_interfaces(self, asked: Parameters) -> Item:
        # By the instance, as a change asks, without a look at all the others.
        every = _filters(asked).get("attachment.instance-id", list(self.instances))
        refs = (ref.replace("i-", "eni-") for ref in every if ref in self.instances)
        return {"networkInterfaceSet": [self._interface(ref) for ref in refs if self._has(ref, asked)]}

    def modify_network_interface_attribute(self, asked: Parameters) -> Item:
        ref, groups = asked["NetworkInterfaceId"], _listed(asked, "SecurityGroupId")
        if ref not in self.interfaces:
            raise Refused("InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{ref}' does not exist")
        if unknown := set(groups).difference(self.groups):
            raise Refused("InvalidGroup.NotFound", f"The security group '{min(unknown)}' does not exist")
        self.interfaces[ref] = self.interfaces[ref][0], tuple(groups)
        return {"return": "true"}

    def _has(self, ref: str, asked: Parameters) -> bool:
        filters = _filters(asked)
        if unknown := filters.keys() - {"attachment.instance-id", "group-id"}:
            raise Refused("InvalidParameterValue", f"The filter '{min(unknown)}' is invalid")
        groups = filters.get("group-id")
        return groups is None or not set(groups).isdisjoint(self.interfaces[ref][1])

    def _interface(self, ref: str) -> Item:
        instance, groups = self.interfaces[ref]
        return {
            "networkInterfaceId": ref,
            "vpcId": VPC,
            "ownerId": OWNER,
            "status": "in-use",
            "macAddress": "02:00:00:00:00:01",
            "privateIpAddress": "10.0.0.1",
            "privateIpAddressesSet": [{"privateIpAddress": "10.0.0.1", "primary": "true"}],
            "attachment": {"attachmentId": f"attach-{ref}", "instanceId": instance, "status": "attached"},
            "groupSet": [{"groupId": group, "groupName": self.groups[group]["groupName"]} for group in groups],
        }


def _group(ref: str, name: str) -> Item:
    return {"groupId": ref, "groupName": name, "groupDescription": "a group", "ownerId": OWNER, "vpcId": VPC}


def _instance(ref: str) -> Item:
    state = {"code": "16", "name": "running"}
    tags = [{"key": "Name", "value": f"instance-{ref}"}]
    return {"instanceId": ref, "instanceState": state, "instanceType": "m5.large", "vpcId": VPC, "tagSet": tags}


def _listed(asked: Parameters, prefix: str) -> list[str]:
    """The values of `prefix.1`, `prefix.2` and so on."""
    return [value for name, value in asked.items() if name.rpartition(".")[0] == prefix]


def _filters(asked: Parameters) -> dict[str, list[str]]:
    names = {key: name for key, name in asked.items() if key.startswith("Filter.") and key.endswith(".Name")}
    return {name: _listed(asked, key.removesuffix("Name") + "Value") for key, name in names.items()}


def _chosen(items: Iterable[Item], asked: Parameters, keys: dict[str, str]) -> list[Item]:
    """Those that all filters fit; `keys` are the filters that there are, and what of an item they look at."""
    filters = _filters(asked)
    if unknown := filters.keys() - keys.keys():
        raise Refused("InvalidParameterValue", f"The filter '{min(unknown)}' is invalid")
    return [item for item in items if all(item[keys[name]] in values for name, values in filters.items())]


def _xml(value: Any) -> str:
    """A dict as elements, a list as EC2 has one: each of its members an `item`."""
    match value:
        case dict():
            return "".join(f"<{name}>{_xml(inner)}</{name}>" for name, inner in value.items())
        case list():
            return "".join(f"<item>{_xml(inner)}</item>" for inner in value)
        case _:
            return escape(str(value))


def _actions(account: Account) -> dict[str, Callable[[Parameters], Item]]:
    """By the name of EC2: `DescribeVpcs` is `describe_vpcs`."""
    names = [name for name in vars(Account) if not name.startswith("_")]
    return {name.title().replace("_", ""): getattr(account, name) for name in names}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one piece: the second of two would wait for the other side
    actions: Mapping[str, Callable[[Parameters], Item]] = {}
    seconds = 0.0

    def do_POST(self) -> None:
        asked = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        time.sleep(self.seconds)
        action, request = asked["Action"], str(uuid4())
        try:
            if action not in self.actions:
                raise Refused("InvalidAction", f"The action {action} is not valid for this web service.")
            answer = {"requestId": request} | self.actions[action](asked)
        except Refused as refused:
            code, message = refused.args
            error = {"Errors": {"Error": {"Code": code, "Message": message}}, "RequestID": request}
            self._answer(400, {"Response": error})
        else:
            self._answer(200, {f"{action}Response": answer})

    def _answer(self, status: int, body: Item) -> None:
        sent = _xml(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/xml;charset=UTF-8")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """The bench prints figures, not requests."""


def main(milliseconds: str, instances: str = str(INSTANCES)) -> None:
    Handler.seconds = float(milliseconds) / 1000
    Handler.actions = _actions(Account(int(instances)))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
