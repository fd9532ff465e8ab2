"""Each collection of this app keeps the contract of collections."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

import pytest
from django.utils import timezone

from inventory.models import EventRetention, EventStream
from tests.contracts import CollectionContract


class TestProviders(CollectionContract):
    collection = "providers"


class TestCloudTenants(CollectionContract):
    collection = "cloud_tenants"


class TestCloudNetworks(CollectionContract):
    collection = "cloud_networks"


class TestInstances(CollectionContract):
    collection = "instances"


class TestVms(CollectionContract):
    collection = "vms"


class TestNetworkPorts(CollectionContract):
    collection = "network_ports"


class TestEventStreams(CollectionContract):
    collection = "event_streams"
    deletable = "event_type=login_refused"

    @pytest.fixture(autouse=True)
    def old(self, db: None) -> None:
        """Events that are older than the retention."""
        EventRetention.objects.create(days=1)
        timestamp = timezone.now() - timedelta(days=2)
        EventStream.objects.bulk_create(EventStream(event_type="login_refused", timestamp=timestamp) for _ in "ab")


class TestUsers(CollectionContract):
    collection = "users"
    asks_permission = False


class TestTokens(CollectionContract):
    collection = "tokens"
    asks_permission = False


class TestGroups(CollectionContract):
    collection = "groups"
    asks_permission = False


class TestZones(CollectionContract):
    collection = "zones"
    asks_permission = False


class TestTasks(CollectionContract):
    collection = "tasks"
    asks_permission = False
    one_of_several: ClassVar = {"revert": "inventory.change_vm_security_groups"}
