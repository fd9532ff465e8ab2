"""A service's answer to each request."""

from __future__ import annotations

from dataclasses import dataclass

from inventory.models import Task


@dataclass(frozen=True, slots=True)
class Accepted:
    message: str
    task: Task


@dataclass(frozen=True, slots=True)
class Refused:
    message: str
