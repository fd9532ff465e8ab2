"""Runs moto's server in this process, with the company's account."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import boto3
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from inventory.demo.account import Account
from inventory.demo.filling import fill

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

REGION = "us-east-1"
#: The endpoint accepts any key.
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@contextmanager
def account(known_url: str | None) -> Iterator[Account]:
    """The company's account, at the address of an earlier start if that is free."""
    with endpoint(urlsplit(known_url).port if known_url else None) as url:
        yield Account(
            {
                "vendor": "amazon",
                "provider_region": REGION,
                "url": url,
                "credentials": {"userid": KEY, "password": SECRET},
            },
            "an EC2 endpoint that takes any key",
        )


@contextmanager
def endpoint(port: int | None) -> Iterator[str]:
    """The address of an endpoint with the company, on this port of loopback if it is free.

    The endpoint is filled before it listens there, so nobody reads half of a company. The ids are the same at
    every start, so they match the inventory of an earlier one.
    """
    # For unsupported actions, moto answers 500, which the driver understands, and prints a traceback.
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    with _serving(_listen(None)) as private_url:
        urlopen(Request(f"{private_url}/moto-api/seed?a=1", method="POST"))  # nosec B310  # noqa: S310 - http on loopback
        fill(client(private_url), ec2_backends[DEFAULT_ACCOUNT_ID][REGION])
    with _serving(_listen(port)) as url:
        yield url


def client(url: str) -> EC2Client:
    return boto3.client(
        "ec2", endpoint_url=url, region_name=REGION, aws_access_key_id=KEY, aws_secret_access_key=SECRET
    )


def _listen(port: int | None) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port or 0))
    except OSError:
        return socket.create_server(("127.0.0.1", 0))


@contextmanager
def _serving(listening: socket.socket) -> Iterator[str]:
    """Serve the account on a socket. All servers in this process have the same one."""
    with listening:
        port = listening.getsockname()[1]
        server = make_server(
            "127.0.0.1",
            port,
            DomainDispatcherApplication(create_backend_app),
            threaded=True,
            request_handler=MotoRequestHandler,
            fd=listening.fileno(),
        )
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
