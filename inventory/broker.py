"""The embedded broker: Celery's filesystem transport, with atomic messages."""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic_ns
from typing import Any
from uuid import uuid4

from kombu.transport import filesystem
from kombu.utils.encoding import str_to_bytes
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        Path(self.data_folder_out).mkdir(mode=0o700, parents=True, exist_ok=True)

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        """Write a draft and rename it. The stock channel lets readers see half a file."""
        name = f"{monotonic_ns() // 1_000_000}_{uuid4()}"
        draft = Path(self.data_folder_out, f"{name}.draft")
        draft.write_bytes(str_to_bytes(dumps(payload)))
        os.replace(draft, draft.with_name(f"{name}.{queue}.msg"))


class Transport(filesystem.Transport):
    Channel = Channel
