"""What the demonstration connects: an account at some cloud, in which the company is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Account:
    """`attributes` are those of a provider; `told` says what kind of cloud is at its `url`."""

    attributes: Mapping[str, Any]
    told: str

    @property
    def url(self) -> str:
        return str(self.attributes["url"])
