"""What the settings say about the OpenID Connect provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast
from urllib.parse import urlsplit

from django.conf import settings

from inventory.drivers.endpoints import is_loopback


@dataclass(frozen=True, slots=True)
class Configuration:
    """The provider, and what its claims mean here. `docs/settings.md` describes each variable."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    #: What the login pages call it.
    name: str
    scopes: tuple[str, ...]
    username_claim: str
    groups_claim: str
    #: Groups here by their value in the claim. None stands for all groups, by their own names.
    groups: Mapping[str, str] | None = field(hash=False)
    #: The values in the claim that make their holders staff and superusers. None leaves it to this installation.
    staff_group: str | None
    superuser_group: str | None
    #: Whether a first login creates a user.
    creates_users: bool
    #: How long a session lasts without a new confirmation by the provider.
    renewal: timedelta


def configuration() -> Configuration:
    """The provider in `settings.OIDC`. Whoever asks is only loaded if there is one."""
    return cast(Configuration, settings.OIDC)


def is_safe(url: str) -> bool:
    """Whether secrets may be sent to this address: with TLS, or on this machine."""
    try:
        parts = urlsplit(url)
        is_address = bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return False
    return is_address and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url)))
