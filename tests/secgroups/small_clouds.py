"""Two clouds in memory that answer as Nova, Neutron, Keystone and EC2 do, under the real drivers.

As for an administrator, who may put any project's group on any port, nothing is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from inventory.drivers.failures import InstanceGone

Item = dict[str, Any]


@dataclass
class Stack:
    """What the OpenStack driver has for a client."""

    projects: list[Item] = field(default_factory=list)
    servers: list[Item] = field(default_factory=list)
    ports: list[Item] = field(default_factory=list)
    groups: list[Item] = field(default_factory=list)
    policies: list[Item] = field(default_factory=list)
    project_ref: str = "admin"
    region: str = "RegionOne"

    def read(self, service: str, path: str, key: str, **asked: Any) -> Iterator[Item]:
        kinds = {
            "projects": self.projects,
            "ports": self.ports,
            "servers": self.servers,
            "security_groups": self.groups,
            "rbac_policies": self.policies,
        }
        return (item for item in kinds.get(key, ()) if self._meets(item, asked))

    @staticmethod
    def _meets(item: Item, asked: dict[str, Any]) -> bool:
        project = item.get("project_id", item.get("tenant_id"))
        return (
            asked.get("device_id") in (None, item.get("device_id"))
            and asked.get("project_id") in (None, project)
            and asked.get("name") in (None, item.get("name"))
            and ("id" not in asked or item["id"] in asked["id"])
        )

    def get(self, service: str, path: str, key: str) -> Item:
        found = [one for one in self.servers if path == f"/servers/{one['id']}"]
        if not found:
            raise InstanceGone(f"There is no {path}.")
        return found[0]

    def write(self, method: str, path: str, body: Item, key: str, **headers: str) -> tuple[Item, str]:
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
    region: str = "eu-west-1"

    def read(
        self, operation: str, key: str, filters: dict[str, Any] | None = None, *, optional: bool = False
    ) -> Iterator[Item]:
        kinds = {
            "Vpcs": self.vpcs,
            "Reservations": self.instances,
            "NetworkInterfaces": self.interfaces,
            "SecurityGroups": self.groups,
            "SecurityGroupVpcAssociations": self.associations,
        }
        columns = {
            "group-id": lambda item: item["GroupId"],
            "group-name": lambda item: item["GroupName"],
            "vpc-id": lambda item: item["VpcId"],
            "state": lambda item: item["State"],
            "attachment.instance-id": lambda item: item["Attachment"]["InstanceId"],
        }
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
