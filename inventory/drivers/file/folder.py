"""Reading a file from one folder, and nothing else, because users choose the name."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from django.conf import settings

from inventory.drivers.endpoints import FILE_URL, without_credentials
from inventory.drivers.exceptions import CloudRefused

#: Maximum size of a file in bytes. 10,000 instances with 20,000 rules take ten million.
MAX_SIZE = settings.INVENTORY_FILE_LIMIT << 20


def file_named(url: str | None) -> str:
    """The file name in a provider's URL. Raises `CloudRefused` for any other URL."""
    match = FILE_URL.fullmatch(url or "")
    if match is None:
        given = without_credentials(str(url))
        raise CloudRefused(f"The provider's URL must name an exported inventory (file:///name.json): {given}")
    return match[1]


def content_of(folder: Path, name: str) -> bytes:
    """The content of the file with this name, which has no slash. Raises `CloudRefused` if it can't be read.

    Links are not followed, and only regular files are read.
    """
    try:
        with open(folder / name, "rb", opener=_opened) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise CloudRefused(f"{name} is not a regular file.")
            content = file.read(MAX_SIZE + 1)
    except FileNotFoundError as error:
        raise CloudRefused(f"There is no file {name} in the folder of inventories.") from error
    except OSError as error:
        # Without the error's text, which has the path.
        raise CloudRefused(f"The file {name} can't be read, or is a link or a folder.") from error
    if len(content) > MAX_SIZE:
        raise CloudRefused(f"The file {name} is larger than {MAX_SIZE >> 20} MiB.")
    return content


def _opened(path: str, flags: int) -> int:
    """Open without following links, and without blocking on a pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
