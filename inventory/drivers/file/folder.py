"""Reading a file of one folder, and never anything else: who connects a provider chooses the name."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from django.conf import settings

from inventory.drivers.endpoints import FILE_URL
from inventory.drivers.exceptions import CloudRefused

#: Most bytes of a file. 10,000 instances with 20,000 rules take ten million.
MAX_SIZE = settings.INVENTORY_FILE_LIMIT << 20


def file_named(url: str | None) -> str:
    """The name of the file that a provider's URL means; `CloudRefused` for any other URL."""
    found = FILE_URL.fullmatch(url or "")
    if found is None:
        raise CloudRefused(f"The provider's URL must name an exported inventory (file:///name.json): {url}")
    return found[1]


def content_of(folder: Path, name: str) -> bytes:
    """What is in the file of this name, which has no slash; `CloudRefused` if that can't be had.

    A link is not followed, wherever it leads, and nothing else than a regular file is read.
    """
    try:
        with open(folder / name, "rb", opener=_opened) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise CloudRefused(f"{name} is not a regular file.")
            content = file.read(MAX_SIZE + 1)
    except FileNotFoundError as error:
        raise CloudRefused(f"There is no file {name} in the folder of inventories.") from error
    except OSError as error:
        # Not its own words: they have the path.
        raise CloudRefused(f"The file {name} can't be read, or is a link or a folder.") from error
    if len(content) > MAX_SIZE:
        raise CloudRefused(f"The file {name} is larger than {MAX_SIZE >> 20} MiB.")
    return content


def _opened(path: str, flags: int) -> int:
    """Without following a link, and without waiting for whoever writes to a pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
