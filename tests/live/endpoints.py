"""EC2 endpoints on loopback: moto's server as a process of its own, and a proxy before it that can fail."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from inventory.drivers.values import Connection
from tests.live.faults import FaultProxy, fault_proxy

#: How long moto may take to come up, in seconds; it takes two or three.
TIMEOUT = 60


@contextmanager
def moto() -> Iterator[str]:
    """A server of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        command = [sys.executable, Path(__file__).with_name("moto_server.py"), str(listening.fileno())]
        # It tells of every action that it does not have.
        server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, pass_fds=[listening.fileno()]
        )
    try:
        # The socket listens already: this waits in its queue until moto takes over, and fails if moto ends.
        _reset(url)
        yield url
    finally:
        server.terminate()
        server.communicate()


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """One server for the whole run (of each xdist worker); its account is shared, so tests ask for `ec2_url`."""
    with moto() as url:
        yield url


@pytest.fixture
def ec2_url(moto_url: str) -> str:
    """An endpoint whose account has nothing but what every region begins with: a default VPC and its group."""
    _reset(moto_url)
    return moto_url


@pytest.fixture
def ec2_proxy(ec2_url: str) -> Iterator[FaultProxy]:
    """The same account behind a proxy that can be told to fail."""
    with fault_proxy(ec2_url) as proxy:
        yield proxy


@pytest.fixture
def ec2_api(ec2_url: str) -> Any:
    """A boto3 client of the account, to build with and to look at what became of it."""
    return client_of(ec2_url)


def client_of(url: str) -> Any:
    from inventory.drivers.ec2.client import connect

    return connect(Connection(url=url, userid="AKIDBUILDER", password="secret"))


def _reset(url: str) -> None:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT)
    try:
        connection.request("POST", "/moto-api/reset")
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
    finally:
        connection.close()
