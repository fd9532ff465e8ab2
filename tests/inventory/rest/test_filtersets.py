"""The ordinary filter parameters, by django-filter."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client

from inventory.models import Provider, Vm
from secgroups.models import SecurityGroup
from tests.cast import Cast

pytestmark = pytest.mark.usefixtures("company")


def names(client: Client, url: str) -> list[str]:
    separator = "&" if "?" in url else "?"
    answer = client.get(f"{url}{separator}expand=resources&attributes=name")
    assert answer.status_code == HTTPStatus.OK, answer.content
    return [resource["name"] for resource in answer.json()["resources"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name=production-single", ["production-single"]),
        ("name=Production-single", []),
        ("name__icontains=DUCTION-S", ["production-single"]),
        ("name__iexact=PRODUCTION-Single", ["production-single"]),
        ("name__istartswith=STAGING", ["staging-single", "staging-double"]),
        ("name__in=production-single,staging-double", ["production-single", "staging-double"]),
        ("name=production-single&power_state=off", []),
        ("power_state__in=on,off&name__iendswith=DOUBLE", ["production-double", "staging-double"]),
        ("description__isnull=false", []),
        ("template=false&name__icontains=staging", ["staging-single", "staging-double"]),
        ("template=true", []),
        ("created_on__gt=2020-01-01T00:00:00Z&name=staging-single", ["staging-single"]),
        ("created_on__lt=2020-01-01", []),
        ("created_on__gt=2020-01-01T00:00:00-20:14&name=staging-single", ["staging-single"]),
        ("name=", []),
        ("name__in=", []),
        ("id__in=", []),
        ("name__icontains=&power_state__in=", []),
        ("name__icontains=&name__istartswith=staging-s", ["staging-single"]),
        ("name=%20staging-single", []),
        ("id=9223372036854775807", []),
        ("ems_id=-1", []),
    ],
)
def test_parameters_leave_what_fits_them_all(admin_client: Client, query: str, expected: list[str]) -> None:
    assert names(admin_client, f"/api/vms?{query}") == expected


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("created_on=2026-01-02", True),
        ("created_on=2026-01-01", False),
        ("created_on=2026-01-02 12:30:00 UTC", True),
        ("created_on=2026-01-02T12:30:01", False),
        ("created_on__lt=2026-01-02", False),
        ("created_on__lte=2026-01-02", True),
        ("created_on__gt=2026-01-02", False),
        ("created_on__gte=2026-01-02", True),
    ],
)
def test_a_date_is_the_whole_day(admin_client: Client, query: str, fits: bool) -> None:
    Vm.objects.filter(name="staging-single").update(created_on=datetime(2026, 1, 2, 12, 30, tzinfo=UTC))
    assert names(admin_client, f"/api/vms?{query}&name=staging-single") == ["staging-single"] * fits


def test_a_wildcard_in_a_value_is_text(admin_client: Client) -> None:
    assert names(admin_client, "/api/vms?name__icontains=%25") == []
    assert names(admin_client, "/api/vms?name__icontains=_") == []


def test_a_text_is_compared_with_the_blanks_around_it(admin_client: Client, company: Cast) -> None:
    SecurityGroup.objects.filter(pk=company.staging.web.pk).update(name=" lead ")
    SecurityGroup.objects.filter(pk=company.staging.db.pk).update(description="")
    for query in ("name=%20lead%20", "name__in=%20lead%20,x", "name__istartswith=%20L", "name__iendswith=D%20"):
        assert names(admin_client, f"/api/security_groups?{query}") == [" lead "]
    assert names(admin_client, "/api/security_groups?name=lead") == []
    assert names(admin_client, "/api/security_groups?description=") == ["db"]


def test_ids_of_relations_can_be_asked_for(admin_client: Client, company: Cast) -> None:
    url = f"/api/security_groups?cloud_network_id={company.staging.network.pk}"
    assert names(admin_client, url) == ["default", "web", "db"]
    assert names(admin_client, f"{url}&ems_id={Provider.objects.get(name='other').pk}") == []
    assert len(names(admin_client, f"/api/security_groups?id__in={company.staging.web.pk},1,999")) <= 2


def test_numbers_are_compared(admin_client: Client) -> None:
    def count(query: str) -> int:
        return admin_client.get(f"/api/firewall_rules?{query}").json()["subcount"]

    assert count("port__gte=5432") == count("port=5432") == count("port__in=1,5432") == 2
    assert count("port__gt=5432") == 0
    assert count("port__lt=5432") == 2
    assert count("port__lte=5432") == 4


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("cloud_tenant_id=x", "cloud_tenant_id: Enter a whole number."),
        ("cloud_tenant_id=1.5", "cloud_tenant_id: Enter a whole number."),
        ("ems_id=9223372036854775808", "ems_id: Ensure this value is less than or equal to 9223372036854775807."),
        ("template=yes", "template: Select a valid choice. yes is not one of the available choices."),
        ("created_on__lt=soon", "created_on__lt: Bad format for datetime: soon"),
        ("guid=1", "guid: Enter a valid UUID."),
        ("name=%00", "name: Null characters are not allowed."),
        ("ems_id__in=1,x", "ems_id__in: Enter a whole number."),
        ("name__isnull=", "name__isnull: A value is missing."),
        ("template=", "template: A value is missing."),
        ("id=", "id: A value is missing."),
        ("id__in=1,,2", "id__in: A value is missing."),
        ("created_on__gt=", "created_on__gt: A value is missing."),
        ("guid=", "guid: A value is missing."),
        ("ems_id=x&guid=1", "ems_id: Enter a whole number.; guid: Enter a valid UUID."),
    ],
)
def test_what_is_wrong_with_a_parameter_is_named(admin_client: Client, query: str, message: str) -> None:
    answer = admin_client.get(f"/api/vms?{query}")
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"]["message"] == message


def test_counts_pages_and_links_follow_what_was_found(admin_client: Client) -> None:
    answer: dict[str, Any] = admin_client.get("/api/vms?name__icontains=staging&limit=1").json()
    found = (answer["count"], answer["subquery_count"], answer["subcount"], answer["pages"])
    assert found == (4, 2, 1, 2)
    assert "offset=1" in answer["links"]["next"]
    assert "name__icontains=staging" in answer["links"]["next"]
    assert "subquery_count" not in admin_client.get("/api/vms?limit=1").json()


def test_a_filter_that_leaves_everything_is_a_filter_too(admin_client: Client) -> None:
    answer = admin_client.get("/api/firewall_rules?filter[]=port!=80.5").json()
    assert answer["count"] == answer["subquery_count"]


def test_they_narrow_a_subcollection_too(admin_client: Client, company: Cast) -> None:
    url = f"/api/providers/{company.acme.pk}/security_groups?name=web"
    assert names(admin_client, url) == ["web", "web"]
    assert admin_client.get(url).json()["count"] == 6


def test_the_browsable_api_has_a_form_of_them(admin_client: Client) -> None:
    page = admin_client.get("/api/vms?name__icontains=x", headers={"accept": "text/html"}).content.decode()
    assert 'id="filtersModal"' in page
    assert '<input type="text" name="name__icontains" value="x"' in page
    assert '<option value="" selected>' in page
    assert 'name="filter[]"' in page
