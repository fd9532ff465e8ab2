"""The provider's pages, and one for its administrator.

`POST /control` with JSON does what an administrator could: a `user` with `groups`, active or not, whose tokens are
all `revoked`. It also does what this provider never would: `id_token` has claims for all ID tokens from then on,
`signature` is how they are signed (`none`, `other`, `shared`), `answers` are what paths answer instead.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import Group, User
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import engines
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from jwcrypto import jwk, jwt
from jwcrypto.common import base64url_encode
from oauth2_provider.models import AccessToken, Application, RefreshToken
from oauth2_provider.oauth2_validators import OAuth2Validator

from tests.live.oidc.clients import CLIENT_ID, CLIENT_SECRET, PASSWORD
from tests.live.oidc.settings import new_key

#: What was asked for.
CONTROL: dict[str, Any] = {"id_token": {}, "signature": None, "answers": {}}


class Validator(OAuth2Validator):
    """Adds the claims that a company's provider has, and forges ID tokens."""

    oidc_claim_scope = None

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        user = request.user
        return {
            "preferred_username": user.username,
            "given_name": user.first_name,
            "family_name": user.last_name,
            "email": user.email,
            "groups": [group.name for group in user.groups.order_by("name")],
        }

    def finalize_id_token(self, id_token: Any, token: Any, token_handler: Any, request: Any) -> str:
        serialized: str = super().finalize_id_token(id_token, token, token_handler, request)
        if CONTROL["id_token"] or CONTROL["signature"]:
            return forged(serialized, request.client.jwk_key)
        return serialized


def forged(serialized: str, key: jwk.JWK) -> str:
    """The ID token with the claims and the signature that were asked for. None removes a claim."""
    signed = jwt.JWT(jwt=serialized, key=key)
    claims = json.loads(signed.claims) | CONTROL["id_token"]
    claims = {name: value for name, value in claims.items() if value is not None}
    header = json.loads(signed.header)
    match CONTROL["signature"]:
        case "none":
            header = {"alg": "none"}
            return f"{base64url_encode(json.dumps(header))}.{base64url_encode(json.dumps(claims))}."
        case "other":
            key = jwk.JWK.from_pem(new_key().encode())
        case "shared":
            key, header = jwk.JWK(kty="oct", k=base64url_encode(CLIENT_SECRET)), {"alg": "HS256"}
    token = jwt.JWT(header=json.dumps(header), claims=json.dumps(claims))
    token.make_signed_token(key)
    return str(token.serialize())


class Misbehaviour:
    """Answers as was asked for."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if answer := CONTROL["answers"].get(request.path):
            return HttpResponse(answer["body"], status=answer.get("status"), headers=answer.get("headers"))
        return self.get_response(request)


@csrf_exempt
def control(request: HttpRequest) -> HttpResponse:
    asked = json.loads(request.body)
    CONTROL.update({name: asked[name] for name in CONTROL.keys() & asked.keys()})
    if uri := asked.get("redirect_uri"):
        register(uri)
    return JsonResponse({"sub": str(administer(asked).pk)} if "user" in asked else {})


def register(redirect_uri: str) -> None:
    Application.objects.update_or_create(
        client_id=CLIENT_ID,
        defaults={
            "client_secret": CLIENT_SECRET,
            "client_type": Application.CLIENT_CONFIDENTIAL,
            "authorization_grant_type": Application.GRANT_AUTHORIZATION_CODE,
            "algorithm": Application.RS256_ALGORITHM,
            "redirect_uris": redirect_uri,
            "skip_authorization": True,
        },
    )


def administer(asked: dict[str, Any]) -> User:
    user, is_new = User.objects.get_or_create(username=asked["user"])
    if is_new:
        user.set_password(PASSWORD)
    for name in ("username", "first_name", "last_name", "email", "is_active"):
        setattr(user, name, asked.get(name, getattr(user, name)))
    user.save()
    if "groups" in asked:
        user.groups.set([Group.objects.get_or_create(name=name)[0] for name in asked["groups"]])
    if asked.get("revoked"):
        for token in RefreshToken.objects.filter(user=user, revoked=None):
            token.revoke()
        AccessToken.objects.filter(user=user).delete()
    return user


class Login(LoginView):
    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        page = engines["django"].from_string("<form method=post>{% csrf_token %}{{ form }}</form>")
        return HttpResponse(page.render(context, self.request))


urlpatterns = [
    path("control", control),
    path("login/", Login.as_view()),
    path("", include("oauth2_provider.urls")),
]
