"""Sessions that the provider has to confirm again and again.

A session is renewed from the half of `OIDC_RENEWAL` on, and over at its end. So a provider that is away for a
moment ends no session, and one that has ended a login ends the session here in time.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from inventory.encryption import UnreadableSecret
from inventory.models import AuthToken, OidcIdentity, OidcSession
from inventory.oidc import accounts, messages
from inventory.oidc.backend import OidcBackend
from inventory.oidc.client import Claims, Tokens, client
from inventory.oidc.configuration import configuration
from inventory.oidc.errors import BadAnswer, LoginRefused, OidcError, ProviderUnavailable
from inventory.services import on_behalf_of

logger = logging.getLogger(__name__)

BACKEND = f"{OidcBackend.__module__}.{OidcBackend.__qualname__}"
#: The key of a Django session for the `OidcSession` behind it.
KEY = "oidc_session"
#: How long the process that renews a session has for it. Others continue, or wait for the next request.
RENEWING = timedelta(seconds=45)


def begin(request: HttpRequest, identity: OidcIdentity, tokens: Tokens, claims: Claims) -> None:
    """Log in for as long as the provider confirms it. Also forgets sessions that are over anyway."""
    now = timezone.now()
    OidcSession.objects.filter(created_on__lt=now - timedelta(seconds=settings.SESSION_COOKIE_AGE)).delete()
    session = OidcSession(identity=identity, confirmed_on=now, due_on=now + configuration().renewal / 2)
    session.tokens, session.has_groups = tokens, configuration().groups_claim in claims
    session.save()
    login(request, identity.user, backend=BACKEND)
    request.session[KEY] = str(session.pk)


def renew(request: HttpRequest) -> None:
    """Renew the request's session if it is time. If the provider has ended it, the caller is logged out."""
    if KEY not in request.session:
        return
    session, now = _session_of(request), timezone.now()
    if session is None:
        logout(request)
    elif session.due_on <= now and _is_ours(session, now):
        _renew(request, session, now)
    elif not _is_confirmed(session, now):
        request.user = AnonymousUser()  # another process is renewing it


def end(request: HttpRequest) -> str | None:
    """Forget the session at a logout. Returns the address where the browser can log out of the provider too."""
    session = _session_of(request) if KEY in request.session else None
    if session is None:
        return None
    try:
        return client().logout_address(session.tokens.get("id_token"))
    except (OidcError, UnreadableSecret) as error:
        logger.warning("The address for logging out is unknown: %s", error)
        return None
    finally:
        session.delete()


def _session_of(request: HttpRequest) -> OidcSession | None:
    # The tokens later, because they may be unreadable.
    sessions = OidcSession.objects.select_related("identity__user").defer("tokens")
    return sessions.filter(pk=request.session[KEY]).first()


def _is_ours(session: OidcSession, now: datetime) -> bool:
    """Whether this process shall renew the session: a refresh token must be used once."""
    return bool(OidcSession.objects.filter(pk=session.pk, due_on=session.due_on).update(due_on=now + RENEWING))


def _is_confirmed(session: OidcSession, now: datetime) -> bool:
    return now < session.confirmed_on + configuration().renewal


def _renew(request: HttpRequest, session: OidcSession, now: datetime) -> None:
    user = session.identity.user
    try:
        tokens = client().refreshed(session.tokens)
        _save(session, tokens=session.tokens | tokens)  # at once, for the last refresh token is used up
        claims = client().confirmed(tokens, session.identity.subject)
        has_groups = configuration().groups_claim in claims
        if session.has_groups and not has_groups:
            raise BadAnswer(messages.NO_GROUPS)
        accounts.update(user, claims)
    except ProviderUnavailable as error:
        logger.warning("The session of %s could not be renewed: %s", user, error)
        if not _is_confirmed(session, now):
            _end(request, session)
    except (OidcError, UnreadableSecret) as error:
        logger.warning("The session of %s is over: %s", user, error)
        # Without a refresh token, it may just be an access token that has expired.
        if isinstance(error, LoginRefused) and session.tokens.get("refresh_token"):
            with on_behalf_of(user):  # named tokens live by their own rules
                AuthToken.objects.filter(user=user, ttl__isnull=False).delete()
        _end(request, session)
    else:
        due_on = now + configuration().renewal / 2
        _save(session, has_groups=has_groups, confirmed_on=now, due_on=due_on)


@transaction.atomic
def _save(session: OidcSession, **changes: Any) -> None:
    """Save these changes, unless the user has logged out in the meantime."""
    if OidcSession.objects.select_for_update().filter(pk=session.pk).exists():
        for name, value in changes.items():
            setattr(session, name, value)
        session.save(update_fields=changes)


def _end(request: HttpRequest, session: OidcSession) -> None:
    session.delete()
    logout(request)
