"""How edits of groups and rules are told to a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Verb = Literal["create", "edit", "delete"]
#: Of each verb: under way, and done.
WORDS: Mapping[Verb, tuple[str, str]] = {
    "create": ("Creating", "Created"),
    "edit": ("Editing", "Edited"),
    "delete": ("Deleting", "Deleted"),
}
PREPOSITIONS: Mapping[str, str] = {"inbound": "from", "outbound": "to"}


def cannot(verb: Verb, subject: str) -> str:
    return f"Cannot {verb} {subject}"


def group_called(name: str) -> str:
    return f"security group {name}"


def rule_called(
    group: str,
    direction: str,
    *,
    protocol: str | None,
    port: int | None,
    end_port: int | None,
    source: str | None,
) -> str:
    """A rule as `rule inbound tcp 80-81 from 10.0.0.0/8 of security group web`."""
    ports = "" if port is None else f" {port}" if end_port in {None, port} else f" {port}-{end_port}"
    reach = f"{direction} {protocol or 'any'}{ports} {PREPOSITIONS[direction]} {source or 'any'}"
    return f"rule {reach} of {group_called(group)}"
