"""A provider as ManageIQ's clients describe it: of the connections of several roles the cloud's alone counts."""

from __future__ import annotations

import itertools
from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client

from inventory.models import Provider, Zone

LOGIN = {"userid": "me", "password": "secret"}
CLOUD = {
    "endpoint": {"role": "default", "hostname": "keystone.example.org", "port": 5000, "security_protocol": "ssl"},
    "authentication": {"authtype": "default", **LOGIN},
}
MESSAGES = {
    "endpoint": {"role": "amqp", "hostname": "messages.example.org", "port": 5671, "security_protocol": "non-ssl"},
    "authentication": {"authtype": "amqp", "userid": "rabbit", "password": "carrot"},
}
METRICS = {
    "endpoint": {"role": "ceilometer", "url": "http://metrics.example.org"},
    "authentication": {"authtype": "ceilometer", "userid": "meter", "password": "ruler"},
}
KEYS = {"endpoint": {"role": "ssh_keypair"}, "authentication": {"authtype": "ssh_keypair", "auth_key": "PEM"}}
TOP = {"hostname": "keystone.example.org", "port": 5000, "security_protocol": "ssl", "credentials": LOGIN}

pytestmark = pytest.mark.django_db


def create(client: Client, **attributes: Any) -> Any:
    body = {"name": "private", "type": "openstack", **attributes}
    return client.post("/api/providers", body, content_type="application/json")


def edit(client: Client, provider: Provider, **attributes: Any) -> Any:
    return client.patch(f"/api/providers/{provider.pk}", attributes, content_type="application/json")


def connected(client: Client, **attributes: Any) -> Provider:
    answer = create(client, **attributes)
    assert answer.status_code == HTTPStatus.OK, answer.content
    return Provider.objects.get(pk=answer.json()["results"][0]["id"])


def refusal(answer: Any) -> str:
    assert answer.status_code == HTTPStatus.BAD_REQUEST, answer.content
    return str(answer.json()["error"]["message"])


def is_the_cloud(provider: Provider) -> None:
    assert provider.endpoint == "https://keystone.example.org:5000"
    assert (provider.connection.userid, provider.connection.password) == ("me", "secret")
    assert provider.credentials == LOGIN


@pytest.mark.parametrize("order", list(itertools.permutations([CLOUD, MESSAGES, METRICS, KEYS]))[::4])
def test_only_the_role_default_is_the_cloud_in_any_order(admin_client: Client, order: Any) -> None:
    is_the_cloud(connected(admin_client, connection_configurations=list(order)))


def test_a_connection_without_a_role_is_the_cloud_s(admin_client: Client) -> None:
    endpoint = {name: value for name, value in CLOUD["endpoint"].items() if name != "role"}
    bare = {"endpoint": endpoint, "authentication": LOGIN}
    is_the_cloud(connected(admin_client, connection_configurations=[MESSAGES, bare]))


@pytest.mark.parametrize("other", [MESSAGES, METRICS, KEYS, {"authentication": MESSAGES["authentication"]}])
def test_beside_attributes_of_its_own_another_s_connection_changes_nothing(
    admin_client: Client, other: Any
) -> None:
    is_the_cloud(connected(admin_client, **TOP, connection_configurations=[other]))


def test_another_s_connection_in_an_edit_changes_nothing(admin_client: Client) -> None:
    provider = connected(admin_client, **TOP)
    assert edit(admin_client, provider, connection_configurations=[MESSAGES, KEYS]).status_code == HTTPStatus.OK
    provider.refresh_from_db()
    is_the_cloud(provider)


