"""`python -m tests.bench.endpoint`: a large account as Keystone, Nova and Neutron would list it, page by page.

It only answers what a refresh asks, in a process of its own, so that its memory is not counted as the refresh's.
Prints its address, and ends with its standard input.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from inventory.drivers.values import Group, Instance, Port, Rule
from tests.bench.large import INSTANCES, inventory

Item = dict[str, Any]
PROJECT = {"id": "t-1", "name": "tenant", "domain_id": "default", "enabled": True}


def server_of(instance: Instance) -> Item:
    """As Nova 2.47 has it, with what Portcullis does not look at."""
    return {
        "id": instance.ref,
        "name": instance.name,
        "status": "ACTIVE",
        "tenant_id": "t-1",
        "user_id": "u" * 32,
        "flavor": {"original_name": "m1.small", "vcpus": 2, "ram": 4096, "disk": 40, "ephemeral": 0, "swap": 0},
        "image": {"id": "i" * 36, "links": []},
        "OS-EXT-AZ:availability_zone": "nova",
        "addresses": {"network": [{"addr": "10.0.0.1", "version": 4, "OS-EXT-IPS:type": "fixed"}]},
        "description": None,
        "metadata": {f"key-{number}": "value" * 5 for number in range(10)},
        "security_groups": [{"name": "default"}],
    }


def port_of(port: Port) -> Item:
    return {
        "id": port.ref,
        "name": "",
        "device_id": port.instance_ref,
        "project_id": "t-1",
        "network_id": "n-1",
        "mac_address": "fa:16:3e:00:00:00",
        "status": "ACTIVE",
        "fixed_ips": [{"subnet_id": "s-1", "ip_address": port.ip_addresses[0]}],
        "security_groups": list(port.group_refs),
        "port_security_enabled": True,
        "revision_number": 3,
        "device_owner": "compute:nova",
        "allowed_address_pairs": [],
    }


def group_of(group: Group) -> Item:
    return {"id": group.ref, "name": group.name, "description": group.description, "project_id": "t-1"}


def rule_of(rule: Rule) -> Item:
    return {
        "id": rule.ref,
        "security_group_id": rule.group_ref,
        "direction": "ingress",
        "ethertype": "IPv4",
        "protocol": rule.host_protocol,
        "port_range_min": rule.port,
        "port_range_max": rule.end_port,
        "remote_ip_prefix": rule.source_ip_range,
        "project_id": "t-1",
        "created_at": "2026-01-01T00:00:00Z",
        "revision_number": 0,
    }


LISTS: dict[str, Callable[[], list[Item]]] = {
    "/compute/v2.1/servers/detail": lambda: list(map(server_of, account().instances)),
    "/network/v2.0/ports": lambda: list(map(port_of, account().ports)),
    "/network/v2.0/security-groups": lambda: list(map(group_of, account().groups)),
    "/network/v2.0/security-group-rules": lambda: list(map(rule_of, account().rules)),
    "/network/v2.0/networks": lambda: [{"id": "n-1", "name": "network", "project_id": "t-1"}],
    "/network/v2.0/subnets": lambda: [{"id": "s-1", "network_id": "n-1", "cidr": "10.0.0.0/8"}],
    "/network/v2.0/rbac-policies": list,
    "/network/v2.0/floatingips": list,
}


@cache
def account() -> Any:
    return inventory(INSTANCES, INSTANCES // 5, 2 * INSTANCES)


@cache
def listed(path: str) -> list[Item]:
    return LISTS[path]()


def page(url: str, path: str, query: dict[str, list[str]]) -> Item:
    """A list from its marker on; Neutron and Nova write the address of the next page alike."""
    items, key = listed(path), "servers" if path.endswith("detail") else path.rpartition("/")[2].replace("-", "_")
    limit, marker = int(query.get("limit", ["1000"])[0]), query.get("marker")
    start = next((n + 1 for n, item in enumerate(items) if marker and item["id"] == marker[0]), 0)
    found = items[start : start + limit]
    more = start + limit < len(items)
    links = [{"rel": "next", "href": f"{url}{path}?limit={limit}&marker={found[-1]['id']}"}] if more else []
    return {key: found, f"{key}_links": links}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path in LISTS:
            self._answer(page(self._url, parts.path, parse_qs(parts.query)))
        elif parts.path.endswith("/projects"):
            self._answer({"projects": [PROJECT]})
        elif parts.path.startswith("/compute"):
            href = f"{self._url}/compute/v2.1/"
            version = {"id": "v2.1", "status": "CURRENT", "version": "2.96", "min_version": "2.1"}
            self._answer({"version": version | {"links": [{"rel": "self", "href": href}]}})
        elif parts.path.startswith("/network"):
            href = f"{self._url}/network/v2.0/"
            version = {"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": href}]}
            self._answer({"versions": [version]})
        else:
            version = {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": f"{self._url}/v3/"}]}
            self._answer({"version": version})

    def do_POST(self) -> None:
        """Anybody may log in."""
        self.rfile.read(int(self.headers["Content-Length"]))
        services = {"compute": "/compute/v2.1", "network": "/network", "identity": "/v3"}
        catalog = [
            {
                "type": kind,
                "name": kind,
                "endpoints": [
                    {"interface": "public", "region_id": "one", "region": "one", "url": self._url + path}
                ],
            }
            for kind, path in services.items()
        ]
        user = {"id": "u-1", "name": "admin", "domain": {"id": "default", "name": "Default"}}
        token = {"methods": ["password"], "expires_at": "2099-01-01T00:00:00Z", "user": user}
        scoped = {"project": PROJECT | {"domain": {"id": "default"}}, "catalog": catalog, "roles": []}
        self._answer({"token": token | scoped}, 201, {"X-Subject-Token": "token"})

    @property
    def _url(self) -> str:
        return f"http://{self.headers['Host']}"

    def _answer(self, body: Item, status: int = 200, headers: dict[str, str] | None = None) -> None:
        sent = orjson.dumps(body)
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """The bench prints figures, not requests."""


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    for path in LISTS:
        listed(path)  # so that making the account takes none of the refresh's time
    Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201
    sys.stdin.read()


if __name__ == "__main__":
    main()
