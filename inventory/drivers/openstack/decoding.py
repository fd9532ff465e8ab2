"""Decodes the JSON of good answers. Raises `ForeignAnswer` for anything else."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from requests import Response

from inventory.drivers.answers import parses_answer

Item = dict[str, Any]


@parses_answer
def item(response: Response, key: str) -> Item:
    """The thing under `key`."""
    return identified(response.json()[key])


class Page(NamedTuple):
    """A page of a list, and the marker of the next one. `is_cut` if the cloud omits the rest."""

    things: list[Item]
    marker: str | None
    is_cut: bool


@parses_answer
def page(response: Response, key: str) -> Page:
    """The list of things under `key`. Keystone says if it cuts the list at its `list_limit`.

    The boundary checks the things, including their ids, so one malformed thing doesn't spoil the others.
    """
    body = response.json()
    items = body[key]
    if not isinstance(items, list):
        raise TypeError(key)
    links = body.get(f"{key}_links") or ()
    next_hrefs = [link["href"] for link in links if link["rel"] == "next"]
    # Only use the marker. Behind a proxy, the host of the address may be unreachable.
    marker = dict(parse_qsl(urlsplit(next_hrefs[0]).query))["marker"] if next_hrefs else None
    return Page(list(map(_thing, items)), marker, is_cut=bool(body.get("truncated")))


@parses_answer
def nothing(response: Response) -> Item:
    """Check the answer to a deletion. An empty answer comes from Neutron, because a proxy would send a page."""
    if response.status_code != HTTPStatus.NO_CONTENT or response.content:
        raise ValueError("no content expected")
    return {}


@parses_answer
def identified(value: Any) -> Item:
    """Require that a thing has an id."""
    if not isinstance(_thing(value)["id"], str) or not value["id"]:
        raise TypeError("a thing with its id expected")
    return _thing(value)


def _thing(value: Any) -> Item:
    if not isinstance(value, dict) or "id" not in value:
        raise TypeError("a thing expected")
    return value
