"""The providers and tenants that a user is restricted to, by the grants of their groups.

Every read on behalf of a user starts with `scope_of` of a queryset, which calls `restriction_of`. So does every
action, with the permission that it requires: a user may be an operator of one tenant and see another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, NamedTuple, Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from inventory.db.conditions import Condition, compare
from inventory.db.lookups import Numbers

User = AbstractBaseUser | AnonymousUser


@cache
def permissions_of(role: str) -> frozenset[str]:
    """The permissions of a role: its own and those of the roles before it in `settings.ROLES`."""
    permissions: set[str] = set()
    for name, own in settings.ROLES.items():
        permissions.update(own)
        if name == role:
            return frozenset(permissions)
    return frozenset()


def permissions_by(grants: Iterable[Held]) -> set[str]:
    """The permissions of these grants together, wherever they are."""
    return {name for role in {grant.role for grant in grants} for name in permissions_of(role)}


class Held(NamedTuple):
    """A grant that a user has by a group. Without a provider it reaches everything.

    With a tenant it reaches only that one, and `provider` is the tenant's.
    """

    role: str
    provider: int | None
    tenant: int | None

    @classmethod
    @lru_cache(maxsize=10_000)
    def parse(cls, text: str) -> Self:
        """From the form in which a query collects grants: `operator,3,7`, or `owner,,`."""
        role, *ids = text.split(",")
        provider, tenant = (int(pk) if pk else None for pk in ids)
        return cls(role, provider, tenant)


@dataclass(frozen=True, slots=True)
class Restriction:
    """Restricts a user to these providers, with everything in them, and to these tenants.

    `named` are the providers of these tenants. The user may know what they are called, and nothing else of them.
    """

    providers: tuple[int, ...] = ()
    tenants: tuple[int, ...] = ()
    named: tuple[int, ...] = ()

    @classmethod
    def of(cls, grants: Iterable[Held]) -> Self | None:
        """What these grants reach together; None for everything."""
        providers, tenants, named = set(), set(), set()
        for _, provider, tenant in grants:
            if provider is None:
                return None
            if tenant is None:
                providers.add(provider)
            else:
                tenants.add(tenant)
                named.add(provider)
        return cls(*(tuple(sorted(pks)) for pks in (providers, tenants, named - providers)))

    def includes(self, provider: int | None, tenant: int | None = None) -> bool:
        """Whether this provider as a whole, or this tenant, is allowed."""
        return provider in self.providers or tenant in self.tenants

    def condition(self, provider: str, tenant: str | None) -> Condition:
        """The condition that one of these lookups leads to an allowed provider or tenant.

        All ids are one value, so users with different restrictions share one statement.
        """
        of_providers = compare(f"{provider}__among", Numbers(self.providers))
        if not (tenant and self.tenants):
            return of_providers
        of_tenants = compare(f"{tenant}__among", Numbers(self.tenants))
        return of_providers | of_tenants if self.providers else of_tenants


def grants_of(user: Any) -> Sequence[Held] | None:
    """The grants of a user; None if they have none, and Django's permissions mean everything.

    They are read with the user's permissions. Without a user, it is Portcullis itself. Nobody else is taken for
    unrestricted: neither who is not active nor a user that a foreign backend made.
    """
    if user is None:
        return None
    if isinstance(user, AbstractBaseUser) and not hasattr(user, "grants"):
        if getattr(user, "is_superuser", False) and user.is_active:
            return None
        user.get_all_permissions()  # type: ignore[attr-defined]
    grants: Sequence[Held] | None = getattr(user, "grants", ())
    return grants


def restriction_of(user: User, permission: str | None = None) -> Restriction | None:
    """What the user may see, or with a permission what they may do it to; None for everything.

    Without grants, a permission of Django's is for everything, and whoever asks checks whether the user has it.
    """
    grants = grants_of(user)
    return None if grants is None else restriction_by(tuple(grants), permission)


@lru_cache(maxsize=1000)  # a request asks several times, and the next ones of the same users again
def restriction_by(grants: tuple[Held, ...], permission: str | None) -> Restriction | None:
    return Restriction.of(
        grant for grant in grants if permission is None or permission in permissions_of(grant.role)
    )
