"""The addresses of the site, derived from what is set."""

import re
from collections.abc import Iterable

from django.core.exceptions import ImproperlyConfigured

_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")


def path_prefix(text: str) -> str:
    """The path below which a proxy serves the site: empty, or with a slash before it and none behind it."""
    prefix = f"/{text.strip('/')}".rstrip("/")
    if not _PREFIX.fullmatch(prefix) or {".", ".."} & set(prefix.split("/")):
        raise ImproperlyConfigured("PATH_PREFIX must be a path like /firewalls, of letters, digits and . _ ~ -")
    return prefix


def https_origins(hosts: Iterable[str]) -> list[str]:
    """The origins of these `ALLOWED_HOSTS`, on the port of https. `*` has none."""
    return [
        f"https://{name}"
        for host in hosts
        if host != "*"
        for name in ([f"*{host}", host[1:]] if host.startswith(".") else [host])
    ]
