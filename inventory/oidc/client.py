"""Asks the OpenID Connect provider: its description, its tokens, and what they say of a user.

Authlib knows the protocol. Here is what Portcullis asks beyond that: every claim that the specification requires
is compared, signatures are asymmetric, and answers are limited like those of clouds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http import HTTPStatus
from threading import Lock
from typing import Any

import requests
from authlib.integrations.base_client import BaseApp, OAuth2Mixin, OAuthError, OpenIDMixin
from authlib.integrations.requests_client import OAuth2Session
from joserfc.errors import JoseError

from inventory.capacity import NoThreadLeft, Share
from inventory.drivers.adapters import GuardedAdapter
from inventory.drivers.answers import MALFORMED
from inventory.drivers.endpoints import is_loopback
from inventory.drivers.exceptions import CloudError
from inventory.drivers.values import CONNECT_TIMEOUT, Connection
from inventory.oidc import messages
from inventory.oidc.configuration import Configuration, configuration, is_safe
from inventory.oidc.errors import BadAnswer, LoginRefused, ProviderUnavailable

Claims = dict[str, Any]
#: The access, refresh and ID token.
Tokens = dict[str, str]

#: Anybody can begin a login, so at most a quarter of the threads wait for the provider.
_waiting = Share(4)

#: Limits on each answer of the provider, in seconds and megabytes.
ANSWER_TIME = 5.0
ANSWER_SIZE = 1
#: How long the provider's description and keys are kept, in seconds. Keys with unknown ids are read at once.
METADATA_AGE = 3600
#: How long the provider is left alone after it gave no description, and how long a thread waits for one that asks
#: for it, in seconds. Anybody may begin a login, and must not keep threads busy with it.
PAUSE, PATIENCE = 5.0, 1.0
#: How far the clocks may differ, in seconds.
LEEWAY = 30
#: Keys of other kinds are shared secrets, or none.
ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
#: What is used of the provider's description. Authlib would take more, such as `verify`.
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
OPTIONAL_ENDPOINTS = ("userinfo_endpoint", "end_session_endpoint")
#: Errors of the token endpoint that end a session. Others may be about this client, or pass.
FINAL = frozenset({"invalid_grant", "access_denied", "login_required", "interaction_required", "consent_required"})
#: The specification allows ASCII only.
SUBJECT = re.compile(r"[ -~]{1,255}")
OAUTH_CODE = re.compile(r"[a-z_]{1,50}")


class Session(OAuth2Session):
    """An HTTP session with guarded answers: no redirect, and limits on size and time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        limits = Connection(url=configuration().issuer, answer_time=ANSWER_TIME, answer_size=ANSWER_SIZE)
        for scheme in ("http://", "https://"):
            self.mount(scheme, GuardedAdapter(limits))
        self.trust_env = not is_loopback(configuration().issuer)  # proxies lead off this machine

    def request(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        kwargs["timeout"] = (CONNECT_TIMEOUT, ANSWER_TIME)
        response: requests.Response = super().request(method, url, **kwargs)
        return response


class Client(OAuth2Mixin, OpenIDMixin, BaseApp):
    """The provider, as this installation sees it. Threads share it."""

    client_cls = Session

    def __init__(self, provider: Configuration) -> None:
        self.provider = provider
        self._stale_at = self._paused_until = 0.0  # by the monotonic clock
        self._lock = Lock()
        super().__init__(
            framework=None,  # views keep the state of a login
            client_id=provider.client_id,
            client_secret=provider.client_secret,
            client_kwargs={"scope": " ".join(provider.scopes), "code_challenge_method": "S256"},
        )

    def load_server_metadata(self) -> dict[str, Any]:
        if time.monotonic() >= self._stale_at:
            self._reload()
        return self.server_metadata

    def _reload(self) -> None:
        """Read the description again, in one thread at a time, and not soon after a failure."""
        if not self._lock.acquire(timeout=PATIENCE):
            raise ProviderUnavailable(messages.AWAY)
        try:
            if time.monotonic() < self._stale_at:
                return  # another thread has read it
            if time.monotonic() < self._paused_until:
                raise ProviderUnavailable(messages.AWAY)
            try:
                self.server_metadata = self._discover()
            except Exception:
                self._paused_until = time.monotonic() + PAUSE
                raise
            self._stale_at = time.monotonic() + METADATA_AGE
        finally:
            self._lock.release()

    def _discover(self) -> dict[str, Any]:
        issuer = self.provider.issuer
        with self._get_session() as session:
            url = f"{issuer.removesuffix('/')}/.well-known/openid-configuration"
            response = session.request("GET", url, withhold_token=True)
            response.raise_for_status()
            description = response.json()
        if description["issuer"] != issuer:
            raise BadAnswer(messages.OTHER_ISSUER)
        endpoints = {name: description[name] for name in ENDPOINTS}
        endpoints |= {name: description[name] for name in OPTIONAL_ENDPOINTS if description.get(name)}
        if unsafe := [name for name, url in endpoints.items() if not is_safe(url)]:
            raise BadAnswer(messages.unsafe_endpoint(unsafe[0]))
        algorithms = ALGORITHMS.intersection(description.get("id_token_signing_alg_values_supported", ["RS256"]))
        if not algorithms:
            raise BadAnswer(messages.SHARED_KEYS)
        by_form = "client_secret_basic" not in description.get(
            "token_endpoint_auth_methods_supported", ["client_secret_basic"]
        )
        return {
            **endpoints,
            "issuer": issuer,
            "id_token_signing_alg_values_supported": sorted(algorithms),
            "token_endpoint_auth_method": "client_secret_post" if by_form else "client_secret_basic",
        }

    def login_address(self, redirect_uri: str) -> dict[str, str]:
        """The `url` for the browser, with the `state`, `nonce` and `code_verifier` that its answer must fit."""
        with _sorted_errors():
            address: dict[str, str] = self.create_authorization_url(redirect_uri)
            return address

    def logged_in(self, *, code: str, redirect_uri: str, code_verifier: str, nonce: str) -> tuple[Tokens, Claims]:
        """The tokens for a code, and the claims about their user."""
        with _sorted_errors():
            tokens = _kept(self.fetch_access_token(redirect_uri, code=code, code_verifier=code_verifier))
            if "id_token" not in tokens:
                raise BadAnswer(messages.NOT_IDENTIFIED)
            return tokens, self._claims(tokens, nonce=nonce)

    def refreshed(self, tokens: Tokens) -> Tokens:
        """New tokens for a session. Raises `LoginRefused` if the provider has ended it.

        Without a refresh token it is the access token again.
        """
        with _sorted_errors():
            metadata = self.load_server_metadata()
            if refresh_token := tokens.get("refresh_token"):
                with self._get_oauth_client(**metadata) as session:
                    return _kept(session.refresh_token(metadata["token_endpoint"], refresh_token))
            if "userinfo_endpoint" not in metadata:
                raise BadAnswer(messages.NO_RENEWAL)
            return {"access_token": tokens["access_token"]}

    def confirmed(self, refreshed: Tokens, subject: str) -> Claims:
        """The claims about this user now."""
        with _sorted_errors():
            return self._claims(refreshed, subject=subject)

    def _on_update_token(self, *args: Any, **kwargs: Any) -> None:
        """Authlib would tell its framework. Whoever asked keeps the new tokens."""

    def _claims(self, answer: Tokens, *, nonce: str | None = None, subject: str | None = None) -> Claims:
        """The claims of the ID token, if there is one, and those of the user info. All are about one `subject`."""
        claims: Claims = {}
        if "id_token" in answer:
            required = {"iss": self.provider.issuer, "aud": self.client_id}
            options = {name: {"essential": True, "value": value} for name, value in required.items()}
            claims |= self.parse_id_token(answer, nonce, claims_options=options, leeway=LEEWAY)
            subject = _checked_subject(claims, subject)
        if "userinfo_endpoint" in self.load_server_metadata():
            # Without the other tokens, because Authlib would refresh one that is about to expire.
            token = {"access_token": answer["access_token"], "token_type": "Bearer"}  # nosec B105  # no secret
            user_info = dict(self.userinfo(token=token))
            _checked_subject(user_info, subject)
            claims |= user_info
        return claims

    def logout_address(self, id_token: str | None) -> str | None:
        """Where the browser can end the session at the provider; None if the provider has no such address."""
        with _sorted_errors():
            if "end_session_endpoint" not in self.load_server_metadata():
                return None
            return str(self.create_logout_url(id_token_hint=id_token, client_id=self.client_id)["url"])


def client() -> Client:
    """The client for `settings.OIDC`."""
    return _client(configuration())


@cache
def _client(provider: Configuration) -> Client:
    return Client(provider)


def _kept(answer: dict[str, Any]) -> Tokens:
    """What a session keeps of the token endpoint's answer."""
    return {name: answer[name] for name in ("access_token", "refresh_token", "id_token") if answer.get(name)}


def _checked_subject(claims: Claims, expected: str | None) -> str:
    """The subject of an answer, which is no other than the expected one."""
    subject = claims.get("sub")
    if not (isinstance(subject, str) and SUBJECT.fullmatch(subject)):
        raise BadAnswer(messages.BAD_SUBJECT)
    if expected is not None and subject != expected:
        raise BadAnswer(messages.OTHER_SUBJECT)
    return subject


@contextmanager
def _sorted_errors() -> Iterator[None]:
    """Raises `OidcError` for anything that the provider may do, without its words, which may be secret."""
    try:
        with _waiting.thread():
            yield
    except NoThreadLeft:
        raise ProviderUnavailable(messages.BUSY) from None
    except OAuthError as error:
        kind = LoginRefused if error.error in FINAL else ProviderUnavailable
        raise kind(messages.refused(oauth_code(error.error))) from None
    except JoseError as error:
        claim = getattr(error, "claim", None)
        raise BadAnswer(messages.bad_id_token(f"{error.error} ({claim})" if claim else error.error)) from None
    except requests.HTTPError as error:
        status = getattr(error.response, "status_code", None)
        kind = LoginRefused if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} else ProviderUnavailable
        raise kind(messages.refused(str(status))) from None
    except (requests.RequestException, CloudError, *MALFORMED) as error:
        raise ProviderUnavailable(messages.unavailable(type(error).__name__)) from None


def oauth_code(error: object) -> str:
    """An error code of the protocol. Anything else may be anybody's text."""
    return error if isinstance(error, str) and OAUTH_CODE.fullmatch(error) else "unknown"
