"""What `spec/requests/logging_spec.rb` asks."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.dialect.asking import get, post

pytestmark = pytest.mark.django_db


@pytest.mark.on_purpose("requests that are answered stand in the log of the web server, not in ours")
@pytest.mark.parametrize("path", ["/users", ""])
def test_what_is_answered_is_not_logged(admin_client: Client, caplog: pytest.LogCaptureFixture, path: str) -> None:
    get(admin_client, path)
    assert not caplog.records


def test_a_refused_request_is_logged_without_its_password(
    admin_client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = {"name": "new", "type": "bogus", "credentials": {"userid": "a", "password": "SECRET"}}
    post(admin_client, "/providers", wrong, status=400)
    assert "/api/providers" in caplog.text
    assert "SECRET" not in caplog.text
