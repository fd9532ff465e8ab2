"""Generates missing keys once, in files that only their owner can read, and checks given ones."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured


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


def fernet_keys(text: str) -> list[str]:
    """The keys in a comma-separated list. Raises `ImproperlyConfigured`, without the text, if one is none."""
    keys = [key for part in text.split(",") if (key := part.strip())]
    try:
        for key in keys:
            Fernet(key)
    except ValueError:
        keys = []
    if not keys:
        raise ImproperlyConfigured(
            "CREDENTIALS_KEY is invalid: each key must be 32 bytes in URL-safe Base64, as docs/keys.md says."
        ) from None
    return keys
