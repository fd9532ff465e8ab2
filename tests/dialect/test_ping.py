"""What `spec/requests/ping_spec.rb` asks."""

from __future__ import annotations

from django.test import Client


def test_ping(client: Client) -> None:
    assert client.get("/api/ping").content == b"pong"
