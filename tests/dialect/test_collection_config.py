"""What `spec/lib/api/collection_config_spec.rb` asks: which collection the resources of a class are in."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client

from inventory.rest.resources import get_resource_type
from tests.cast import OPENSTACK_TYPE
from tests.dialect.asking import refusal


@pytest.mark.parametrize(
    ("name", "collection"),
    [
        ("Vm", "vms"),
        (f"{OPENSTACK_TYPE}::Vm", "vms"),
        (f"{OPENSTACK_TYPE}", "providers"),
        ("ManageIQ::Providers::CloudManager::Vm", "instances"),
        ("MiqTask", "tasks"),
    ],
)
def test_a_class_has_its_collection(name: str, collection: str) -> None:
    assert name in get_resource_type(collection).classes


def test_a_class_that_is_unknown_has_none() -> None:
    assert not [name for name in settings.COLLECTIONS if "String" in get_resource_type(name).classes]


@pytest.mark.django_db
def test_there_is_no_collection_system(admin_client: Client) -> None:
    assert refusal(admin_client, "/system") == "Unsupported Collection system specified"
