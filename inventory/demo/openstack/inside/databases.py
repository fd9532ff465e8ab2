"""`databases.py SERVICE KEYSTONE_URL` creates the tables of a service, with the rows that it needs to start."""

import grp
import os
import pwd
import shutil
import sqlite3
import sys
from pathlib import Path

STATE = Path(os.environ["PLANE_STATE"])
ETC, DATABASES = STATE / "etc", STATE / "db"


def keystone(url):
    from keystone.cmd import cli
    from oslo_config import cfg

    user = pwd.getpwuid(os.getuid()).pw_name
    owner = ["--keystone-user", user, "--keystone-group", grp.getgrgid(os.getgid()).gr_name]
    region = ["--bootstrap-region-id", "RegionOne", "--bootstrap-public-url", url]
    for folder in ("fernet", "credential"):
        (STATE / folder).mkdir(exist_ok=True)
    for command in (
        ["db_sync"],
        ["fernet_setup", *owner],
        ["credential_setup", *owner],
        ["bootstrap", "--bootstrap-password", "admin", *region],
    ):
        cli.main(["keystone-manage", "--config-file", f"{ETC}/keystone.conf", *command])
        cfg.CONF.reset()


def placement(url):
    from placement.cmd import manage

    sys.argv = ["placement-manage", "--config-file", f"{ETC}/placement.conf", "db", "sync"]
    manage.main()


def glance(url):
    from glance.cmd import manage

    sys.argv = ["glance-manage", "--config-file", f"{ETC}/glance-api.conf", "db_sync"]
    manage.main()


def neutron(url):
    """Create the tables from the models, because the migrations alter constraints, which SQLite can't."""
    from neutron.db.migration.models import head
    from oslo_utils.uuidutils import generate_uuid
    from sqlalchemy import create_engine

    tables = head.get_metadata()
    with create_engine(f"sqlite:///{DATABASES}/neutron.db").begin() as connection:
        tables.create_all(connection)
        # The only rows that a migration inserts: the default rules of new groups.
        resources, rules = tables.tables["standardattributes"], tables.tables["securitygroupdefaultrules"]
        for direction in ("egress", "ingress"):
            for family in ("IPv4", "IPv6"):
                resource = {"resource_type": "securitygroupdefaultrules", "revision_number": 0}
                result = connection.execute(resources.insert().values(**resource))
                rule = {
                    "id": generate_uuid(),
                    "standard_attr_id": result.inserted_primary_key[0],
                    "direction": direction,
                    "ethertype": family,
                    # Only the default group has inbound rules, which allow its own members.
                    "remote_group_id": "PARENT" if direction == "ingress" else None,
                    "used_in_default_sg": True,
                    "used_in_non_default_sg": direction == "egress",
                }
                connection.execute(rules.insert().values(**rule))


def _nova():
    """Initialize Nova as its own commands do."""
    from nova import monkey_patch

    monkey_patch.patch(backend="threading")
    sys.argv = ["nova-manage"]
    from nova import config, objects

    config.parse_args(sys.argv, default_config_files=[f"{ETC}/nova.conf"])
    objects.register_all()


def _make_cell(name, uuid, database, transport):
    from nova import context, objects

    objects.CellMapping(
        context.get_admin_context(),
        uuid=uuid,
        name=name,
        database_connection=f"sqlite:///{DATABASES}/{database}.db?timeout=60",
        transport_url=transport,
    ).create()


def nova(url):
    _nova()
    from nova import objects
    from nova.db import migration
    from oslo_utils.uuidutils import generate_uuid

    migration.db_sync(database="api")
    migration.db_sync(database="main")
    # cell0, for servers that were never scheduled, has the same tables.
    shutil.copy(DATABASES / "nova.db", DATABASES / "nova_cell0.db")
    _make_cell("cell0", objects.CellMapping.CELL0_UUID, "nova_cell0", "none:///")
    _make_cell("cell1", generate_uuid(), "nova", "fake:///")


def cell(url):
    """Add a cell that is always down, because its database has no tables. Tests put servers into it."""
    _nova()
    from oslo_utils.uuidutils import generate_uuid

    _make_cell("down", generate_uuid(), "cell_down", "none:///")


SERVICES = {
    "cell": cell,
    "keystone": keystone,
    "placement": placement,
    "glance": glance,
    "neutron": neutron,
    "nova": nova,
}


def main():
    service, url = sys.argv[1:]
    for leftover in DATABASES.glob(f"{service}*.db*"):
        leftover.unlink()
    SERVICES[service](url)
    for file in DATABASES.glob(f"{service}*.db"):
        connection = sqlite3.connect(file)
        connection.execute("PRAGMA journal_mode = WAL")  # readers and a writer at the same time
        connection.close()


main()
