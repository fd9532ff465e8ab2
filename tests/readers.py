"""Users who see a part of the inventory."""

from __future__ import annotations

import re

from django.contrib.auth.models import Group, User

from inventory.models import CloudTenant, Grant, Provider

#: What is another in each answer.
CHANGING = re.compile(r'name="csrfmiddlewaretoken" value="\w+"|csrfToken": "\w+"|"time":"[^"]*"')


def grant(user: User, role: str, scope: Provider | CloudTenant | None = None, group: str = "team") -> Group:
    """Give a user a role by a group."""
    given, _ = Group.objects.get_or_create(name=group)
    user.groups.add(given)
    tenant = scope if isinstance(scope, CloudTenant) else None
    Grant.objects.create(
        group=given, role=role, cloud_tenant=tenant, provider=tenant.provider if tenant else scope
    )
    return given


def reader_of(tenant: CloudTenant) -> User:
    """A user who owns a tenant and sees nothing else."""
    reader = User.objects.create_user("reader")
    grant(reader, "owner", tenant)
    return reader
