"""The addresses of ports as rows that indexes find, maintained by triggers for every writer."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

from django.db.backends.signals import connection_created
from django.dispatch import receiver

from inventory.db.triggers import TriggerOperation, Triggers

#: The table of `inventory.models.PortAddress`.
_ADDRESSES = "inventory_portaddress"
#: The columns of ports that it is made from.
_COLUMNS = ("ipaddresses", "public_ipaddresses", "allowed_address_pairs")
_FIRST, _LAST = "portcullis_first_address", "portcullis_last_address"
_FAMILIES = {4: b"\x04", 6: b"\x06"}

# Not in Python, because ports are written in several places, and in bulk.
_FUNCTIONS = (
    """
    CREATE FUNCTION {table}_inet(address text) RETURNS inet LANGUAGE plpgsql IMMUTABLE STRICT AS $$
    BEGIN
        RETURN address::inet;
    EXCEPTION WHEN invalid_text_representation THEN
        RETURN NULL;
    END $$
    """,
    r"""
    CREATE FUNCTION {table}_bytes(address inet) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS $$
        SELECT CASE family(address) WHEN 4 THEN '\x04'::bytea ELSE '\x06'::bytea END
            || substring(inet_send(address) FROM 5)
    $$
    """,
)
_TRIGGER = """
    IF TG_OP = 'UPDATE' THEN
        {delete};
    END IF;
    IF TG_OP = 'DELETE' THEN
        DELETE FROM {addresses} WHERE network_port_id IN (SELECT id FROM changed);
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO {addresses} (network_port_id, kind, first, last) {of_changed};
    ELSE
        {insert};
    END IF;
"""
#: The rows for ports. Only an allowed pair has more than one address.
_ROWS = {
    "postgresql": """
        SELECT id, kind, {table}_bytes(network(address)::inet),
            {table}_bytes(CASE kind WHEN 'pair' THEN broadcast(address) ELSE network(address)::inet END)
        FROM (
            SELECT port.id, CASE WHEN port.public_ipaddresses ? text THEN 'translated' ELSE 'own' END AS kind,
                {table}_inet(text) AS address
            FROM {ports} AS port CROSS JOIN jsonb_array_elements_text(port.ipaddresses) AS text
            UNION ALL
            SELECT port.id, 'pair', {table}_inet(text)
            FROM {ports} AS port CROSS JOIN jsonb_array_elements_text(port.allowed_address_pairs) AS text
        ) AS addresses
    """,
    "sqlite": """
        SELECT port.id,
            CASE WHEN each.value IN (SELECT value FROM json_each(port.public_ipaddresses))
            THEN 'translated' ELSE 'own' END,
            {first}(each.value), {first}(each.value)
        FROM {ports} AS port, json_each(port.ipaddresses) AS each
        UNION ALL
        SELECT port.id, 'pair', {first}(each.value), {last}(each.value)
        FROM {ports} AS port, json_each(port.allowed_address_pairs) AS each
    """,
}


class KeepAddresses(TriggerOperation):
    """Make the rows of `PortAddress` for the table of ports, and keep them right."""

    def create(self, vendor: str, table: str) -> Iterable[str]:
        triggers = Triggers(table, "addresses")
        yield from self.drop(vendor, table)
        if vendor == "postgresql":
            yield from (function.format(table=table) for function in _FUNCTIONS)
            yield triggers.function(_filled(_TRIGGER, vendor, table))
            yield from triggers.for_statements("INSERT", "DELETE")
            yield triggers.for_updates_of(_COLUMNS)
        else:
            insert, delete = _filled("{insert}", vendor, table), _filled("{delete}", vendor, table)
            yield triggers.on_sqlite("INSERT", insert)
            yield triggers.on_sqlite("DELETE", delete)
            yield triggers.on_sqlite("UPDATE", f"{delete}; {insert}", _COLUMNS)
        yield f"DELETE FROM {_ADDRESSES}"  # nosec B608  # noqa: S608 - only the name of a table is put in
        yield f"INSERT INTO {_ADDRESSES} (network_port_id, kind, first, last) {_rows(vendor, table, table)}"  # nosec B608

    def drop(self, vendor: str, table: str) -> Iterable[str]:
        yield from Triggers(table, "addresses").dropped(vendor)
        if vendor == "postgresql":
            yield f"DROP FUNCTION IF EXISTS {table}_bytes"
            yield f"DROP FUNCTION IF EXISTS {table}_inet"


def _filled(statement: str, vendor: str, table: str) -> str:
    one = f"(SELECT * FROM {table} WHERE id = NEW.id)"  # nosec B608  # noqa: S608 - only the name of a table is put in
    return statement.format(
        table=table,
        addresses=_ADDRESSES,
        of_changed=_rows(vendor, table, "changed"),
        insert=f"INSERT INTO {_ADDRESSES} (network_port_id, kind, first, last) {_rows(vendor, table, one)}",  # nosec B608
        delete=f"DELETE FROM {_ADDRESSES} WHERE network_port_id = OLD.id",  # nosec B608  # noqa: S608 - as above
    )


def _rows(vendor: str, table: str, ports: str) -> str:
    return _ROWS[vendor].format(table=table, ports=ports, first=_FIRST, last=_LAST)


def address_bytes(address: IPv4Address | IPv6Address) -> bytes:
    """An address as the table has it: the version and the address, so IPv4 comes first."""
    return _FAMILIES[address.version] + address.packed


def _bounds(text: object) -> tuple[bytes | None, bytes | None]:
    """The first and the last address of a CIDR or an address; None if the text is neither, as in PostgreSQL."""
    address, _, prefix = str(text).partition("/")
    try:
        # Python also takes masks with dots, and addresses with a scope.
        if "%" in address or not (prefix or "0").isdecimal():
            return None, None
        network = ip_network(str(text), strict=False)
    except ValueError:
        return None, None
    return address_bytes(network[0]), address_bytes(network[-1])


@receiver(connection_created)
def add_functions(connection: Any, **kwargs: Any) -> None:
    """Add the functions that the triggers call to a connection to SQLite."""
    if connection.vendor == "sqlite":
        connection.connection.create_function(_FIRST, 1, lambda text: _bounds(text)[0], deterministic=True)
        connection.connection.create_function(_LAST, 1, lambda text: _bounds(text)[1], deterministic=True)
