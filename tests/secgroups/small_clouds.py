"""Two clouds in memory that answer as Nova, Neutron, Keystone and EC2 do, under the real drivers.

As for an administrator, who may put any project's group on any port, nothing is refused, unless a test says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from inventory.drivers.ec2 import Ec2Driver
from inventory.drivers.exceptions import GroupNotFound, InstanceGone, NotAllowed
from inventory.drivers.openstack import OpenStackDriver
from inventory.drivers.values import Connection
from inventory.models import Provider
from tests import cast as actors

Item = dict[str, Any]


@dataclass
class Stack:
    """What the OpenStack driver has for a client."""

    projects: list[Item] = field(default_factory=list)
    servers: list[Item] = field(default_factory=list)
    ports: list[Item] = field(default_factory=list)
    groups: list[Item] = field(default_factory=list)
    policies: list[Item] = field(default_factory=list)
    networks: list[Item] = field(default_factory=list)
    rules: list[Item] = field(default_factory=list)
    floating: list[Item] = field(default_factory=list)
    address_groups: list[Item] = field(default_factory=list)
    #: The services to which this is not an administrator, but a member of its project.
    member_of: set[str] = field(default_factory=set)
    #: The keys of lists that are refused altogether.
    refused: set[str] = field(default_factory=set)
    project_ref: str = "admin"
    region: str = "RegionOne"

    def read(self, service: str, path: str, key: str, **asked: Any) -> Iterator[Item]:
        kinds = {
            "projects": self.projects,
            "ports": self.ports,
            "servers": self.servers,
            "security_groups": self.groups,
            "rbac_policies": self.policies,
            "networks": self.networks,
            "security_group_rules": self.rules,
            "floatingips": self.floating,
            "address_groups": self.address_groups,
        }
        member = service in self.member_of
        if key in self.refused or (member and (asked.get("all_tenants") or key == "projects")):
            raise NotAllowed(f"This user may not list all {key}.")
        found = (item for item in kinds.get(key, ()) if self._meets(item, asked))
        return (self._seen(item) for item in found if not member or self._shown(item))

    def _shown(self, item: Item) -> bool:
        """Whether a member is shown it."""
        group = item.get("object_id") or item.get("security_group_id")
        owner = next((one for one in self.groups if one["id"] == group), item)
        project = owner.get("project_id", owner.get("tenant_id"))
        return project == self.project_ref or self._shared(item)

    def _shared(self, item: Item) -> bool:
        policies = (one for one in self.policies if one["object_id"] == item.get("id"))
        return any(one["target_tenant"] in {"*", self.project_ref} for one in policies)

    def _seen(self, item: Item) -> Item:
        return {**item, "shared": self._shared(item)} if item in self.groups else item

    def own_project(self) -> Item:
        return {"id": self.project_ref, "name": self.project_ref}

    @staticmethod
    def _meets(item: Item, asked: dict[str, Any]) -> bool:
        project = item.get("project_id", item.get("tenant_id"))
        return (
            asked.get("device_id") in (None, item.get("device_id"))
            and asked.get("project_id") in (None, project)
            and asked.get("name") in (None, item.get("name"))
            and asked.get("security_groups") in (None, *item.get("security_groups", ()))
            and ("security_group_id" not in asked or item["security_group_id"] in asked["security_group_id"])
            and ("port_id" not in asked or item["port_id"] in asked["port_id"])
            and ("id" not in asked or item["id"] in asked["id"])
        )

    def get(self, service: str, path: str, key: str) -> Item:
        found = [one for one in self.servers if path == f"/servers/{one['id']}"]
        if not found or ("compute" in self.member_of and not self._shown(found[0])):
            raise InstanceGone(f"There is no {path}.")
        return found[0]

    def write(self, method: str, path: str, body: Any = None, key: str = "", **headers: str) -> tuple[Item, str]:
        if method == "DELETE":
            raise GroupNotFound(f"There is no {path}.")
        [port] = [one for one in self.ports if path == f"/ports/{one['id']}"]
        port.update(body["port"])
        return port, "req-1"

    def port_refs(self) -> list[str]:
        return [one["id"] for one in self.ports]

    def groups_on(self, port: str) -> set[str]:
        return next(set(one["security_groups"]) for one in self.ports if one["id"] == port)


@dataclass
class Account:
    """What the EC2 driver has for a client."""

    vpcs: list[Item] = field(default_factory=list)
    instances: list[Item] = field(default_factory=list)
    interfaces: list[Item] = field(default_factory=list)
    groups: list[Item] = field(default_factory=list)
    associations: list[Item] = field(default_factory=list)
    peerings: list[Item] = field(default_factory=list)
    rules: list[Item] = field(default_factory=list)
    prefix_lists: list[Item] = field(default_factory=list)
    #: Of each prefix list.
    entries: dict[str, list[Item]] = field(default_factory=dict)
    #: The keys of lists that are refused.
    refused: set[str] = field(default_factory=set)
    region: str = "eu-west-1"

    def read(
        self,
        operation: str,
        key: str,
        filters: dict[str, Any] | None = None,
        *,
        optional: bool = False,
        **parameters: str,
    ) -> Iterator[Item]:
        kinds = {
            "Vpcs": self.vpcs,
            "Reservations": self.instances,
            "NetworkInterfaces": self.interfaces,
            "SecurityGroups": self.groups,
            "SecurityGroupVpcAssociations": self.associations,
            "VpcPeeringConnections": self.peerings,
            "SecurityGroupRules": self.rules,
            "PrefixLists": self.prefix_lists,
            "Entries": self.entries.get(parameters.get("PrefixListId", ""), []),
        }
        columns = {
            "group-id": lambda item: item["GroupId"],
            "group-name": lambda item: item["GroupName"],
            "vpc-id": lambda item: item["VpcId"],
            "prefix-list-id": lambda item: item["PrefixListId"],
            "state": lambda item: item["State"],
            "status-code": lambda item: item["Status"]["Code"],
            "attachment.instance-id": lambda item: item["Attachment"]["InstanceId"],
        }
        if key in self.refused:
            raise NotAllowed(f"These credentials may not read {key}.")
        asked = [(columns[name], values) for name, values in (filters or {}).items()]
        return (one for one in kinds.get(key, ()) if all(column(one) in values for column, values in asked))

    def call(self, operation: str, key: str | None = None, **asked: Any) -> Item:
        if operation == "describe_instances":
            [ref] = asked["InstanceIds"]
            return {"Reservations": [one for one in self.instances if one["Instances"][0]["InstanceId"] == ref]}
        assert operation == "modify_network_interface_attribute"
        [port] = [one for one in self.interfaces if one["NetworkInterfaceId"] == asked["NetworkInterfaceId"]]
        port["Groups"] = [{"GroupId": ref} for ref in asked["Groups"]]
        return {"ResponseMetadata": {"RequestId": "req-1"}}

    def port_refs(self) -> list[str]:
        return [one["NetworkInterfaceId"] for one in self.interfaces]

    def groups_on(self, port: str) -> set[str]:
        [found] = [one for one in self.interfaces if one["NetworkInterfaceId"] == port]
        return {group["GroupId"] for group in found["Groups"]}


def driver_of(client: Any, cloud: Stack | Account) -> Any:
    """The driver of this kind of cloud, with a client."""
    driver: Any = (Ec2Driver if isinstance(cloud, Account) else OpenStackDriver)(Connection())
    driver.__dict__["_client"] = client
    return driver


def provider_of(cloud: Stack | Account, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """A provider whose driver asks this cloud."""
    monkeypatch.setattr(Provider, "driver", lambda provider, rate_limiter=None, **_: driver_of(cloud, cloud))
    return actors.provider("cloud", vendor=actors.AMAZON if isinstance(cloud, Account) else actors.OPENSTACK)
