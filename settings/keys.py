"""Generates missing keys once, in files that only their owner can read."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile


def kept(path: Path, make: Callable[[], str]) -> str:
    """The key in this file, created if missing. Processes that start at the same time get the same key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        with NamedTemporaryFile("w", encoding="ascii", dir=path.parent) as draft:  # readable by its owner only
            draft.write(make())
            draft.flush()
            os.fsync(draft.fileno())
            with suppress(FileExistsError):  # another process was first, so use its key
                os.link(draft.name, path)
    return path.read_text(encoding="ascii").strip()
