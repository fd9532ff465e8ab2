"""The service with no cloud in reach: whatever provider is tested, nobody is asked."""

from __future__ import annotations

import pytest

from inventory.drivers.values import Check
from inventory.services import verification


def cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer for every cloud."""
    told = (Check("list instances", True, "May list instances.", needed=True), Check("change", None, "Not known."))
    monkeypatch.setattr(verification, "_within", lambda seconds, call: told)
