"""Reads the variables of OpenID Connect."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from inventory.oidc.configuration import Configuration, is_safe
from settings.checked import boolean

#: Without these there is no provider.
REQUIRED = ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")
OPTIONAL = (
    "OIDC_NAME",
    "OIDC_SCOPES",
    "OIDC_USERNAME_CLAIM",
    "OIDC_GROUPS_CLAIM",
    "OIDC_GROUPS",
    "OIDC_STAFF_GROUP",
    "OIDC_SUPERUSER_GROUP",
    "OIDC_CREATE_USERS",
    "OIDC_RENEWAL",
)
#: A renewal asks the provider twice or three times, and each question may take some seconds.
SHORTEST_RENEWAL = timedelta(seconds=60)


def read_oidc(env: environ.Env) -> Configuration | None:
    """The provider, or None if no variable names one. Raises `ImproperlyConfigured` for half a configuration."""
    names = [name for name in (*REQUIRED, *OPTIONAL) if env.str(name, default="")]
    if not names:
        return None
    if missing := [name for name in REQUIRED if name not in names]:
        raise ImproperlyConfigured(f"OpenID Connect also needs {', '.join(missing)}, because {names[0]} is set")
    return Configuration(
        issuer=_issuer(env.str("OIDC_ISSUER")),
        client_id=env.str("OIDC_CLIENT_ID"),
        client_secret=env.ENVIRON["OIDC_CLIENT_SECRET"],
        name=env.str("OIDC_NAME", default="") or "OpenID Connect",
        scopes=_scopes(env.str("OIDC_SCOPES", default="") or "openid profile email"),
        username_claim=env.str("OIDC_USERNAME_CLAIM", default="") or "preferred_username",
        groups_claim=env.str("OIDC_GROUPS_CLAIM", default="") or "groups",
        groups=_groups(env),
        staff_group=env.str("OIDC_STAFF_GROUP", default="") or None,
        superuser_group=env.str("OIDC_SUPERUSER_GROUP", default="") or None,
        creates_users=boolean(env, "OIDC_CREATE_USERS", default=True),
        renewal=_renewal(env),
    )


def _issuer(url: str) -> str:
    """The issuer as the provider spells it: it must equal that of the tokens."""
    if len(url) > 500 or not is_safe(url) or urlsplit(url).query or urlsplit(url).fragment:
        raise ImproperlyConfigured("OIDC_ISSUER must be like https://id.example.org/realm")
    return url


def _scopes(text: str) -> tuple[str, ...]:
    scopes = tuple(text.split())
    if "openid" not in scopes:
        raise ImproperlyConfigured("OIDC_SCOPES must include openid")
    return scopes


def _groups(env: environ.Env) -> dict[str, str] | None:
    if not env.str("OIDC_GROUPS", default=""):
        return None
    try:
        groups = env.json("OIDC_GROUPS")
    except ValueError:
        groups = None
    if not (isinstance(groups, dict) and all(isinstance(name, str) and name for name in groups.values())):
        raise ImproperlyConfigured('OIDC_GROUPS must be JSON like {"group at the provider": "group here"}')
    return groups


def _renewal(env: environ.Env) -> timedelta:
    try:
        renewal = timedelta(seconds=int(env.str("OIDC_RENEWAL", default="") or 900))
    except (ValueError, OverflowError):
        raise ImproperlyConfigured("OIDC_RENEWAL must be a number of seconds") from None
    if renewal < SHORTEST_RENEWAL:
        raise ImproperlyConfigured(f"OIDC_RENEWAL must be at least {SHORTEST_RENEWAL.seconds} seconds")
    return renewal
