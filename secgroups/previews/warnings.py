"""Warnings about what a change lets through or no longer does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from secgroups.messages import service_called
from secgroups.previews import messages
from secgroups.previews.values import LineEffect, PortPreview, Warned
from secgroups.traffic.addresses import FAMILIES, PUBLIC
from secgroups.traffic.difference import Openings
from secgroups.traffic.effective import Line

#: Every public address of each family.
_WORLD = tuple(PUBLIC & addresses for addresses in FAMILIES.values())


def effect_of(
    appear: Sequence[Line] = (),
    disappear: Sequence[Line] = (),
    *,
    after: Openings | None = None,
    has_connections: bool = True,
) -> LineEffect:
    """The effect of a change with its warnings.

    `after` is what is let through after the change, `has_connections` whether there may be connections before it.
    """
    warned = []
    if world := [line for line in appear if after and _lets_in_everybody(line, after)]:
        warned.append(Warned("open_to_world", messages.open_to_world(dict.fromkeys(map(_service, world)))))
    if disappear and has_connections:
        warned.append(Warned("connections_stay", messages.CONNECTIONS_STAY))
    if any(map(_is_unknown, (*appear, *disappear))):
        warned.append(Warned("unknown", messages.UNKNOWN_LINES))
    if not (appear or disappear):
        warned.append(Warned("no_effect", messages.NO_EFFECT))
    return LineEffect(appear, disappear, warned)


def about_ports(ports: Iterable[PortPreview], most_groups: int | None) -> list[Warned]:
    """`most_groups` is how many groups the cloud allows on a port, if it has a limit."""
    warned = []
    changed = [port for port in ports if port.before != port.after]
    if empty := [port.ref for port in changed if not port.after]:
        warned.append(Warned("no_group_left", messages.no_group_left(empty)))
    if most_groups is not None and (
        crowded := [port.ref for port in changed if len(port.after) > max(most_groups, len(port.before))]
    ):
        warned.append(Warned("limit", messages.too_many_groups(crowded, most_groups)))
    return warned


def _lets_in_everybody(line: Line, after: Openings) -> bool:
    """Whether a line opens its service to every public address of a family, by itself or with others."""
    if line.direction != "inbound" or line.addresses is None:
        return False
    return any(line.addresses & world and replace(line, addresses=world) in after for world in _WORLD)


def _is_unknown(line: Line) -> bool:
    return line.addresses is None or line.service.range() is None


def _service(line: Line) -> str:
    return service_called(*line.service)
