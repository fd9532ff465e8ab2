"""Connecting, editing, refreshing and deleting providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from inventory import messages
from inventory.arguments import ProviderDeletion, ProviderRefresh, RefreshScope
from inventory.drivers.values import Scope
from inventory.logs import HIDDEN, USERINFO
from inventory.models import Provider, Task
from inventory.services.events import cause_of_request, record_event
from inventory.services.queueing import TaskSpec, queue_work
from inventory.services.tasks import save_all

#: The attributes that affect how a cloud is reached.
CONNECTION = {
    "certificate_authority",
    "credentials",
    "enabled",
    "hostname",
    "path",
    "interface",
    "port",
    "project",
    "provider_region",
    "security_protocol",
    "uid_ems",
    "url",
    "verify_ssl",
}


#: What an event tells of a provider. Of its credentials, it only tells that they were changed.
_DESCRIBED = [field.name for field in Provider._meta.fields if field.editable and field.name != "credentials"]


def _described(provider: Provider) -> dict[str, Any]:
    """A provider as an event has it."""
    values = {name: getattr(provider, name) for name in _DESCRIBED}
    hidden = {name: USERINFO.sub(f"{HIDDEN}@", value) for name, value in values.items() if isinstance(value, str)}
    return {"id": str(provider.pk), **values, **hidden}


def _record_edit(before: Mapping[str, Any], provider: Provider, user: User | None, with_credentials: bool) -> None:
    """Leave an event of what changed, if anything did."""
    after = _described(provider)
    changed = [name for name in after if before[name] != after[name]]
    if changed or with_credentials:
        credentials = {"credentials": "changed"} if with_credentials else {}
        record_event(
            "provider_edited",
            messages.provider_edited(provider.name),
            cause_of_request(user),
            provider=provider,
            before={name: before[name] for name in changed},
            after={name: after[name] for name in changed} | credentials,
        )


@transaction.atomic
def connect_provider(*, user: User | None, **attributes: Any) -> Provider:
    """Save a provider and queue its first refresh."""
    provider: Provider = Provider.objects.create(**attributes)
    message, after = messages.provider_connected(provider.name), _described(provider)
    record_event("provider_connected", message, cause_of_request(user), provider=provider, after=after)
    if provider.enabled and provider.driver_class:
        request_refresh(provider=provider, user=user)
    return provider


@transaction.atomic
def edit_provider(*, provider: Provider, user: User | None, **attributes: Any) -> Task | None:
    """Change attributes of a provider. If they affect how its cloud is reached, queue a refresh.

    Raises `Provider.DoesNotExist` if it was deleted in the meantime.
    """
    rows = Provider.objects.connected().defer("credentials").select_for_update(no_key=True)
    before = _described(rows.get(pk=provider.pk))
    for name, value in attributes.items():
        setattr(provider, name, value)
    provider.save(update_fields=[*attributes, "updated_on"])
    _record_edit(before, provider, user, with_credentials="credentials" in attributes)
    if provider.enabled and provider.driver_class and not CONNECTION.isdisjoint(attributes):
        return request_refresh(provider=provider, user=user)
    return None


@transaction.atomic
def delete_provider(*, provider: Provider, user: User | None) -> Task:
    """Disconnect a provider: hide it from everybody at once, and queue a task that deletes it with its inventory.

    Its cloud stays as it is. Its queued tasks end as errors. Raises `Provider.DoesNotExist` if its deletion was
    accepted before.
    """
    now = timezone.now()
    if not Provider.objects.connected().filter(pk=provider.pk).update(deleted_on=now, updated_on=now):
        raise Provider.DoesNotExist(messages.not_found("Provider", provider.pk))
    end_queued_tasks(provider)
    message, before = messages.provider_deleted(provider.name), _described(provider)
    record_event("provider_deleted", message, cause_of_request(user), provider=provider, before=before)
    return request_deletion(provider=provider, user=user)


def request_deletion(*, provider: Provider, user: User | None) -> Task:
    """Queue the deletion of a provider that was disconnected."""
    spec = TaskSpec(
        name=messages.deletion_of(provider.name),
        message=messages.deleting(provider.name),
        arguments=ProviderDeletion(),
        context={"action": "delete", "provider": provider.name},
    )
    # In the queue of its refreshes, so that none of them runs at the same time.
    [task] = queue_work(f"providers/{provider.pk}", [spec], user=user, provider=None)
    # It counts as begun, because the provider is already gone: nobody can cancel it.
    task.state, task.started_on = Task.State.ACTIVE, timezone.now()
    save_all([task], ["state", "started_on"])
    return task


def end_queued_tasks(provider: Provider) -> None:
    """End the queued tasks of a deleted provider as errors."""
    queued = Task.objects.unfinished().filter(provider=provider, state=Task.State.QUEUED)
    queued.exclude(queue="").update(  # the sweep ends their parents
        state=Task.State.FINISHED,
        status=Task.Status.ERROR,
        message=messages.PROVIDER_DELETED,
        pct_complete=100,
        updated_on=timezone.now(),
    )


def request_refresh(*, provider: Provider, user: User | None, force: bool = False) -> Task:
    """Queue a refresh of the whole provider; `force` overrides the deletion guard."""
    spec = TaskSpec(
        name=messages.refresh_of(provider.name),
        message=messages.refreshing_provider(provider.name),
        arguments=ProviderRefresh(force=force),
        context={"action": "refresh", "provider": provider.name, "force": force},
    )
    return _queued(spec, provider, user)


def request_refresh_of(
    *, scope: Scope, name: str, provider: Provider, user: User | None, force: bool = False
) -> Task:
    """Queue a refresh of one thing with this name; `force` as above."""
    subject = f"{scope.kind.replace('_', ' ')} {name}"
    spec = TaskSpec(
        name=messages.refresh_of(subject),
        message=messages.refreshing(subject),
        arguments=ProviderRefresh(force=force, scope=RefreshScope(scope.kind, scope.ref), subject=subject),
        context={
            "action": "refresh",
            "provider": provider.name,
            scope.kind: {"name": name, "ems_ref": scope.ref},
            "force": force,
        },
    )
    return _queued(spec, provider, user)


def _queued(spec: TaskSpec, provider: Provider, user: User | None) -> Task:
    # In the queue of the whole: a full refresh at the same time would overwrite the part with older data.
    [task] = queue_work(f"providers/{provider.pk}", [spec], user=user, provider=provider)
    return task
