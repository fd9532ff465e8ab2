"""Who may ask, by which proof, and as a member of which group."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, Permission, User
from django.core.cache import caches
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.crypto import get_random_string

from inventory.models import AuthToken
from inventory.tasks import forget_what_is_over
from tests.hashers import COUNTING, CountingHasher

PASSWORD = "a good one"


@pytest.fixture
def ada(django_user_model: type[User]) -> User:
    """A user who may view providers by herself, tenants as an operator and networks as a reader."""
    user = django_user_model.objects.create_user("ada", password=PASSWORD, first_name="Ada", last_name="L.")
    user.user_permissions.add(permission("view_provider"))
    for name, codename in [("operators", "view_cloudtenant"), ("red readers", "view_cloudnetwork")]:
        group = Group.objects.create(name=name)
        group.permissions.add(permission(codename))
        user.groups.add(group)
    return user


def permission(codename: str) -> Permission:
    return Permission.objects.get(content_type__app_label="inventory", codename=codename)


def basic(username: str = "ada", password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


def token(client: Client, query: str = "") -> str:
    return str(client.get(f"/api/auth{query}", headers=basic()).json()["auth_token"])


@pytest.fixture
def get(client: Client, ada: User) -> Callable[..., Any]:
    """A GET with these headers, underscores for hyphens."""

    def get(path: str = "/api/providers", **headers: str) -> Any:
        return client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return get


def message(answer: Any) -> str:
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert answer.json()["error"]["kind"] == "unauthorized"
    assert "WWW-Authenticate" not in answer.headers
    return str(answer.json()["error"]["message"])


def test_http_basic_lets_in(get: Any) -> None:
    assert get(**basic()).status_code == HTTPStatus.OK
    assert message(get(**basic(password="wrong"))) == "Invalid username/password."
    assert message(get(Authorization="Basic x"))
    assert message(get())


@pytest.fixture
def hashed(settings: Any) -> Callable[[], int]:
    """How many passwords were hashed since it was last asked."""
    settings.PASSWORD_HASHERS = COUNTING
    caches["passwords"].clear()

    def hashed() -> int:
        since, CountingHasher.count = CountingHasher.count, 0
        return since

    return hashed


def test_a_right_password_is_not_hashed_again_in_each_request(hashed: Any, get: Any) -> None:
    hashed()
    assert [get(**basic()).status_code for _ in range(3)] == [HTTPStatus.OK] * 3
    assert hashed() == 1


def test_a_wrong_password_and_an_unknown_user_are_hashed_each_time(hashed: Any, get: Any) -> None:
    get(**basic())
    hashed()
    for wrong in (basic(password="wrong"), basic("nobody"), basic("ada", ""), basic("adam")):
        assert [message(get(**wrong)) for _ in range(2)] == ["Invalid username/password."] * 2
        assert hashed() == 2


@pytest.mark.parametrize(
    ("userid", "given"),
    [
        ("ada", "ADA"),
        ("Ada", "aDA"),
        ("\N{LATIN SMALL LETTER E WITH ACUTE}ve", "\N{LATIN CAPITAL LETTER E WITH ACUTE}VE"),
    ],
)
def test_a_userid_is_taken_in_any_case(
    hashed: Any, get: Any, client: Client, ada: User, userid: str, given: str
) -> None:
    User.objects.filter(pk=ada.pk).update(username=userid)
    hashed()
    assert [get("/api", **basic(given)).json()["identity"]["userid"] for _ in range(2)] == [userid] * 2
    assert hashed() == 1
    assert message(get(**basic(given, "wrong")))
    assert client.login(username=given, password=PASSWORD)


def test_of_userids_that_differ_in_case_alone_each_is_its_own(
    get: Any, ada: User, django_user_model: type[User]
) -> None:
    django_user_model.objects.create_user("Ada", password="another")
    assert get("/api", **basic("ada")).json()["identity"]["userid"] == "ada"
    assert get("/api", **basic("Ada", "another")).json()["identity"]["userid"] == "Ada"
    for wrong in (basic("Ada"), basic("ada", "another"), basic("ADA"), basic("ADA", "another")):
        assert message(get(**wrong)) == "Invalid username/password."


def test_another_password_is_noticed_at_once(hashed: Any, get: Any, ada: User) -> None:
    get(**basic())
    ada.set_password("another")
    ada.save()
    assert message(get(**basic()))
    assert get(**basic(password="another")).status_code == HTTPStatus.OK


def test_who_is_gone_or_not_active_is_noticed_at_once(hashed: Any, get: Any, ada: User) -> None:
    get(**basic())
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert message(get(**basic()))
    ada.delete()
    assert message(get(**basic()))


def test_the_password_of_one_is_not_that_of_another_with_the_same_hash(hashed: Any, get: Any, ada: User) -> None:
    get(**basic())
    User.objects.create(username="eve", password=User.objects.get(pk=ada.pk).password)
    hashed()
    get(**basic("eve"))
    assert hashed() == 1


class AnybodyBackend(ModelBackend):
    """Lets in whoever it was told of, whatever the hash in the database is."""

    known = {"ada": PASSWORD}

    def authenticate(self, request: Any, username: Any = None, password: Any = None, **kwargs: Any) -> Any:
        return User.objects.get(username=username) if self.known.get(username) == password else None


def test_what_another_backend_says_is_asked_each_time(
    settings: Any, hashed: Any, get: Any, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.AnybodyBackend"]
    assert get(**basic()).status_code == HTTPStatus.OK
    monkeypatch.setitem(AnybodyBackend.known, "ada", "another")
    assert message(get(**basic()))


def test_nothing_of_a_password_is_kept(hashed: Any, get: Any) -> None:
    get(**basic())
    [(key, kept)] = caches["passwords"]._cache.items()  # type: ignore[attr-defined]
    assert PASSWORD not in key
    assert PASSWORD.encode() not in kept


def test_a_token_is_issued_and_lets_in(client: Client, get: Any) -> None:
    answer = client.get("/api/auth", headers=basic())
    assert answer.status_code == HTTPStatus.OK
    issued = answer.json()
    assert list(issued) == ["auth_token", "token_ttl", "expires_on"]
    assert issued["token_ttl"] == 600
    assert issued["expires_on"].endswith("Z")
    assert answer.headers["Cache-Control"] == "no-store"
    assert get(X_Auth_Token=issued["auth_token"]).status_code == HTTPStatus.OK


def test_of_a_token_only_a_hash_is_kept(client: Client, ada: User) -> None:
    issued = token(client)
    kept = AuthToken.objects.values().get()
    assert issued not in str(kept)
    assert len(issued) >= 64


@pytest.mark.parametrize(("requester", "ttl"), [("api", 600), ("ui", 3600)])
def test_the_type_of_who_asks_decides_how_long_a_token_lives(
    client: Client, ada: User, requester: str, ttl: int
) -> None:
    issued = client.get(f"/api/auth?requester_type={requester}", headers=basic()).json()
    assert issued["token_ttl"] == ttl
    left = AuthToken.objects.get().expiry - timezone.now()
    assert timedelta(seconds=ttl - 60) < left <= timedelta(seconds=ttl)


def test_another_type_is_refused(client: Client, ada: User) -> None:
    answer = client.get("/api/auth?requester_type=foo", headers=basic())
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"]["message"].startswith("Unsupported requester_type foo specified")


def left(**changes: Any) -> float:
    """Sets the token back, if asked to; returns for how many seconds it is still good."""
    if changes:
        AuthToken.objects.update(**changes)
    return (AuthToken.objects.get().expiry - timezone.now()).total_seconds()


def test_each_use_renews_a_token_for_its_own_time(client: Client, get: Any) -> None:
    ui = token(client, "?requester_type=ui")
    left(expiry=timezone.now() + timedelta(seconds=5))
    assert get(X_Auth_Token=ui).status_code == HTTPStatus.OK
    assert left() > 3500


def test_a_use_can_leave_it_as_it_is(client: Client, get: Any) -> None:
    issued = token(client)
    left(expiry=timezone.now() + timedelta(seconds=100))
    assert get(X_Auth_Token=issued, X_Auth_Skip_Token_Renewal="true").status_code == HTTPStatus.OK
    assert left() <= 100


def test_not_each_of_many_uses_writes(client: Client, get: Any, django_assert_num_queries: Any) -> None:
    issued = token(client)
    with django_assert_num_queries(1):
        get("/api/foo", X_Auth_Token=issued)


def test_an_expired_token_is_of_no_use_and_goes(client: Client, get: Any) -> None:
    issued = token(client)
    left(expiry=timezone.now() - timedelta(minutes=16))
    assert message(get(X_Auth_Token=issued)) == "Invalid Authentication Token (X-Auth-Token)"
    token(client)
    forget_what_is_over()
    assert AuthToken.objects.get().expiry > timezone.now()


def test_a_forgotten_token_is_of_no_use(client: Client, get: Any) -> None:
    first, second = token(client), token(client)
    assert client.delete("/api/auth", headers={"X-Auth-Token": first}).status_code == HTTPStatus.NO_CONTENT
    assert message(get(X_Auth_Token=first))
    assert get(X_Auth_Token=second).status_code == HTTPStatus.OK


def test_without_a_token_there_is_none_to_forget(client: Client, ada: User) -> None:
    answer = client.delete("/api/auth", headers=basic())
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert "No token to revoke" in answer.json()["error"]["message"]


@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_another_method_is_refused(client: Client, ada: User, method: str) -> None:
    answer = getattr(client, method)("/api/auth", headers=basic())
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert (
        answer.json()["error"]["message"] == f"Unsupported HTTP Method {method} for the Collection auth specified"
    )


def test_a_bad_token_never_falls_back_to_another_proof(client: Client, get: Any, ada: User) -> None:
    client.force_login(ada)
    assert get(**basic()).status_code == HTTPStatus.OK
    assert message(get(X_Auth_Token="bad", **basic())) == "Invalid Authentication Token (X-Auth-Token)"
    assert message(get(X_Auth_Token="\N{LATIN SMALL LETTER E WITH ACUTE}" * 64, **basic()))


def test_a_token_alone_says_who_asks_and_no_session_is_read(
    client: Client, get: Any, ada: User, admin_user: User
) -> None:
    issued = token(client)
    client.force_login(admin_user)
    with CaptureQueriesContext(connection) as captured:
        answer = get("/api/", X_Auth_Token=issued)
    assert not [query for query in captured if "django_session" in query["sql"]]
    assert answer.json()["identity"]["userid"] == ada.username
    assert "Cookie" not in answer.headers.get("Vary", "")
    assert get("/admin/", X_Auth_Token=issued).context["user"] == admin_user


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_token_is_told(get: Any, empty: str) -> None:
    assert message(get(X_Auth_Token=empty, **basic())) == "Empty Authentication Token (X-Auth-Token)"


def test_who_is_not_active_any_more_is_not_let_in(client: Client, get: Any, ada: User) -> None:
    issued = token(client)
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert message(get(X_Auth_Token=issued))
    assert message(get(**basic()))


def test_a_token_needs_no_csrf_and_a_session_does(ada: User) -> None:
    client = Client(enforce_csrf_checks=True)
    body = {"action": "query", "resources": [{"id": 1}]}
    by_token = {"X-Auth-Token": token(client)}
    answer = client.post("/api/providers", body, content_type="application/json", headers=by_token)
    assert answer.status_code == HTTPStatus.OK
    client.force_login(ada)
    answer = client.post("/api/providers", body, content_type="application/json")
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "CSRF" in answer.json()["error"]["message"]
    client.cookies["csrftoken"] = secret = get_random_string(32)
    answer = client.post("/api/providers", body, content_type="application/json", headers={"X-CSRFToken": secret})
    assert answer.status_code == HTTPStatus.OK


# --- As a member of one group ---

READABLE = ["/api/providers", "/api/cloud_tenants", "/api/cloud_networks", "/api/vms"]


@pytest.mark.parametrize(
    ("group", "allowed"),
    [
        ("", ["/api/providers", "/api/cloud_tenants", "/api/cloud_networks"]),
        ("operators", ["/api/cloud_tenants"]),
        ("red readers", ["/api/cloud_networks"]),
        ("red%20readers", ["/api/cloud_networks"]),
        ("red+readers", ["/api/cloud_networks"]),
    ],
)
@pytest.mark.parametrize("proof", ["basic", "token", "session"])
def test_a_request_is_limited_to_the_group_that_it_names(
    client: Client, get: Any, ada: User, group: str, allowed: list[str], proof: str
) -> None:
    headers = {"basic": basic(), "token": {"X_Auth_Token": token(client)}, "session": {}}[proof]
    if proof == "session":
        client.force_login(ada)
    limit = {"X_MIQ_Group": group} if group else {}
    assert [url for url in READABLE if get(url, **headers, **limit).status_code == HTTPStatus.OK] == allowed


def test_even_a_superuser_is_limited(client: Client, get: Any, ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(is_superuser=True)
    assert get("/api/vms", **basic()).status_code == HTTPStatus.OK
    assert get("/api/vms", **basic(), X_MIQ_Group="operators").status_code == HTTPStatus.FORBIDDEN
    assert User.objects.get(pk=ada.pk).is_superuser


@pytest.mark.parametrize("name", ["nobody's", "OPERATORS", "others"])
def test_a_group_that_is_not_the_caller_s_is_refused(get: Any, name: str) -> None:
    Group.objects.create(name="others")
    said = message(get(**basic(), X_MIQ_Group=name))
    assert said == f"Invalid Authorization Group {name} specified"


@pytest.mark.parametrize(
    "sent", ["%C3%A9quipe", "\xc3\xa9quipe", "\xe9quipe"], ids=["escaped", "UTF-8", "Latin-1"]
)
def test_a_group_may_have_any_letters(get: Any, ada: User, sent: str) -> None:
    ada.groups.add(Group.objects.create(name="\N{LATIN SMALL LETTER E WITH ACUTE}quipe"))
    answer = get("/api", **basic(), X_MIQ_Group=sent)
    assert answer.json()["identity"]["group"] == "\N{LATIN SMALL LETTER E WITH ACUTE}quipe"


def test_a_plus_in_the_name_of_a_group_is_sent_encoded(get: Any, ada: User) -> None:
    ada.groups.add(Group.objects.create(name="a+b"))
    assert get("/api", **basic(), X_MIQ_Group="a%2Bb").json()["identity"]["group"] == "a+b"
    assert message(get("/api", **basic(), X_MIQ_Group="a+b")) == "Invalid Authorization Group a b specified"


def test_what_a_limited_user_asks_for_is_their_own(client: Client, ada: User, cast: Any) -> None:
    operators = Group.objects.get(name="operators")
    operators.permissions.add(*map(permission, ["view_provider", "refresh_provider"]))
    headers = basic() | {"X-MIQ-Group": "operators"}
    body = {"action": "refresh"}
    url = f"/api/providers/{cast.acme.pk}"
    answer = client.post(url, body, content_type="application/json", headers=headers)
    assert answer.status_code == HTTPStatus.OK
    assert client.get(answer.json()["task_href"], headers=headers).json()["userid"] == "ada"


# --- What is said of users ---


def test_the_entry_point_says_who_is_asking(get: Any, ada: User) -> None:
    operators = Group.objects.get(name="operators")
    answer = get("/api", **basic()).json()
    assert answer["identity"] == {
        "userid": "ada",
        "name": "Ada L.",
        "user_href": f"http://testserver/api/users/{ada.pk}",
        "group": "operators",
        "group_href": f"http://testserver/api/groups/{operators.pk}",
        "role": "operators",
        "groups": ["operators", "red readers"],
        "miq_groups": [
            {"href": f"http://testserver/api/groups/{group.pk}", "id": str(group.pk), "description": group.name}
            for group in ada.groups.order_by("pk")
        ],
    }
    assert get("/api", **basic(), X_MIQ_Group="red readers").json()["identity"]["group"] == "red readers"


def test_the_entry_point_says_what_there_is(admin_client: Client, settings: Any) -> None:
    answer = admin_client.get("/api/v1.0.0").json()
    assert (answer["name"], answer["description"], answer["version"]) == ("API", "REST API", "1.0.0")
    assert answer["versions"] == [{"name": "1.0.0", "href": "http://testserver/api/v1.0.0"}]
    assert answer.keys() >= {"settings", "server_info", "product_info"}
    names = [collection["name"] for collection in answer["collections"]]
    assert names == sorted(settings.COLLECTIONS)
    assert all(one["href"] == f"http://testserver/api/v1.0.0/{one['name']}" for one in answer["collections"])
    assert all(one["description"] for one in answer["collections"])
    identity = answer["identity"]
    assert (identity["role"], identity["group"], identity["group_href"]) == ("super_administrator", None, None)


def test_the_entry_point_says_what_the_caller_may_do_where_that_is_asked(get: Any, ada: User) -> None:
    assert "authorization" not in get("/api", **basic()).json()
    ada.user_permissions.add(permission("refresh_provider"))
    path, name = "/api?attributes=authorization", "inventory.refresh_provider"
    features = get(path, **basic()).json()["authorization"]["product_features"]
    assert features[name] == {"name": name, "description": "Can refresh a provider"}
    assert "inventory.add_provider" not in features
    limited = get(path, **basic(), X_MIQ_Group="red readers").json()["authorization"]["product_features"]
    assert "inventory.refresh_provider" not in limited
    answer = get("/api?attributes=colour", **basic())
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"]["message"] == "Invalid attributes specified: colour"


@pytest.mark.django_db
def test_the_product_is_known_without_a_login(client: Client) -> None:
    for headers in ({}, {"X-Auth-Token": "wrong"}):
        for path in ("/api/product_info", "/api/v1.0.0/product_info/"):
            assert client.get(path, headers=headers).json()["name"] == "Portcullis"
    assert client.post("/api/product_info", {}).status_code == HTTPStatus.BAD_REQUEST


def test_a_user_has_the_first_of_their_groups_as_the_current_one(get: Any, ada: User) -> None:
    [me] = get("/api/users?expand=resources", **basic()).json()["resources"]
    assert me["current_group_id"] == str(Group.objects.get(name="operators").pk)
    assert get(f"/api/users?current_group_id={me['current_group_id']}", **basic()).json()["subquery_count"] == 1
    ada.groups.clear()
    assert get(me["href"], **basic()).json()["current_group_id"] is None


def test_users_see_themselves_and_their_groups_and_with_a_permission_all(get: Any, ada: User) -> None:
    other = User.objects.create_user("other", email="other@example.org")
    Group.objects.create(name="others")
    [me] = get("/api/users?expand=resources&attributes=groups", **basic()).json()["resources"]
    assert (me["userid"], me["name"], me["email"]) == ("ada", "Ada L.", None)
    assert timezone.now() - datetime.fromisoformat(me["lastlogon"]) < timedelta(minutes=1)  # this login
    assert [group["description"] for group in me["groups"]] == ["operators", "red readers"]
    assert get("/api/groups", **basic()).json()["count"] == 2
    assert get(f"/api/users/{other.pk}", **basic()).status_code == HTTPStatus.NOT_FOUND
    ada.user_permissions.add(*Permission.objects.filter(codename__in=["view_user", "view_group"]))
    assert get("/api/users?name=other", **basic()).json()["subquery_count"] == 1
    assert get(f"/api/users/{other.pk}", **basic()).json()["email"] == "other@example.org"
    assert get("/api/groups", **basic()).json()["count"] == Group.objects.count()


def test_the_admin_shows_tokens_without_their_secret_and_revokes_them(
    admin_client: Client, client: Client, get: Any
) -> None:
    issued = token(client)
    [kept] = AuthToken.objects.all()
    page = admin_client.get("/admin/inventory/authtoken/").content.decode()
    assert "ada" in page
    assert issued not in page
    answer = admin_client.post(f"/admin/inventory/authtoken/{kept.pk}/delete/", {"post": "yes"})
    assert answer.status_code == HTTPStatus.FOUND
    assert message(get(X_Auth_Token=issued))
