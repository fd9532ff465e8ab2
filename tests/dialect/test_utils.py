"""What `spec/lib/api/utils_spec.rb` asks of slugs: the short addresses that stand for resources."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.dialect.asking import Answer, caller, get, post, vms

pytestmark = pytest.mark.django_db


def looked_up(client: Client, slug: object) -> Answer:
    [found] = post(client, "/vms", {"action": "query", "resources": [{"href": slug}]})["results"]
    return dict(found)


def test_a_resource_tells_its_slug(admin_client: Client) -> None:
    [vm] = vms("aa")
    assert get(admin_client, f"/vms/{vm.pk}", attributes="href_slug")["href_slug"] == f"vms/{vm.pk}"


def test_a_slug_finds_what_the_caller_may_see(client: Client) -> None:
    [vm] = vms("aa")
    caller(client, "inventory.view_vm")
    assert looked_up(client, f"vms/{vm.pk}")["id"] == str(vm.pk)


def test_a_slug_finds_nothing_for_who_may_not_see_it(client: Client) -> None:
    [vm] = vms("aa")
    caller(client, "inventory.view_instance")
    post(client, "/vms", {"action": "query", "resources": [{"href": f"vms/{vm.pk}"}]}, status=403)


@pytest.mark.parametrize("slug", ["vms/", "/10", "vms", "bogus/{pk}", "auth/{pk}", "vms/99999", None])
def test_what_is_no_slug_finds_nothing(admin_client: Client, slug: str | None) -> None:
    [vm] = vms("aa")
    assert looked_up(admin_client, slug and slug.format(pk=vm.pk))["success"] is False
