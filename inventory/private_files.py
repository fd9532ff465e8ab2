"""The files of an installation, which nobody but their owner may read: database, keys, broker and locks.

The settings set the umask, so what a process writes is private. This is for files of earlier versions.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

#: The files that SQLite writes beside a database.
_BESIDE_SQLITE = ("", "-wal", "-shm", "-journal")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def exposed_files() -> Iterator[Path]:
    """The files and folders that others may read, write or enter. No links, nor what is not there."""
    for path in dict.fromkeys(_files()):
        try:
            mode = path.lstat().st_mode
        except OSError:
            continue
        if mode & _OTHERS and not stat.S_ISLNK(mode) and not mode & stat.S_ISVTX:  # not a shared folder like /tmp
            yield path


def make_private() -> list[Path]:
    """Make exposed files 0600, and folders 0700. Returns those that belong to somebody else."""
    return [path for path in exposed_files() if not _made_private(path)]


def _made_private(path: Path) -> bool:
    try:
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~_OTHERS)
    except OSError:
        return False
    return True


def _files() -> Iterator[Path]:
    database = settings.DATABASES["default"]
    if database["ENGINE"] == "inventory.db.sqlite":
        yield from (Path(f"{database['NAME']}{suffix}") for suffix in _BESIDE_SQLITE)
    yield settings.VAR
    yield from (entry for entry in _entries(settings.VAR) if not entry.is_dir())
    yield from _tree(settings.VAR / "broker")


def _tree(folder: Path) -> Iterator[Path]:
    yield folder
    for path, folders, files in os.walk(folder):
        yield from (Path(path, name) for name in (*folders, *files))


def _entries(folder: Path) -> Iterator[Path]:
    return folder.iterdir() if folder.is_dir() else iter(())
