"""The provider as a process of its own, and a browser that logs in there."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import environ
import requests
from django.test import Client

from inventory.oidc.configuration import Configuration
from settings.oidc import read_oidc
from tests.live.oidc.clients import CLIENT_ID, CLIENT_SECRET, PASSWORD

ROOT = Path(__file__).parents[3]
TIMEOUT = 60


class Provider:
    """The provider at this URL, with its client for Portcullis at `callback`."""

    def __init__(self, url: str) -> None:
        self.url = url

    def control(self, **asked: Any) -> dict[str, Any]:
        """See `tests/live/oidc/site.py`."""
        answer = requests.post(f"{self.url}/control", json=asked, timeout=TIMEOUT)
        answer.raise_for_status()
        data: dict[str, Any] = answer.json()
        return data

    def user(self, name: str, *groups: str, **asked: Any) -> str:
        """A user with these groups and the PASSWORD; returns the subject."""
        sub: str = self.control(user=name, groups=groups, **asked)["sub"]
        return sub

    def revoke(self, name: str) -> None:
        self.control(user=name, revoked=True)

    def forge(self, signature: str | None = None, **claims: Any) -> None:
        self.control(id_token=claims, signature=signature)

    def answer(self, path: str, body: str = "", **answer: Any) -> None:
        """Answer this at `path` from now on."""
        self.control(answers={path: {"body": body, **answer}})

    def relent(self) -> None:
        self.control(id_token={}, signature=None, answers={})

    def approve(self, address: str, name: str) -> str:
        """Log a user in at this address of the provider; returns the address where it then sends the browser."""
        with requests.Session() as browser:
            browser.trust_env = False
            answer = browser.get(address, timeout=TIMEOUT)
            answer = browser.post(
                answer.url,
                {
                    "username": name,
                    "password": PASSWORD,
                    "csrfmiddlewaretoken": browser.cookies["csrftoken"],
                },
                allow_redirects=False,
                timeout=TIMEOUT,
            )
            while answer.headers["Location"].startswith(("/", self.url)):
                here = answer.headers["Location"].removeprefix(self.url)
                answer = browser.get(f"{self.url}{here}", allow_redirects=False, timeout=TIMEOUT)
        return answer.headers["Location"]


@contextmanager
def provider(callback: str) -> Iterator[Provider]:
    """A provider of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        served = Provider(f"http://127.0.0.1:{listening.getsockname()[1]}")
        command = [sys.executable, "-m", "tests.live.oidc", str(listening.fileno())]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, pass_fds=[listening.fileno()])
    try:
        # The socket listens already: this waits in its queue until the provider is up, and fails if it ends.
        served.control(redirect_uri=callback)
        yield served
    finally:
        process.communicate()


def configured(issuer: str, **variables: str) -> Configuration:
    """As the settings read these variables."""
    env = environ.Env()
    env.ENVIRON = {
        "OIDC_ISSUER": issuer,
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "OIDC_NAME": "Example",
        **variables,
    }
    configuration = read_oidc(env)
    assert configuration
    return configuration


def log_in(oidc: Provider, client: Client, name: str, address: str = "/oidc/login/") -> Any:
    """Log in through the provider; returns Portcullis' answer to what the provider sent back."""
    sent = client.get(address)
    assert sent.status_code == HTTPStatus.FOUND, sent.content
    return client.get(oidc.approve(sent["Location"], name).removeprefix("http://testserver"))
