"""What users and the log are told of logins through OpenID Connect."""

from __future__ import annotations

NOT_IDENTIFIED = "The login provider sent no ID token. Its client needs the scope openid."
OTHER_ISSUER = "The login provider describes another issuer than OIDC_ISSUER."
AWAY = "The login provider doesn't answer. Try again in a few seconds."
BUSY = "Too many logins at the same time. Try again in a few seconds."
BAD_SUBJECT = "The login provider's answer names no user (sub)."
OTHER_SUBJECT = "The login provider's answers are about different users."
SHARED_KEYS = "The login provider signs ID tokens with shared keys only, or not at all."
NO_GROUPS = "The login provider no longer tells the groups. Log in again."
NO_RENEWAL = "The login provider offers no way to renew a session. Log in again."
OTHER_LOGIN = "This login was started elsewhere, or too long ago, or is already done. Log in again."
NO_ACCOUNT = "You have no account here. Ask an administrator for one."
DEACTIVATED = "Your account here is deactivated. Ask an administrator."


def unsafe_endpoint(name: str) -> str:
    return f"The login provider's {name} is no https address."


def refused(code: str) -> str:
    return f"The login provider refused: {code}."


def bad_id_token(reason: str) -> str:
    return f"The login provider's ID token is not valid: {reason}."


def unavailable(kind: str) -> str:
    return f"The login provider doesn't answer as it should ({kind}). Try again later."


def no_username(claim: str) -> str:
    return f"The login provider sent no user name that fits (claim {claim}). Ask an administrator."


def name_taken(name: str) -> str:
    return f"The name {name} belongs to another account here. An administrator can link it to your login."
