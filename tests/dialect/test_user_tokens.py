"""Tokens of users, as ManageIQ's services/api/user_token_service_spec asks for them."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.dialect.callers import ask, basic, user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("userid", ["api_user", "Api_user", "API_USER"])
def test_a_token_is_issued_whatever_the_case_of_the_userid(client: Client, userid: str) -> None:
    user()
    issued = ask(client, "get", "/api/auth", **basic(userid))
    assert issued["token_ttl"] == 600
    assert ask(client, "get", "/api", X_Auth_Token=issued["auth_token"])["identity"]["userid"] == "api_user"
