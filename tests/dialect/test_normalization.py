"""What `spec/requests/normalization_spec.rb` asks: times are ISO 8601."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client

from inventory.models import Vm
from tests.dialect.asking import get, vms


@pytest.mark.django_db
def test_times_are_iso_8601_in_utc(admin_client: Client) -> None:
    [vm] = vms("aa")
    Vm.objects.filter(pk=vm.pk).update(created_on=datetime(2016, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert get(admin_client, f"/vms/{vm.pk}")["created_on"] == "2016-01-02T03:04:05Z"
