"""Reads settings that have to be one of a few values, or within bounds. Any other value stops the start."""

from collections.abc import Collection

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
