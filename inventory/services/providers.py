"""Connecting clouds and asking for their inventory to be read."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from inventory.drivers.values import Scope
from inventory.models import Provider, Task
from inventory.services.tasks import Work, queue_work

#: What says how a cloud is reached.
CONNECTION = {
    "certificate_authority",
    "credentials",
    "enabled",
    "hostname",
    "port",
    "project",
    "provider_region",
    "security_protocol",
    "uid_ems",
    "url",
    "verify_ssl",
}


@transaction.atomic
def connect_provider(*, user: User | None, **attributes: Any) -> Provider:
    """Save a provider and have its inventory read."""
    provider: Provider = Provider.objects.create(**attributes)
    if provider.enabled and provider.driver_class:
        request_refresh(provider=provider, user=user)
    return provider


@transaction.atomic
def edit_provider(*, provider: Provider, user: User | None, **attributes: Any) -> Provider:
    """Change what is given of a provider; if that is how its cloud is reached, its inventory is read again."""
    for name, value in attributes.items():
        setattr(provider, name, value)
    provider.save()
    if provider.enabled and provider.driver_class and not CONNECTION.isdisjoint(attributes):
        request_refresh(provider=provider, user=user)
    return provider


def delete_provider(*, provider: Provider) -> None:
    """Disconnect a provider: its inventory goes, its cloud stays as it is, its tasks end as errors."""
    Provider.objects.filter(pk=provider.pk).delete()


def request_refresh(*, provider: Provider, user: User | None, force: bool = False) -> Task:
    """Have the whole inventory read; `force` also where that removes more than half of what is known."""
    work = Work(
        name=f"Refresh of {provider.name}",
        message=f"Refreshing provider {provider.name}",
        arguments={"force": force},
        context={"action": "refresh", "provider": provider.name, "force": force},
    )
    return _queued(work, provider, user)


def request_refresh_of(
    *, scope: Scope, name: str, provider: Provider, user: User | None, force: bool = False
) -> Task:
    """Have one thing of that name read, with what belongs to it; `force` as for all of it."""
    subject = f"{scope.kind.replace('_', ' ')} {name}"
    work = Work(
        name=f"Refresh of {subject}",
        message=f"Refreshing {subject}",
        arguments={"force": force, "scope": asdict(scope), "subject": subject},
        context={
            "action": "refresh",
            "provider": provider.name,
            scope.kind: {"name": name, "ems_ref": scope.ref},
            "force": force,
        },
    )
    return _queued(work, provider, user)


def _queued(work: Work, provider: Provider, user: User | None) -> Task:
    # The queue of the whole: a part that is read while all of it is would be overwritten with what was before.
    [task] = queue_work(f"providers/{provider.pk}", [work], user=user, provider=provider)
    return task
