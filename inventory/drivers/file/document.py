"""The format of an exported inventory, version 1: JSON, with the attributes of the drivers' values.

    {"portcullis": 1,
     "tenants": [{"ref": "t-1", "name": "acme", "description": null}, ...],
     "networks": [...], "groups": [...], "rules": [...], "instances": [...], "ports": [...],
     "address_lists": [...]}

Missing attributes have the defaults of the values. Unknown keys are refused, because they would be lost.
`boundary` checks later whether the values fit, as for every driver.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, Literal, get_type_hints

import msgspec
import orjson
from msgspec import Struct, defstruct

from inventory.drivers import values
from inventory.drivers.boundary import PARTS
from inventory.drivers.exceptions import CloudRefused

VERSION = 1


def _entry(kind: type[Any]) -> type[Struct]:
    """The format of an entry that is read as a value of this type."""
    types = get_type_hints(kind)
    struct_fields: list[Any] = [
        (field.name, types[field.name], *([] if field.default is MISSING else [field.default]))
        for field in fields(kind)
    ]
    return defstruct(kind.__name__, struct_fields, frozen=True, forbid_unknown_fields=True)


#: The whole file, in the order of the parts of `values.Inventory`.
Document = defstruct(
    "Document",
    [("portcullis", Literal[1]), *((part, tuple[_entry(kind), ...], ()) for part, kind in PARTS.items())],  # type: ignore[misc]
    frozen=True,
    forbid_unknown_fields=True,
)


def loaded(content: bytes, name: str) -> values.Inventory:
    """Parse the content of a file. Raises `CloudRefused`, which names the invalid entry."""
    try:
        document = msgspec.json.decode(content, type=Document)
    except msgspec.ValidationError as error:
        raise CloudRefused(f"The file {name} is not an inventory of version {VERSION}: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CloudRefused(f"The file {name} is not valid JSON: {error}") from error
    parts: dict[str, Sequence[Any]] = {part: getattr(document, part) for part in PARTS}
    for part, entries in parts.items():
        if ref := _first_repeated(entries):
            raise CloudRefused(f"The file {name} has two {part} with the ref {ref}.")
    converted: dict[str, Any] = {
        part: tuple(PARTS[part](**msgspec.structs.asdict(entry)) for entry in entries)
        for part, entries in parts.items()
    }
    return values.Inventory(**converted)


def _first_repeated(entries: Iterable[Any]) -> str | None:
    seen: set[str] = set()
    for entry in entries:
        if entry.ref in seen:
            return str(entry.ref)
        seen.add(entry.ref)
    return None


def dumped(parts: Mapping[str, Iterable[object]]) -> Iterator[bytes]:
    """The file in pieces, an entry per line, so that two exports can be compared line by line."""
    yield b'{"portcullis":%d' % VERSION
    for part in PARTS:
        yield b',\n"%s":[' % part.encode()
        separator = b"\n"
        for entry in parts[part]:
            yield separator + orjson.dumps(entry)
            separator = b",\n"
        yield b"]"
    yield b"}\n"
