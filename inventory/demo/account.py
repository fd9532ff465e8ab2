"""The cloud account of the company, which the demonstration connects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Account:
    """`attributes` are for the provider. `told` describes the cloud at its `url`."""

    attributes: Mapping[str, Any]
    told: str

    @property
    def url(self) -> str:
        return str(self.attributes["url"])
