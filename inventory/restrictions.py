"""What a user is restricted to, of all that belongs to providers.

Everything that is read for a user starts from `scope_of` of a queryset, which asks here. Grants are to say what
`restriction_of` answers; until there are any nobody is restricted.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from inventory.db.conditions import Condition, compare
from inventory.db.lookups import Numbers

User = AbstractBaseUser | AnonymousUser


@dataclass(frozen=True, slots=True)
class Restriction:
    """To these providers with all that they have, and to what is of these tenants."""

    providers: tuple[int, ...] = ()
    tenants: tuple[int, ...] = ()

    def condition(self, provider: str, tenant: str | None) -> Condition:
        """What holds for the rows from which these lookups lead to one of them.

        All ids together are one value, so that the statement is the same whatever they are.
        """
        of_providers = compare(f"{provider}__among", Numbers(self.providers))
        if not (tenant and self.tenants):
            return of_providers
        return of_providers | compare(f"{tenant}__among", Numbers(self.tenants))


def restriction_of(user: User) -> Restriction | None:
    """None for a user who sees what all providers have."""
    return None
