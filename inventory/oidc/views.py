"""The login through the provider: to it, and back."""

from __future__ import annotations

import logging
import secrets
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from inventory.metrics import logins_refused
from inventory.oidc import accounts, messages, sessions
from inventory.oidc.client import client, oauth_code
from inventory.oidc.configuration import configuration
from inventory.oidc.errors import BadAnswer, LoginRefused, OidcError

logger = logging.getLogger(__name__)

#: The signed cookie of a login that has begun: no row of the database for whoever asks for this page.
COOKIE = "oidc_login"
#: How long a login may take, in seconds.
LOGIN_TIME = 600
STATE = "state", "nonce", "code_verifier"


@require_GET
@never_cache
def login(request: HttpRequest) -> HttpResponse:
    """Send the browser to the provider."""
    redirect_uri = request.build_absolute_uri(reverse("oidc:callback"))
    try:
        address = client().login_address(redirect_uri)
    except OidcError as error:
        return _refused(request, error)
    begun = {name: address[name] for name in STATE} | {"redirect_uri": redirect_uri, "next": _next(request)}
    response = HttpResponseRedirect(address["url"])
    response.set_cookie(
        COOKIE,
        signing.dumps(begun, salt=COOKIE),
        max_age=LOGIN_TIME,
        path=reverse("oidc:callback"),
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )
    return response


@require_GET
@never_cache
def callback(request: HttpRequest) -> HttpResponse:
    """Log in whoever comes back from the provider with a code for the login that this browser began."""
    try:
        begun = _begun(request)
        if error := request.GET.get("error"):
            raise LoginRefused(messages.refused(oauth_code(error)))
        if request.GET.get("iss", configuration().issuer) != configuration().issuer:
            raise BadAnswer(messages.OTHER_ISSUER)
        tokens, claims = client().logged_in(
            code=request.GET.get("code", ""),
            redirect_uri=begun["redirect_uri"],
            code_verifier=begun["code_verifier"],
            nonce=begun["nonce"],
        )
        sessions.begin(request, accounts.logged_in(claims), tokens, claims)
    except OidcError as error:
        response = _refused(request, error)
    else:
        response = HttpResponseRedirect(begun["next"])
    response.delete_cookie(COOKIE, path=reverse("oidc:callback"), samesite="Lax")
    return response


def _begun(request: HttpRequest) -> dict[str, Any]:
    """The login that this browser began. Raises `BadAnswer` if it is none, or another one than this answer's."""
    try:
        begun: dict[str, Any] = signing.loads(request.COOKIES.get(COOKIE, ""), salt=COOKIE, max_age=LOGIN_TIME)
    except signing.BadSignature:
        raise BadAnswer(messages.OTHER_LOGIN) from None
    if not secrets.compare_digest(request.GET.get("state", "").encode(), begun["state"].encode()):
        raise BadAnswer(messages.OTHER_LOGIN)
    return begun


def _next(request: HttpRequest) -> str:
    """Where to go after the login, on this site."""
    address = request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return address if is_ours else resolve_url(settings.LOGIN_REDIRECT_URL)


def _refused(request: HttpRequest, error: OidcError) -> HttpResponse:
    logger.warning("Login through OpenID Connect: %s", error)
    logins_refused("oidc", "refused")
    return render(request, "oidc/refused.html", {"message": error}, status=error.status)
