"""What `spec/lib/services/api/options_serializer_spec.rb` asks: OPTIONS has every key."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.dialect.asking import ask


@pytest.mark.django_db
def test_what_has_nothing_says_so(admin_client: Client) -> None:
    found = ask(admin_client, "options", "/zones")
    assert (found["relationships"], found["subcollections"], found["data"]) == ([], [], {})
    assert found.keys() == {"attributes", "virtual_attributes", "relationships", "subcollections", "data"}
