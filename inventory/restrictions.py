"""The providers and tenants that a user is restricted to.

Every read on behalf of a user starts with `scope_of` of a queryset, which calls `restriction_of`. Grants will
decide its answer. So far there are none, and nobody is restricted.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from inventory.db.conditions import Condition, compare
from inventory.db.lookups import Numbers

User = AbstractBaseUser | AnonymousUser


@dataclass(frozen=True, slots=True)
class Restriction:
    """Restricts a user to these providers, with everything in them, and to these tenants."""

    providers: tuple[int, ...] = ()
    tenants: tuple[int, ...] = ()

    def condition(self, provider: str, tenant: str | None) -> Condition:
        """The condition that one of these lookups leads to an allowed provider or tenant.

        All ids are one value, so users with different restrictions share one statement.
        """
        of_providers = compare(f"{provider}__among", Numbers(self.providers))
        if not (tenant and self.tenants):
            return of_providers
        return of_providers | compare(f"{tenant}__among", Numbers(self.tenants))


def restriction_of(user: User) -> Restriction | None:
    """The user's restriction; None if the user may see everything."""
    return None
