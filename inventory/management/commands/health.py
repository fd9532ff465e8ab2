"""Check all parts of an installation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from inventory import messages
from inventory.health import PARTS, Unwell


class Command(BaseCommand):
    help = "Checks the database, the broker, the workers and the scheduler, and fails if one does not work."
    requires_system_checks = ()

    def handle(self, **options: Any) -> None:
        unhealthy = [name for name, check in PARTS.items() if not self._is_well(name, check)]
        if unhealthy:
            raise CommandError(messages.unhealthy(unhealthy))

    def _is_well(self, name: str, check: Callable[[], None]) -> bool:
        try:
            check()
        except (DatabaseError, Unwell) as error:
            self.stdout.write(f"{name}: {str(error).splitlines()[0]}")
            return False
        self.stdout.write(f"{name}: well")
        return True
