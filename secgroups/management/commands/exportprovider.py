"""Export the inventory of a provider, for a provider of type `file`."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandError

from inventory.drivers.file.document import dumped
from secgroups import messages
from secgroups.export import exported
from secgroups.management.named import provider_named


class Command(BaseCommand):
    help = "Exports the inventory of a provider as JSON, without its credentials and without asking its cloud."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("provider", help="name or id of the provider")
        parser.add_argument("--output", type=Path, metavar="FILE", help="file to write (default: standard output)")

    def handle(self, *, provider: str, output: Path | None, **options: Any) -> None:
        pieces = dumped(exported(provider_named(provider)))
        if output is None:
            for piece in pieces:
                self.stdout.write(piece.decode(), ending="")
            return
        try:
            with _replacing(output) as file:
                file.writelines(pieces)
        except OSError as error:
            raise CommandError(messages.unwritable(output, error.strerror)) from error


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that replaces this path once it is complete. Until then, readers see the old one."""
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with open(draft, "xb", opener=_private) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    """An inventory tells an attacker which instances can be reached."""
    return os.open(path, flags, 0o600)
