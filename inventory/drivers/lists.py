"""Detects endless lists: a server that always names another page would block a worker for ever."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from inventory.drivers import messages
from inventory.drivers.exceptions import AnswerTooLarge, CloudRefused
from inventory.drivers.values import Connection

#: Maximum number of empty pages in a row; EC2 may return some with filters.
EMPTY_PAGES = 100


class Pages:
    """Watches the pages of one list, and raises if it is endless."""

    def __init__(self, key: str, connection: Connection) -> None:
        self._key = key
        self._most = connection.list_size
        self._known: set[Hashable] = set()
        self._markers: set[str] = set()
        self._size = self._empty = 0

    def turn(self, ids: Sequence[Hashable], marker: str | None) -> None:
        """Check a page of things with these ids (None if unknown), and the `marker` of the next page."""
        self._size += len(ids)
        if self._size > self._most:
            raise AnswerTooLarge(messages.list_too_long(self._key, self._most))
        self._empty = 0 if ids else self._empty + 1
        is_repeated = bool(ids) and self._known.issuperset(ids)
        if is_repeated or marker in self._markers:
            raise CloudRefused(messages.repeated_page(self._key))
        if marker and self._empty > EMPTY_PAGES:
            raise CloudRefused(messages.empty_pages(self._key, self._empty))
        self._known.update(identifier for identifier in ids if identifier is not None)
        self._markers.update(filter(None, [marker]))
