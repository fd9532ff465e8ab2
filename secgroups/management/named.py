"""What commands find by a name."""

from __future__ import annotations

from django.core.management.base import CommandError

from inventory.models import Provider
from secgroups import messages


def provider_named(name: str) -> Provider:
    """The connected provider with this name, or else with this id."""
    providers = Provider.objects.connected().defer("credentials")
    provider: Provider | None = providers.filter(name=name).first()
    if provider is None and name.isdecimal():
        provider = providers.filter(pk=int(name)).first()
    if provider is None:
        raise CommandError(messages.no_provider(name))
    return provider
