"""What the login pages show of the provider."""

from __future__ import annotations

from django.http import HttpRequest

from inventory.oidc.configuration import configuration


def provider(request: HttpRequest) -> dict[str, str]:
    """`oidc_name`, for the button."""
    return {"oidc_name": configuration().name}
