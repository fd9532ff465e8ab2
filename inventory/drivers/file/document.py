"""The format of an exported inventory, version 1: JSON, with the attributes of the drivers' values.

    {"portcullis": 1,
     "tenants": [{"ref": "t-1", "name": "acme", "description": null}, ...],
     "networks": [...], "groups": [...], "rules": [...], "instances": [...], "ports": [...]}

What is left out is as in the values. What this version does not know is refused, because it would be lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
import orjson
from msgspec import Meta, Struct

from inventory.drivers import values
from inventory.drivers.failures import CloudRefused

VERSION = 1

# Texts as a database takes them: PostgreSQL none with a NUL.
_TEXT = r"^[^\x00]*$"
Ref = Annotated[str, Meta(min_length=1, max_length=255, pattern=_TEXT)]
Name = Annotated[str, Meta(max_length=255, pattern=_TEXT)]
Text = Annotated[str, Meta(pattern=_TEXT)]
Word = Annotated[str, Meta(max_length=64, pattern=_TEXT)]
Short = Annotated[str, Meta(max_length=32, pattern=_TEXT)]
Number = Annotated[int, Meta(ge=-1, le=65535)]


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """One thing of the inventory, in the order of the attributes of its value."""

    ref: Ref


class Tenant(Entry, frozen=True):
    name: Name
    description: Text | None = None


class Network(Entry, frozen=True):
    name: Name
    cidr: Word | None = None
    tenant_ref: Ref | None = None


class Group(Entry, frozen=True):
    name: Name
    description: Text | None = None
    tenant_ref: Ref | None = None
    network_ref: Ref | None = None
    stateful: bool = True
    shared_with: tuple[Ref, ...] = ()


class Rule(Entry, frozen=True):
    group_ref: Ref
    direction: values.Direction
    network_protocol: Literal["IPV4", "IPV6"] | None = None
    host_protocol: Short | None = None
    port: Number | None = None
    end_port: Number | None = None
    source_ip_range: Name | None = None
    source_group_ref: Ref | None = None
    description: Text | None = None


class Instance(Entry, frozen=True):
    name: Name
    power_state: values.PowerState
    raw_power_state: Word
    tenant_ref: Ref | None = None
    flavor_name: Name | None = None
    availability_zone_name: Name | None = None
    location: Name | None = None
    description: Text | None = None


class Port(Entry, frozen=True):
    name: Name | None = None
    instance_ref: Ref | None = None
    tenant_ref: Ref | None = None
    network_ref: Ref | None = None
    mac_address: Short | None = None
    status: Word | None = None
    ip_addresses: tuple[Name, ...] = ()
    group_refs: tuple[Ref, ...] = ()
    port_security_enabled: bool = True
    revision: Name | None = None


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file, in the order of the parts of `values.Inventory`."""

    portcullis: Literal[1]
    tenants: tuple[Tenant, ...] = ()
    networks: tuple[Network, ...] = ()
    groups: tuple[Group, ...] = ()
    rules: tuple[Rule, ...] = ()
    instances: tuple[Instance, ...] = ()
    ports: tuple[Port, ...] = ()


#: The parts of an inventory, in the order of the file, and what they are to become.
PARTS: Mapping[str, type[Any]] = {
    "tenants": values.Tenant,
    "networks": values.Network,
    "groups": values.Group,
    "rules": values.Rule,
    "instances": values.Instance,
    "ports": values.Port,
}


def loaded(content: bytes, name: str) -> values.Inventory:
    """The inventory in a file of this name; `CloudRefused` says which entry is wrong if it is none."""
    try:
        document = msgspec.json.decode(content, type=Document)
    except msgspec.ValidationError as error:
        raise CloudRefused(f"The file {name} is no inventory of version {VERSION}: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CloudRefused(f"The file {name} is no JSON: {error}") from error
    parts: dict[str, Sequence[Entry]] = {part: getattr(document, part) for part in PARTS}
    for part, entries in parts.items():
        if twice := _first_repeated(entries):
            raise CloudRefused(f"The file {name} has two {part} with the ref {twice}.")
    return values.Inventory(
        **{
            part: tuple(PARTS[part](**msgspec.structs.asdict(entry)) for entry in entries)
            for part, entries in parts.items()
        }
    )


def _first_repeated(entries: Iterable[Entry]) -> str | None:
    seen: set[str] = set()
    for entry in entries:
        if entry.ref in seen:
            return entry.ref
        seen.add(entry.ref)
    return None


def dumped(parts: Mapping[str, Iterable[object]]) -> Iterator[bytes]:
    """The file of these values, in pieces: an entry a line, so that two exports can be compared line by line."""
    yield b'{"portcullis":%d' % VERSION
    for part in PARTS:
        yield b',\n"%s":[' % part.encode()
        separator = b"\n"
        for entry in parts[part]:
            yield separator + orjson.dumps(entry)
            separator = b",\n"
        yield b"]"
    yield b"}\n"
