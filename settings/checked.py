"""Reads settings that have to be one of a few values, or within bounds. Any other value stops the start.

An empty variable counts as unset.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network

from django.core.exceptions import ImproperlyConfigured
from environ import Env

_BOOLEANS = {
    "true": True,
    "on": True,
    "yes": True,
    "1": True,
    "false": False,
    "off": False,
    "no": False,
    "0": False,
}


def one_of(env: Env, name: str, choices: Collection[str], default: str) -> str:
    """The value of a variable, which must be one of these."""
    value: str = env.str(name, default="") or default
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, but is {value!r}")
    return value


def boolean(env: Env, name: str, *, default: bool) -> bool:
    """Whether a variable is `true`, `on`, `yes` or `1`."""
    value = (env.str(name, default="") or str(default)).lower()
    if value not in _BOOLEANS:
        raise ImproperlyConfigured(f"{name} must be true or false, but is {value!r}")
    return _BOOLEANS[value]


def number(env: Env, name: str, *, default: int, least: int = 0, most: int = 10**9) -> int:
    """A whole number from `least` to `most`."""
    value: str = env.str(name, default="") or str(default)
    if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
        raise ImproperlyConfigured(f"{name} must be a number from {least} to {most}, but is {value!r}")
    return int(value)


def seconds(env: Env, name: str, *, default: int, least: int = 1) -> timedelta:
    """A duration, which the variable has in seconds."""
    return timedelta(seconds=number(env, name, default=default, least=least))


def networks(env: Env, name: str, default: Sequence[str]) -> list[IPv4Network | IPv6Network]:
    """Addresses and networks, comma-separated."""
    try:
        return [ip_network(text.strip()) for text in env.list(name, default=default)]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must list addresses or networks: {error}") from error


def secret(env: Env, name: str, *, least: int = 16) -> str:
    """A secret of so many characters, or nothing. Raises `ImproperlyConfigured`, without its value."""
    value: str = env.ENVIRON.get(name, "")  # not env.str, which takes `$` at its beginning for another variable
    if value and (len(value) < least or not value.isascii() or not value.isprintable()):
        raise ImproperlyConfigured(f"{name} must have at least {least} characters, all of them printable ASCII")
    return value
