"""The configuration files of the services."""

from __future__ import annotations

from collections.abc import Mapping
from configparser import RawConfigParser
from pathlib import Path
from typing import NamedTuple

HOST = "127.0.0.1"
REGION = "RegionOne"
#: The owner of everything, and the account that the services use. On loopback, this is no secret.
ADMIN, ADMIN_PASSWORD = "admin", "admin"
SERVICE, SERVICE_PASSWORD = "service", "service"

#: The services with their usual ports, in the order of their dependencies.
PORTS = {"keystone": 5000, "placement": 8778, "neutron": 9696, "glance": 9292, "nova": 8774}

_UNLIMITED = (
    "network", "subnet", "port", "security_group", "security_group_rule", "rbac_policy", "router", "floatingip",
)  # fmt: skip

Sections = Mapping[str, Mapping[str, object]]


class Layout(NamedTuple):
    """The paths and ports of a control plane.

    `ovn` is the folder of OVN's sockets, `nb.sock` and `sb.sock`, if Neutron writes there as well.
    """

    state: Path
    #: The packages' own files, `<venv>/etc`.
    packaged: Path
    ports: Mapping[str, int]
    ovn: Path | None = None

    def url(self, service: str, path: str = "") -> str:
        return f"http://{HOST}:{self.ports[service]}{path}"

    @property
    def etc(self) -> Path:
        return self.state / "etc"

    def database(self, name: str) -> str:
        return f"sqlite:///{self.state / 'db' / name}.db?timeout=60"


def write(layout: Layout) -> None:
    """Write the files of every service."""
    for name, sections in _services(layout).items():
        parser = RawConfigParser(default_section="")  # `DEFAULT` is a section as any other
        parser.read_dict(sections)
        with (layout.etc / f"{name}.conf").open("w") as file:
            parser.write(file)
    paste_files = {
        "neutron-paste.ini": "neutron/api-paste.ini",
        "api-paste.ini": "nova/api-paste.ini",  # Nova expects this name beside its configuration
        "glance-paste.ini": "glance/glance-api-paste.ini",
    }
    for target, source in paste_files.items():
        (layout.etc / target).write_bytes((layout.packaged / source).read_bytes())


def _services(layout: Layout) -> Mapping[str, Sections]:
    return {
        "keystone": _keystone(layout),
        "placement": _placement(layout),
        "neutron": _neutron(layout),
        "glance-api": _glance(layout),
        "nova": _nova(layout),
    }


def _keystone(layout: Layout) -> Sections:
    return {
        "DEFAULT": {"use_stderr": True},
        "database": _database(layout, "keystone"),
        "token": {"provider": "fernet", "expiration": 86400},
        "fernet_tokens": {"key_repository": layout.state / "fernet"},
        "credential": {"key_repository": layout.state / "credential"},
        "identity": {"password_hash_rounds": 4},  # nosec B105  # bcrypt's minimum, no password
        "oslo_messaging_notifications": {"driver": "noop"},
    }


def _placement(layout: Layout) -> Sections:
    return _common(layout) | {
        "api": {"auth_strategy": "keystone"},
        "placement_database": _database(layout, "placement"),
    }


def _neutron(layout: Layout) -> Sections:
    return _common(layout) | {
        "DEFAULT": {
            "use_stderr": True,
            "core_plugin": "ml2",
            "service_plugins": "router",  # for floating addresses
            "api_paste_config": layout.etc / "neutron-paste.ini",
            "state_path": layout.state / "neutron",
            "transport_url": "fake:///",
            "rpc_workers": 0,
            # There are no agents.
            "dhcp_agent_notification": False,
            "notify_nova_on_port_status_changes": False,
            "notify_nova_on_port_data_changes": False,
        },
        "database": _database(layout, "neutron"),
        "ml2": {
            "type_drivers": "local,flat,vxlan",
            "tenant_network_types": "vxlan",
            # `bound` is inside/binding.py. OVN leaves the ports to it, because there is no chassis.
            "mechanism_drivers": "ovn,bound" if layout.ovn else "bound",
            "extension_drivers": "port_security",
        },
        "ml2_type_vxlan": {"vni_ranges": "1:100000"},
        "ovn": {f"ovn_{name}_connection": f"unix:{layout.ovn}/{name}.sock" for name in ("nb", "sb") if layout.ovn},
        "securitygroup": {"enable_security_group": True},
        # No quotas. Tests set them if they need one.
        "quotas": {f"quota_{name}": -1 for name in _UNLIMITED},
    }


def _glance(layout: Layout) -> Sections:
    return _common(layout) | {
        "DEFAULT": {"use_stderr": True, "enabled_backends": "file:file", "enabled_import_methods": "[]"},
        "database": _database(layout, "glance"),
        "paste_deploy": {"flavor": "keystone", "config_file": layout.etc / "glance-paste.ini"},
        "glance_store": {"default_backend": "file"},
        "file": {"filesystem_store_datadir": layout.state / "images"},
        "os_glance_staging_store": {"filesystem_store_datadir": layout.state / "staging"},
        "os_glance_tasks_store": {"filesystem_store_datadir": layout.state / "tasks"},
    }


def _nova(layout: Layout) -> Sections:
    return _common(layout) | {
        "DEFAULT": {
            "use_stderr": True,
            "host": "hypervisor",
            "my_ip": HOST,
            "compute_driver": "fake.FakeDriver",
            "transport_url": "fake:///",
            "state_path": layout.state / "nova",
            "instances_path": layout.state / "nova" / "instances",
            # Neutron doesn't report plugged ports.
            "vif_plugging_is_fatal": False,
            "vif_plugging_timeout": 0,
            "enabled_apis": "osapi_compute",
        },
        "api_database": _database(layout, "nova_api"),
        "database": _database(layout, "nova"),
        "conductor": {"workers": 1},
        "scheduler": {"workers": 1},
        "quota": {"instances": -1, "cores": -1, "ram": -1},
        "placement": _identity(layout) | {"valid_interfaces": "public"},
        "neutron": _identity(layout) | {"valid_interfaces": "public"},
        "glance": _identity(layout) | {"valid_interfaces": "public"},
        "service_user": _identity(layout) | {"send_service_user_token": True},  # nosec B105  # a flag
    }


def _common(layout: Layout) -> dict[str, Mapping[str, object]]:
    """The sections of all services except Keystone."""
    return {
        "DEFAULT": {"use_stderr": True},
        "keystone_authtoken": _identity(layout)
        | {
            "interface": "public",
            "www_authenticate_uri": layout.url("keystone", "/v3"),
            "service_token_roles": "service",  # nosec B105  # a role
            "service_token_roles_required": True,  # nosec B105  # a flag
        },
        "oslo_concurrency": {"lock_path": layout.state / "lock"},
        "oslo_messaging_notifications": {"driver": "noop"},
    }


def _identity(layout: Layout) -> dict[str, object]:
    """The options with which a service logs in to others."""
    return {
        "auth_type": "password",
        "auth_url": layout.url("keystone", "/v3"),
        "username": SERVICE,
        "password": SERVICE_PASSWORD,
        "project_name": SERVICE,
        "user_domain_id": "default",
        "project_domain_id": "default",
        "region_name": REGION,
    }


def _database(layout: Layout, name: str) -> dict[str, object]:
    # Data may be lost if the machine crashes. A new control plane would have the same.
    return {"connection": layout.database(name), "sqlite_synchronous": False}