def test_what_another_s_connection_has_is_kept_nowhere(admin_client: Client) -> None:
    provider = connected(admin_client, connection_configurations=[MESSAGES, CLOUD, METRICS])
    kept = str({field.name: getattr(provider, field.name) for field in Provider._meta.concrete_fields})
    for secret in ("rabbit", "carrot", "messages", "ruler", "metrics"):
        assert secret not in kept


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        (
            {"connection_configurations": [MESSAGES]},
            "connection_configurations: One connection must have the role default",
        ),
        ({"connection_configurations": [CLOUD, CLOUD]}, "endpoints: Only one may have the role default."),
        (
            {"endpoints": [MESSAGES["endpoint"]]},
            "connection_configurations: One connection must have the role default",
        ),
        (
            {"endpoints": [{"url": "http://a"}, {"url": "http://b"}]},
            "endpoints: Only one may have the role default",
        ),
        ({"credentials": [LOGIN, LOGIN]}, "credentials: Only one may have the role default."),
        ({"credentials": [{"auth_type": "amqp", **LOGIN}]}, "credentials: This field is required."),
        ({"credentials": []}, "credentials: "),
        ({"credentials": {**LOGIN, "auth_type": "amqp"}}, 'credentials: auth_type: "amqp" is not a valid choice.'),
        (
            {"credentials": {**LOGIN, "auth_type": "password", "authtype": "x"}},
            "credentials: They have several kinds",
        ),
        ({**TOP, "connection_configurations": [CLOUD | {"endpoint": {"port": 443}}]}, "port: It is given twice"),
        ({"connection_configurations": {"amqp": MESSAGES}}, "connection_configurations: It must be a list of"),
        ({"connection_configurations": [{"endpoint": [1]}]}, "connection_configurations: It must be a list of"),
        ({"connection_configurations": [{"endpoint": {"role": 5}}]}, "endpoints: A role must be a string."),
        (
            {"connection_configurations": [CLOUD | {"endpiont": {"port": 443}}]},
            "connection_configurations: Invalid attributes specified: endpiont",
        ),
        (
            {"connection_configurations": [CLOUD | {"endpoint": {"name": "x"}}]},
            "endpoints: Invalid attributes specified: name",
        ),
        (
            {"connection_configurations": [CLOUD | {"authentication": {**LOGIN, "service_account": "arn"}}]},
            "Invalid attributes specified: service_account",
        ),
        (
            {"connection_configurations": [CLOUD | {"authentication": {**LOGIN, "authtype": "amqp"}}]},
            'credentials: auth_type: "amqp" is not a valid choice.',
        ),
    ],
)
def test_what_is_no_single_cloud_is_refused(admin_client: Client, attributes: Any, said: str) -> None:
    assert refusal(create(admin_client, **attributes)).startswith(said)
    assert not Provider.objects.exists()


@pytest.mark.parametrize(
    "form",
    [
        {
            "endpoints": [METRICS["endpoint"], CLOUD["endpoint"]],
            "authentications": [{"authtype": "amqp", "userid": "x", "password": "y"}, CLOUD["authentication"]],
        },
        {
            "endpoints": {"default": {**CLOUD["endpoint"], "valid": True}, "amqp": MESSAGES["endpoint"]},
            "authentications": {"default": {**LOGIN, "valid": True}, "amqp": MESSAGES["authentication"]},
        },
        {"endpoints": {"default": CLOUD["endpoint"]}, "authentications": LOGIN},
    ],
)
def test_the_forms_of_manageiq_s_ui_are_understood(admin_client: Client, form: Any) -> None:
    beside = {"ddf": True, "api_version": "v3", "tenant_mapping_enabled": True, "event_stream_selection": "amqp"}
    is_the_cloud(connected(admin_client, **form, **beside, zone_id=str(Zone.objects.get().pk)))


def test_of_credentials_in_a_list_those_of_the_cloud_count(admin_client: Client) -> None:
    several = [{"auth_type": "metrics", "userid": "a", "password": "b"}, {"auth_type": "default", **LOGIN}]
    is_the_cloud(connected(admin_client, **TOP | {"credentials": several}))
    keys = [{**LOGIN, "authtype": "application_credential"}]
    provider = connected(admin_client, **TOP | {"credentials": keys, "name": "keys"})
    assert provider.credentials == LOGIN | {"auth_type": "application_credential"}
    assert edit(admin_client, provider, credentials=several[:1]).status_code == HTTPStatus.OK
    assert Provider.objects.get(pk=provider.pk).credentials == provider.credentials


@pytest.mark.parametrize(
    ("given", "kept", "verified"),
    [
        ("ssl-without-validation", "ssl", False),
        ("ssl-no-validation", "ssl", False),
        ("ssl-with-validation", "ssl-with-validation", True),
        ("ssl-with-validation-custom-ca", "ssl-with-validation", True),
    ],
)
def test_the_security_protocols_of_other_clients_have_their_meaning(
    admin_client: Client, given: str, kept: str, verified: bool
) -> None:
    attributes = TOP | {"security_protocol": given, "certificate_authority": "PEM", "verify_ssl": 1}
    provider = connected(admin_client, **attributes)
    assert (provider.security_protocol, provider.connection.verify_ssl) == (kept, verified)


def test_a_custom_certificate_authority_has_to_be_given(admin_client: Client) -> None:
    answer = create(admin_client, **TOP | {"security_protocol": "ssl-with-validation-custom-ca"})
    assert refusal(answer).startswith("certificate_authority: ")
    provider = connected(admin_client, **TOP, certificate_authority="PEM")
    answer = edit(admin_client, provider, security_protocol="ssl-with-validation-custom-ca", credentials=LOGIN)
    assert answer.status_code == HTTPStatus.OK


