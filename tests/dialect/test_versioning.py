"""What `spec/requests/versioning_spec.rb` asks."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.dialect.asking import get

pytestmark = pytest.mark.django_db
KEYS = {"name", "description", "version", "versions", "collections"}


def test_the_entry_point_tells_the_versions(admin_client: Client) -> None:
    assert get(admin_client, "").keys() >= KEYS


def test_a_version_that_it_tells_is_an_entry_point_too(admin_client: Client) -> None:
    first = get(admin_client, "")["versions"][0]["href"]
    assert get(admin_client, first).keys() >= KEYS
    assert get(admin_client, f"/{first.rpartition('/')[2]}").keys() >= KEYS


def test_another_version_is_refused(admin_client: Client) -> None:
    get(admin_client, "/v9999.9999", status=400)
