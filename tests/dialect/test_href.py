"""What `spec/lib/api/href_spec.rb` asks: the forms in which a client may write an address."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.dialect.asking import post, vms


@pytest.mark.parametrize(
    "href",
    [
        "http://localhost:3000/api/vms/{pk}",
        "http://localhost:3000/api/v1.2.3/vms/{pk}",
        "/api/vms/{pk}",
        "/api/v1.2.3/vms/{pk}",
        "api/vms/{pk}",
        "api/v1.2.3/vms/{pk}",
        "vms/{pk}",
        "/vms/{pk}",
    ],
)
def test_an_address_is_understood(admin_client: Client, db: None, href: str) -> None:
    [vm] = vms("aa")
    [found] = post(admin_client, "/vms", {"action": "query", "resource": {"href": href.format(pk=vm.pk)}})[
        "results"
    ]
    assert found["id"] == str(vm.pk)


def test_the_entry_point_is_no_resource(admin_client: Client, db: None) -> None:
    body = {"action": "query", "resources": [{"href": "http://localhost:3000/api"}]}
    assert post(admin_client, "/vms", body)["results"][0]["success"] is False
