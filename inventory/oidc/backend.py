"""The backend of sessions that began with a login through the provider."""

from __future__ import annotations

from typing import Any

from inventory.accounts import AccountBackend


class OidcBackend(AccountBackend):
    """Knows these users, and no password. Without it in the settings Django ends their sessions."""

    def authenticate(self, request: Any, **credentials: Any) -> None:  # type: ignore[override]
        return None
