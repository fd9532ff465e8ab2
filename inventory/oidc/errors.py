"""Why a login or a renewal fails."""

from __future__ import annotations


class OidcError(Exception):
    """The message is for the user, and contains no secret."""

    status = 403


class LoginRefused(OidcError):
    """The provider or this installation says no. A session ends at once."""


class BadAnswer(OidcError):
    """The provider's answer proves nothing: of another issuer, for another client, expired, not signed."""


class ProviderUnavailable(OidcError):
    """The provider doesn't answer, or not as the protocol says. A session may be renewed later."""

    status = 503
