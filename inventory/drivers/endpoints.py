"""What the drivers have in common about the endpoints that they talk to."""

from __future__ import annotations

import re
import ssl
import tempfile
from ipaddress import ip_address
from typing import IO
from urllib.parse import urlsplit

from inventory.drivers.exceptions import CloudRefused

#: The URL of an exported inventory: a plain name, which leads nowhere but into the one folder where they are.
FILE_URL = re.compile(r"file:///([A-Za-z0-9_-][A-Za-z0-9._-]{0,199})")


def check_url(url: str, kind: str) -> None:
    """Raises `CloudRefused` for what is no URL of an endpoint; `kind` is what it is for."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise CloudRefused(f"The provider's URL is not one of {kind} (https://host[:port]): {url}")


def is_loopback(url: str) -> bool:
    """Whether an endpoint is on this machine, where no proxy leads to."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def authority_file(pem: str | None) -> IO[str] | None:
    """The PEM text as SDKs want it: in a file, which they read again at each new connection."""
    if not pem:
        return None
    try:
        ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, TypeError) as error:
        raise CloudRefused(f"The provider's certificate authority is no PEM certificate: {error}") from error
    file = tempfile.NamedTemporaryFile("w", prefix="portcullis-ca-", suffix=".pem")  # noqa: SIM115 - outlives this
    file.write(pem)
    file.flush()
    return file


#: Where a time-out kept the answer away.
NO_ANSWER = "The cloud did not answer in time; if this goes on, its operators have to look after it."


def about_tls(words: str) -> str:
    """What to do about it where TLS keeps an endpoint from being asked; `words` are those of OpenSSL."""
    if "certificate has expired" in words:
        return "The certificate of the endpoint has expired: its operators have to renew it."
    if any(sign in words for sign in ("Hostname mismatch", "IP address mismatch", "doesn't match")):
        return "The certificate of the endpoint is for another host: is the provider's address right?"
    if "CERTIFICATE_VERIFY_FAILED" in words:
        return "The certificate of the endpoint is not trusted: name its certificate authority."
    return "The endpoint does not speak TLS: is its security protocol right?"


def about_the_network(words: str) -> str:
    """The same where nobody is at the address."""
    if any(sign in words for sign in ("NameResolutionError", "Name or service not known", "Failed to resolve")):
        return "The host's name is not known: is the provider's address right?"
    return "The cloud can't be reached: is the provider's address right, and no firewall in the way?"
