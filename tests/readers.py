"""Users who see a part of the inventory."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User

from inventory import querysets
from inventory.models import CloudTenant
from inventory.restrictions import Restriction


def reader_of(tenant: CloudTenant, monkeypatch: pytest.MonkeyPatch) -> User:
    """A user with every permission who sees what belongs to one tenant."""
    reader = User.objects.create_user("reader")
    reader.user_permissions.set(Permission.objects.all())
    own = Restriction(tenants=(tenant.pk,))
    monkeypatch.setattr(querysets, "restriction_of", lambda user: own if user.pk == reader.pk else None)
    return reader