@pytest.mark.parametrize("path", ["/v3", "identity", "/identity/v3/"])
def test_the_path_of_keystone_belongs_to_its_address(admin_client: Client, path: str) -> None:
    provider = connected(admin_client, **TOP, path=path)
    assert provider.endpoint == f"https://keystone.example.org:5000/{path.strip('/')}"
    assert "credentials: Stored" in refusal(edit(admin_client, provider, path="/elsewhere"))


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"api_version": "v2"}, 'api_version: "v2" is not a valid choice.'),
        ({"path": "/v2.0"}, "path: Only version 3 of Keystone's API is supported."),
        ({"hostname": None, "url": "http://k:5000/v2.0/"}, "url: Only version 3 of Keystone's API is supported."),
        ({"url": "http://keystone", "path": "/identity"}, "path: It requires a hostname. A url has its own path."),
        ({"path": "/a?b"}, "path: Enter a path"),
        ({"path": "@evil.example.org"}, "path: Enter a path"),
        ({"zone": "elsewhere"}, "zone: There is no zone elsewhere. The only zone is default."),
        ({"zone_id": 999999}, "zone_id: There is no zone 999999"),
        ({"zone": {"id": "999999"}}, "zone: There is no zone 999999"),
        ({"zone": [1]}, "zone: There is no zone [1]"),
        ({"zone": {"nmae": "default"}}, "zone: A zone must have exactly one of id, href and name."),
        (
            {"zone": {"name": "default", "id": "999999"}},
            "zone: A zone must have exactly one of id, href and name.",
        ),
        ({"zone": {}}, "zone: A zone must have exactly one of id, href and name."),
        ({"tenant_mapping_enabled": "perhaps"}, "tenant_mapping_enabled: Must be a valid boolean."),
    ],
)
def test_what_is_asked_and_is_not_here_is_refused(admin_client: Client, attributes: Any, said: str) -> None:
    assert refusal(create(admin_client, **TOP | attributes)).startswith(said)


def test_the_zone_is_named_in_every_way(admin_client: Client) -> None:
    pk = Zone.objects.get(name="default").pk
    href = f"http://testserver/api/zones/{pk}"
    for number, zone in enumerate(["default", pk, str(pk), href, {"id": pk}, {"href": href}, {"name": "default"}]):
        connected(admin_client, **TOP, name=f"by {number}", zone=zone)
    connected(admin_client, **TOP, name="by none", zone=None)


def test_an_address_is_a_host_where_that_has_no_name(admin_client: Client) -> None:
    rest = {name: value for name, value in TOP.items() if name != "hostname"}
    assert connected(admin_client, **rest, ipaddress="10.0.0.5").hostname == "10.0.0.5"
    is_the_cloud(connected(admin_client, **TOP, ipaddress="10.0.0.5", name="named"))


def test_the_address_of_a_host_with_a_name_changes_nothing(admin_client: Client) -> None:
    provider = connected(admin_client, **TOP)
    endpoint = {"role": "default", "ipaddress": "10.0.0.5"}
    for attributes in (
        {"ipaddress": "10.0.0.5"},
        {"endpoints": [endpoint]},
        {"connection_configurations": [{"endpoint": endpoint}]},
    ):
        assert edit(admin_client, provider, **attributes).status_code == HTTPStatus.OK
        is_the_cloud(Provider.objects.get(pk=provider.pk))
    given = {"hostname": None, "ipaddress": "10.0.0.5"}
    assert refusal(edit(admin_client, provider, **given)).startswith("credentials: Stored")
    assert edit(admin_client, provider, **given, credentials=LOGIN).status_code == HTTPStatus.OK
    assert edit(admin_client, provider, ipaddress="10.0.0.6", credentials=LOGIN).status_code == HTTPStatus.OK
    assert Provider.objects.get(pk=provider.pk).endpoint == "https://10.0.0.6:5000"


def test_who_gives_a_host_gives_up_the_url(admin_client: Client) -> None:
    provider = connected(admin_client, url="http://old.example.org", credentials=LOGIN)
    assert refusal(edit(admin_client, provider, port=443)) == "port: It requires a hostname instead of a url."
    assert refusal(edit(admin_client, provider, hostname="new.example.org")).startswith("credentials: ")
    assert edit(admin_client, provider, connection_configurations=[CLOUD]).status_code == HTTPStatus.OK
    provider.refresh_from_db()
    is_the_cloud(provider)


def test_an_edit_that_names_only_the_kind_of_credentials_keeps_them(admin_client: Client) -> None:
    provider = connected(admin_client, **TOP)
    same = CLOUD | {"authentication": {"authtype": "default"}}
    assert edit(admin_client, provider, connection_configurations=[same]).status_code == HTTPStatus.OK
    provider.refresh_from_db()
    is_the_cloud(provider)


def test_a_name_that_is_taken_is_refused(admin_client: Client) -> None:
    provider = connected(admin_client, **TOP)
    assert refusal(create(admin_client, **TOP)) == "name: A provider with this name already exists."
    other = connected(admin_client, **TOP, name="other")
    assert refusal(edit(admin_client, other, name="private")) == "name: A provider with this name already exists."
    assert edit(admin_client, provider, name="private").status_code == HTTPStatus.OK
