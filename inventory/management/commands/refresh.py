"""Refresh providers in this process."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from inventory import messages
from inventory.backoff import RestartRequested
from inventory.drivers.exceptions import CloudError
from inventory.guard import TooManyGone
from inventory.leases import LeaseLost, QueueLease, hold_lease
from inventory.models import Provider
from inventory.refresh import STEPS, Refresh, refresh


class Command(BaseCommand):
    help = "Refreshes the named providers, or all enabled providers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("providers", nargs="*", metavar="provider", help="name of a provider")
        parser.add_argument(
            "--force",
            action="store_true",
            help="refresh even if this removes more than half of the known resources",
        )

    def handle(self, *, providers: list[str], force: bool, **options: Any) -> None:
        failed = [provider.name for provider in _chosen(providers) if not self._refresh(provider, force)]
        if failed:
            raise CommandError(messages.not_refreshed(failed))

    def _refresh(self, provider: Provider, force: bool) -> bool:
        with hold_lease(f"providers/{provider.pk}") as lease:
            if lease is None:
                self.stderr.write(f"{provider.name}: {messages.BEING_REFRESHED}")
                return False
            try:
                result = self._refreshed(provider, lease, force)
            except (CloudError, LeaseLost, TooManyGone) as error:
                self.stderr.write(f"{provider.name}: {error}")
                return False
        self.stdout.write(f"{provider.name}: {result.summary()}")
        return True

    def _refreshed(self, provider: Provider, lease: QueueLease, force: bool) -> Refresh:
        while True:
            with (
                suppress(RestartRequested),
                tqdm(total=STEPS, desc=provider.name, unit="step", file=self.stderr) as bar,
            ):
                return refresh(provider, lease, force=force, progress=bar.update)
            provider.refresh_from_db()


def _chosen(names: list[str]) -> list[Provider]:
    """The providers with these names; without names, all enabled providers."""
    if not names:
        return list(Provider.objects.enabled().defer("credentials"))
    providers = Provider.objects.connected().filter(name__in=names).defer("credentials")
    by_name = {provider.name: provider for provider in providers}
    if unknown := [name for name in names if name not in by_name]:
        raise CommandError(messages.no_providers(unknown))
    return [by_name[name] for name in names]
