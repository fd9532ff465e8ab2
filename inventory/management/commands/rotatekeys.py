"""Encrypt the stored credentials with another key."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inventory import messages
from inventory.services import rotate_credentials


class Command(BaseCommand):
    help = (
        "Encrypts the credentials of all providers with the first key of CREDENTIALS_KEY. The service may run "
        "meanwhile. It can be interrupted and repeated."
    )

    def handle(self, **options: Any) -> None:
        rotation = rotate_credentials()
        self.stdout.write(messages.rotated(rotation.rotated, rotation.total))
        for name, reason in rotation.unreadable:
            self.stderr.write(f"{name}: {reason}")
        if rotation.unreadable:
            raise CommandError(messages.not_rotated(name for name, _ in rotation.unreadable))
        self.stdout.write(messages.OTHER_KEYS_UNUSED)
