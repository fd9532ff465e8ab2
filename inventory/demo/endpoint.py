"""Runs moto's server in this process, with the company's account."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from inventory.demo.account import Account
from inventory.demo.company import NETWORKS, Network, Rule, Servers

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_ec2.literals import ResourceTypeType
    from types_boto3_ec2.type_defs import IpPermissionTypeDef, TagSpecificationTypeDef

REGION = "us-east-1"
#: The endpoint accepts any key.
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@contextmanager
def account(known_url: str | None) -> Iterator[Account]:
    """The company's account, at the address of an earlier start if that is free."""
    with endpoint(urlsplit(known_url).port if known_url else None) as url:
        yield Account(
            {
                "vendor": "amazon",
                "provider_region": REGION,
                "url": url,
                "credentials": {"userid": KEY, "password": SECRET},
            },
            "an EC2 endpoint that takes any key",
        )


@contextmanager
def endpoint(port: int | None) -> Iterator[str]:
    """The address of an endpoint with the company, on this port of loopback if it is free.

    The endpoint is filled before it listens there, so nobody reads half of a company. The ids are the same at
    every start, so they match the inventory of an earlier one.
    """
    # For unsupported actions, moto answers 500, which the driver understands, and prints a traceback.
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    with _serving(_listen(None)) as private_url:
        urlopen(Request(f"{private_url}/moto-api/seed?a=1", method="POST"))  # nosec B310  # noqa: S310 - http on loopback
        fill(client(private_url))
    with _serving(_listen(port)) as url:
        yield url


def client(url: str) -> EC2Client:
    return boto3.client(
        "ec2", endpoint_url=url, region_name=REGION, aws_access_key_id=KEY, aws_secret_access_key=SECRET
    )


def fill(ec2: EC2Client) -> None:
    """Replace the account's initial contents with the company's networks, groups and instances."""
    for vpc in ec2.describe_vpcs()["Vpcs"]:
        for subnet in ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]:
            ec2.delete_subnet(SubnetId=subnet["SubnetId"])
        ec2.delete_vpc(VpcId=vpc["VpcId"])
    for network in NETWORKS:
        tags = _named("vpc", network.name)
        vpc_id = ec2.create_vpc(CidrBlock=network.cidr, TagSpecifications=tags)["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc_id, CidrBlock=network.cidr)["Subnet"]
        groups = _create_groups(ec2, vpc_id, network)
        for servers in network.servers:
            for number in range(1, servers.count + 1):
                name = f"{network.name}-{servers.role}-{number}"
                _launch(ec2, name, servers, subnet["SubnetId"], [groups[group] for group in servers.groups])


def _create_groups(ec2: EC2Client, vpc_id: str, network: Network) -> dict[str, str]:
    """Create groups, then rules, which refer to other groups. Returns the groups' ids by name."""
    ids = {
        name: ec2.create_security_group(GroupName=name, Description=group.description, VpcId=vpc_id)["GroupId"]
        for name, group in network.groups.items()
    }
    for name, group in network.groups.items():
        permissions = [_permission(rule, ids) for rule in group.rules]
        ec2.authorize_security_group_ingress(GroupId=ids[name], IpPermissions=permissions)
    return ids


def _permission(rule: Rule, ids: dict[str, str]) -> IpPermissionTypeDef:
    permission: IpPermissionTypeDef = {"IpProtocol": rule.protocol, "FromPort": rule.first, "ToPort": rule.last}
    if rule.source in ids:
        return {**permission, "UserIdGroupPairs": [{"GroupId": ids[rule.source]}]}
    if ":" in rule.source:
        return {**permission, "Ipv6Ranges": [{"CidrIpv6": rule.source}]}
    return {**permission, "IpRanges": [{"CidrIp": rule.source}]}


def _launch(ec2: EC2Client, name: str, servers: Servers, subnet_id: str, groups: list[str]) -> None:
    ec2.run_instances(
        ImageId="ami-12345678",
        InstanceType=servers.flavor,
        MinCount=1,
        MaxCount=1,
        # Groups of interfaces, because moto never removes a group that was given to the instance itself.
        NetworkInterfaces=[
            {"DeviceIndex": index, "SubnetId": subnet_id, "Groups": groups} for index in range(servers.interfaces)
        ],
        TagSpecifications=_named("instance", name),
    )


def _named(kind: ResourceTypeType, name: str) -> list[TagSpecificationTypeDef]:
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}]


def _listen(port: int | None) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port or 0))
    except OSError:
        return socket.create_server(("127.0.0.1", 0))


@contextmanager
def _serving(listening: socket.socket) -> Iterator[str]:
    """Serve the account on a socket. All servers in this process have the same one."""
    with listening:
        port = listening.getsockname()[1]
        server = make_server(
            "127.0.0.1",
            port,
            DomainDispatcherApplication(create_backend_app),
            threaded=True,
            request_handler=MotoRequestHandler,
            fd=listening.fileno(),
        )
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
