"""As much of OpenStack as a driver asks for, behind the proxy that can be told to answer something else."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from inventory.drivers.openstack import OpenStackDriver
from inventory.drivers.values import Connection
from tests.live.faults import Answer
from tests.live.openstack_faults import OpenStackFaults

PROJECT = "p-1"
SERVER, PORT, GROUP, OTHER = "s-1", "port-1", "sg-1", "sg-2"


class FakeOpenStack(OpenStackFaults):
    """One project with one server, whose one port has the first of two groups."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(("keystone", "nova", "neutron"), 9))  # nothing is behind it
        self.projects = [{"id": PROJECT, "name": "admin", "domain_id": "default"}]
        server = {"id": SERVER, "name": "web-1", "status": "ACTIVE", "tenant_id": PROJECT}
        self.servers = [{**server, "flavor": {"original_name": "m"}}]
        self.groups = [
            {"id": ref, "name": name, "project_id": PROJECT, "stateful": True}
            for ref, name in ((GROUP, "web"), (OTHER, "db"))
        ]
        self.port = {
            "id": PORT,
            "device_id": SERVER,
            "project_id": PROJECT,
            "network_id": "n-1",
            "fixed_ips": [{"ip_address": "10.0.0.1"}],
            "security_groups": [GROUP],
            "revision_number": 1,
        }
        self.floating: list[dict[str, Any]] = []
        self.rules: list[dict[str, Any]] = []
        self.address_groups: list[dict[str, Any]] = []
        #: The interfaces under which the catalog has its services, and the newest version of Nova.
        self.interfaces = ["public"]
        self.microversion = "2.96"
        self.token: dict[str, Any] = {}

    def driver(self, **connection: Any) -> OpenStackDriver:
        keys = {"url": self.url, "userid": "admin", "password": "secret"}
        return OpenStackDriver(Connection(**{**keys, **connection}))

    def handle(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer | None:
        """Nova is below a path of its own, or its root would be that of Neutron."""
        path = path.replace("/compute/", "/") if path != "/compute/" else "/v1/none"
        return super().handle(method, path, headers, body)

    def _forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        parts = urlsplit(path)
        found = self._found(method, parts.path.rstrip("/"), parse_qs(parts.query), body)
        if found is None:
            return _json({"itemNotFound": {"message": "There is none."}}, 404)
        return _json(found, 201 if method == "POST" else 200, **{"X-Subject-Token": "t0k3n"})

    def _found(self, method: str, path: str, asked: dict[str, list[str]], body: bytes) -> Any:
        if method == "PUT":
            self.port.update(json.loads(body)["port"])
            return {"port": self.port}
        if path.startswith("/v2.1/servers/") and path != "/v2.1/servers/detail":
            server = next((one for one in self.servers if path.endswith(one["id"])), None)
            return {"server": server} if server else None
        return {
            "": {"versions": [{"id": "v2.0", "status": "CURRENT", "links": [_link(f"{self.url}/v2.0")]}]},
            "/v2.1": {
                "version": {"id": "v2.1", "status": "CURRENT", "version": self.microversion}
                | {"min_version": "2.1", "links": [_link(f"{self.url}/compute/v2.1")]}
            },
            "/v3": {"version": {"id": "v3.14", "status": "stable", "links": [_link(f"{self.url}/v3")]}},
            "/v3/auth/tokens": {"token": self._token()},
            "/v3/auth/projects": {"projects": self.projects},
            "/v3/projects": {"projects": self.projects},
            "/v2.1/servers/detail": {"servers": self.servers},
            "/v2.0/ports": {"ports": [self.port]},
            "/v2.0/security-groups": {"security_groups": _among(self.groups, "name", asked)},
            "/v2.0/security-group-rules": {"security_group_rules": _among(self.rules, "security_group_id", asked)},
            "/v2.0/address-groups": {"address_groups": _among(self.address_groups, "id", asked)},
            "/v2.0/rbac-policies": {"rbac_policies": []},
            "/v2.0/floatingips": {"floatingips": self.floating},
            "/v2.0/networks": {"networks": [{"id": "n-1", "name": "private", "project_id": PROJECT}]},
            "/v2.0/subnets": {"subnets": [{"id": "sub-1", "network_id": "n-1", "cidr": "10.0.0.0/24"}]},
        }.get(path)

    def _token(self) -> dict[str, Any]:
        urls = {"identity": "/v3", "compute": "/compute/v2.1", "network": ""}
        catalog = [
            {
                "type": service,
                "name": service,
                "id": service,
                "endpoints": [
                    {
                        "id": name,
                        "interface": name,
                        "region": "One",
                        "region_id": "One",
                        "url": f"{self.url}{path}",
                    }
                    for name in self.interfaces
                ],
            }
            for service, path in urls.items()
        ]
        return {
            "methods": ["password"],
            "user": {"id": "u-1", "name": "admin", "domain": {"id": "default", "name": "Default"}},
            "project": {"id": PROJECT, "name": "admin", "domain": {"id": "default", "name": "Default"}},
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "expires_at": "2099-01-01T00:00:00.000000Z",
            "roles": [{"id": "r", "name": "admin"}],
            "catalog": catalog,
        }


def _among(items: list[dict[str, Any]], name: str, asked: dict[str, list[str]]) -> list[dict[str, Any]]:
    """The items whose attribute has one of the values that were asked for, if any were."""
    return [item for item in items if name not in asked or item[name] in asked[name]]


def _link(url: str) -> dict[str, str]:
    return {"rel": "self", "href": url}


def _json(body: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, json.dumps(body).encode(), "application/json", headers)
