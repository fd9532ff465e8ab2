"""Reads settings that have to be one of a few values, or within bounds. Any other value stops the start."""

from collections.abc import Collection, Sequence
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
    value: str = env.str(name, default=default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, but is {value!r}")
    return value


def boolean(env: Env, name: str, *, default: bool) -> bool:
    """Whether a variable is `true`, `on`, `yes` or `1`."""
    value: str = env.str(name, default=str(default)).lower()
    if value not in _BOOLEANS:
        raise ImproperlyConfigured(f"{name} must be true or false, but is {value!r}")
    return _BOOLEANS[value]


def number(env: Env, name: str, *, default: int, most: int) -> int:
    """A whole number from 0 to `most`."""
    value: str = env.str(name, default=str(default))
    if not (value.isascii() and value.isdigit() and int(value) <= most):
        raise ImproperlyConfigured(f"{name} must be a number from 0 to {most}, but is {value!r}")
    return int(value)


def networks(env: Env, name: str, default: Sequence[str]) -> list[IPv4Network | IPv6Network]:
    """Addresses and networks, comma-separated."""
    try:
        return [ip_network(text.strip()) for text in env.list(name, default=default)]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must list addresses or networks: {error}") from error


def secret(env: Env, name: str, *, least: int = 16) -> str:
    """A secret of so many characters, or nothing."""
    value: str = env.str(name, default="")
    if value and (len(value) < least or not value.isascii() or not value.isprintable()):
        raise ImproperlyConfigured(f"{name} must have at least {least} characters, all of them printable ASCII")
    return value
