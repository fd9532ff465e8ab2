"""Endpoints: URLs and certificate authorities."""

from __future__ import annotations

import re
import ssl
import tempfile
from ipaddress import ip_address
from typing import IO
from urllib.parse import urlsplit

from inventory.drivers import messages
from inventory.drivers.exceptions import CloudRefused

#: The URL of an exported inventory: a plain name in the folder of inventories.
FILE_URL = re.compile(r"file:///([A-Za-z0-9_-][A-Za-z0-9._-]{0,199})")


def problem_of_url(url: str) -> str | None:
    """Why this is not the URL of an endpoint; None if it is one. The answer does not repeat the URL."""
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return messages.NOT_A_URL
    if "@" in parts.netloc:
        return messages.CREDENTIALS_IN_URL
    return None if is_valid else messages.NOT_A_URL


def check_url(url: str, kind: str) -> None:
    """Raises `CloudRefused` unless this is the URL of an endpoint; `kind` is for the message."""
    match problem_of_url(url):
        case messages.NOT_A_URL:
            raise CloudRefused(messages.not_a_url(kind, without_credentials(url)))
        case str(problem):
            raise CloudRefused(problem)


def without_credentials(url: str) -> str:
    """What a message may say of a URL that is none, which may have credentials before an @."""
    return url.rpartition("@")[2]


def is_loopback(url: str) -> bool:
    """Whether an endpoint is on this machine, which proxies don't reach."""
    return is_loopback_host(urlsplit(url).hostname or "")


def is_loopback_host(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def authority_file(pem: str | None) -> IO[str] | None:
    """The PEM text in a file, because SDKs read it again for each connection."""
    if not pem:
        return None
    try:
        ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, TypeError) as error:
        raise CloudRefused(messages.not_a_certificate(error)) from error
    file = tempfile.NamedTemporaryFile("w", prefix="portcullis-ca-", suffix=".pem")  # noqa: SIM115 - outlives this
    file.write(pem)
    file.flush()
    return file
