"""`filter[]`, case by case, on whatever database the tests run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User

from inventory.api import NetworkPortViewSet, ProviderViewSet, VmViewSet
from inventory.db.conditions import EVERYTHING
from inventory.models import CloudTenant, NetworkPort, Provider, Vm
from inventory.rest.errors import BadInput
from inventory.rest.query import related, where
from inventory.rest.reading.rows import RowQuery
from inventory.rest.resources import Viewer
from secgroups.api import SecurityGroupViewSet
from tests.cast import Cast, provider
from tests.queries import SUPERVISOR

ROWS: dict[str, dict[str, Any]] = {
    "web": {"project": "Web", "port": 80, "last_refresh_date": datetime(2026, 1, 1, tzinfo=UTC)},
    "web%1": {"project": "100%", "port": 443, "enabled": False},
    "web_1": {"project": "a_b", "port": None},
    "web*1": {"project": "a*b", "last_refresh_date": datetime(2026, 1, 1, 12, 30, 0, 5, tzinfo=UTC)},
    "it's": {"project": 'say "x"'},
    "back\\slash": {"project": "a\nb"},
    "[x]?": {"project": ""},
    "Ärger": {"project": "äöü"},
    "null": {"project": "NULL"},
}


@pytest.fixture
def rows(db: None) -> None:
    for name, attributes in ROWS.items():
        provider(name, **attributes)


def found(*filters: str, viewset: Any = ProviderViewSet) -> list[str]:
    asked = where(viewset.resource_type, filters, SUPERVISOR)
    anew = list(viewset.queryset.filter(asked.q()).order_by("pk").values_list("pk", "name"))
    kept = RowQuery(viewset.resource_type, EVERYTHING).filter(asked)
    assert kept.ids() == [pk for pk, _ in anew]
    assert kept.count() == len(anew)
    return [name for _, name in anew]


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("name='web'", ["web"]),
        ("name=web", ["web"]),
        ("name='Web'", []),
        ("name='web%'", ["web", "web%1", "web_1", "web*1"]),
        ("name='web*'", ["web", "web%1", "web_1", "web*1"]),
        ("name=WEB*", []),
        ("name='%1'", ["web%1", "web_1", "web*1"]),
        ("name='*e*_*'", ["web_1"]),
        ("name='web_1'", ["web_1"]),
        ("name='web?1'", []),
        ("name='[x]?'", ["[x]?"]),
        ("name='[x]*'", ["[x]?"]),
        ("name='*\\*'", ["back\\slash"]),
        ("name='it's'", ["it's"]),
        ("name='*Ä*'", ["Ärger"]),
        ("name='*ä*'", []),
        ("project='a*b'", ["web_1", "web*1", "back\\slash"]),
        ("name=='web*1'", ["web*1"]),
        ("name=='web*'", []),
        ("name!=='web'", [name for name in ROWS if name != "web"]),
        ("name!='web*'", ["it's", "back\\slash", "[x]?", "Ärger", "null"]),
        ("project=NULL", []),
        ("project='NULL'", ["null"]),
        ("port=NULL", ["web_1", "web*1", "it's", "back\\slash", "[x]?", "Ärger", "null"]),
        ("port!=nil", ["web", "web%1"]),
        ("port!=80", [name for name in ROWS if name != "web"]),
        ("port!==[80,443]", [name for name in ROWS if name not in {"web", "web%1"}]),
        ("port!=[80,NULL]", ["web%1"]),
        ("port=[80,NULL]", [name for name in ROWS if name != "web%1"]),
        ("port>80", ["web%1"]),
        ("port>=80", ["web", "web%1"]),
        ("port<80.5", ["web"]),
        ("port<=79.9", []),
        ("port='80'", ["web"]),
        ("port=80.0", ["web"]),
        ("port=80.5", []),
        ("port!=80.5", list(ROWS)),
        ("port<-99999999999999999999", []),
        ("port<99999999999999999999", ["web", "web%1"]),
        ("port>-1", ["web", "web%1"]),
        ("port=99999999999999999999", []),
        ("enabled=false", ["web%1"]),
        ("enabled!=TRUE", ["web%1"]),
        ("enabled='false'", ["web%1"]),
        ("project=''", ["[x]?"]),
        ("project=", ["[x]?"]),
        ("name=[web,'web*1',it's]", ["web", "web%1", "web_1", "web*1", "it's"]),
        ("name==['web*1']", ["web*1"]),
        ("name<'it'", ["back\\slash", "[x]?"]),
        ("name>='web_1'", ["web_1", "Ärger"]),
        ("last_refresh_date=2026-01-01", ["web", "web*1"]),
        ("last_refresh_date!=2026-01-01", [name for name in ROWS if name not in {"web", "web*1"}]),
        ("last_refresh_date=['2025-12-31',2026-01-01T00:00:00Z]", ["web"]),
        ("last_refresh_date<=2026-01-01", ["web", "web*1"]),
        ("last_refresh_date<2026-01-01", []),
        ("last_refresh_date>2025-12-31", ["web", "web*1"]),
        ("last_refresh_date>=2026-01-01", ["web", "web*1"]),
        ("last_refresh_date=2026-01-01 00:00:00 UTC", ["web"]),
        ("last_refresh_date='2026-01-01 01:00:00 +0100'", ["web"]),
        ("last_refresh_date>9999-12-31", []),
        ("last_refresh_date='2026-01-01T12:30:00.000005Z'", ["web*1"]),
        ("last_refresh_date>2026-01-01", []),
        ("last_refresh_date>=2026-01-01T01:00:00+01:00", ["web", "web*1"]),
        ("last_refresh_date<'2026-01-01 12:30:00.000005'", ["web"]),
        ("last_refresh_date<=2026-01-01T00:00", ["web"]),
        ("last_refresh_date=NULL", [name for name in ROWS if name not in {"web", "web*1"}]),
        ("total_vms=0", list(ROWS)),
        ("total_vms>0", []),
        ("name=~/^web.1$/", ["web%1", "web_1", "web*1"]),
        ("name=~'/^WEB$/i'", ["web"]),
        ("name=~^web$", ["web"]),
        ("name!~/e/", ["it's", "back\\slash", "[x]?", "null"]),
        ("project=~/a.b/", ["web_1", "web*1", "back\\slash"]),
        ("id=0", []),
    ],
)
def test_a_filter_leaves_what_it_says(text: str, names: list[str]) -> None:
    assert found(text) == names


@pytest.mark.usefixtures("rows")
def test_null_is_unequal_to_every_value_and_in_no_order() -> None:
    Provider.objects.filter(name="web").update(project=None)
    assert "web" in found("project!='x'")
    assert "web" in found("project!=='x'")
    assert "web" in found("project!~/x/")
    assert "web" not in found("project=~/.*/")
    assert "web" not in [*found("project<'x'"), *found("project>='x'")]
    assert found("project=NULL") == ["web"]
    assert "web" not in found("project!=NULL")


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (["name='web*'", "port=80"], ["web"]),
        (["name='web*'", "or name='null'"], ["web", "web%1", "web_1", "web*1", "null"]),
        (["or name='null'", "name='web*'", "port=80"], ["web", "null"]),
        (["name='x'", "or name='web'", "or name='null'"], ["web", "null"]),
        (["or name='web'"], ["web"]),
        (["or name='web'", "or name='null'"], ["web", "null"]),
    ],
)
def test_all_are_anded_and_each_or_is_an_alternative_to_the_rest(filters: list[str], names: list[str]) -> None:
    assert found(*filters) == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo=1", "attribute Provider-foo does not exist"),
        ("credentials=x", "attribute Provider-credentials does not exist"),
        ("foo.name=1", "attribute Provider-foo.name does not exist"),
        ("vms.foo=1", "attribute Vm-foo does not exist"),
        (
            "vms.cloud_tenant.name=1",
            "Filtering of attributes with more than one association away is not supported",
        ),
        ("port=x", "Invalid value for port: x is not a number"),
        ("port=1e3", "Invalid value for port: 1e3 is not a number"),
        ("port=", "Invalid value for port:  is not a number"),
        ("enabled=yes", "Invalid value for enabled: yes is neither true nor false"),
        ("enabled>true", "Invalid operator for enabled: > can't be used with a boolean"),
        ("created_on=foo", "Bad format for datetime: foo"),
        ("created_on=2026-13-01", "Bad format for datetime: 2026-13-01"),
        ("created_on>0001-01-01T00:00:00+10:00", "Bad format for datetime: 0001-01-01T00:00:00+10:00"),
        ("vms.ipaddresses>1", "Invalid operator for ipaddresses: > can't be used with a list"),
        ("vms.ipaddresses!~/1/", "Invalid operator for ipaddresses: !~ can't be used with a list"),
        ("guid=x", "Invalid value for guid: x is not a UUID"),
        ("name>NULL", "Invalid operator for name: > can't be used with null"),
        ("name<[a,b]", "Invalid operator for name: < can't be used with a list"),
        ("name=~NULL", "Invalid operator for name: =~ can't be used with null"),
        ("port=~/8/", "Invalid operator for port: =~ can't be used with a number"),
        ("href_slug=x", "attribute Provider-href_slug can't be used in filters: it is not a scalar"),
        ("name", "Unknown operator specified in filter name"),
    ],
)
def test_what_is_wrong_with_a_filter_is_named(db: None, text: str, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        found(text)
    assert str(refused.value.detail) == message


def test_too_many_filters_are_refused(db: None) -> None:
    with pytest.raises(BadInput, match="Too many filters"):
        found(*["name=x"] * 101)


# --- One relation away ---


def of_vms(*filters: str) -> list[str]:
    return found(*filters, viewset=VmViewSet)


def test_a_relation_to_one_is_asked_for_its_attribute(cast: Cast) -> None:
    assert len(of_vms("ext_management_system.name='acme'")) == 4
    assert of_vms("ext_management_system.name='other'") == []
    assert len(of_vms("cloud_tenant.total_vms=4")) == 4


def test_of_nothing_every_attribute_is_null(cast: Cast) -> None:
    Vm.objects.filter(pk=cast.production.single.pk).update(cloud_tenant=None)
    CloudTenant.objects.update(description="x")
    assert of_vms("cloud_tenant.description=NULL") == ["production-single"]
    assert of_vms("cloud_tenant.description!='x'") == ["production-single"]
    assert len(of_vms("cloud_tenant.description!=NULL")) == 3
    assert len(of_vms("cloud_tenant.description='x'")) == 3


def test_of_a_relation_to_many_one_has_to_fit_and_is_counted_once(cast: Cast) -> None:
    assert of_vms("security_groups.name='def*'") == [
        "production-single",
        "production-double",
        "staging-single",
        "staging-double",
    ]
    assert of_vms("security_groups.name!='default'") == []
    assert of_vms(f"security_groups.id={cast.staging.default.pk}") == ["staging-single", "staging-double"]
    assert found("vms.name='production-double'", viewset=SecurityGroupViewSet) == ["default"]


@pytest.fixture
def addresses(cast: Cast) -> None:
    """`production-double` has one on each of its ports; no other VM has any."""
    first, second = cast.production.double.network_ports.order_by("pk")
    NetworkPort.objects.filter(pk=first.pk).update(
        ipaddresses=["10.1.2.3", "fe80::1"],
        mac_address="02:00:00:00:00:01",
        public_ipaddresses=["198.51.100.1"],
        allowed_address_pairs=["10.0.0.0/24"],
    )
    NetworkPort.objects.filter(pk=second.pk).update(ipaddresses=['a"b\\c*'])
    NetworkPort.objects.create(provider=cast.acme, ems_ref="unused", ipaddresses=["10.9.9.9"])


@pytest.mark.usefixtures("addresses")
@pytest.mark.parametrize("few", [0, 1000])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ipaddresses='10.1.2.3'", True),
        ("ipaddresses=fe80::1", True),
        ("ipaddresses='10.1.2.%'", True),
        ("ipaddresses='*a\"b\\c**'", True),
        ("ipaddresses=='a\"b\\c*'", True),
        ("ipaddresses=='10.1.*'", False),
        ("ipaddresses='10.1.2'", False),
        ("ipaddresses='10.9.9.9'", False),
        ("ipaddresses=[10.1.2.9,10.1.2.3]", True),
        ("ipaddresses!=NULL", True),
        ("mac_addresses='02:00:*'", True),
        ("mac_addresses!=nil", True),
        ("network_ports.ipaddresses='10.1.2.3'", True),
        ("public_ipaddresses='198.51.*'", True),
        ("public_ipaddresses='10.1.2.3'", False),
        ("network_ports.allowed_address_pairs='10.0.0.0/24'", True),
    ],
)
def test_of_a_list_one_has_to_fit(
    cast: Cast, text: str, found: bool, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(related, "FEW", few)
    every = ["production-single", "production-double", "staging-single", "staging-double"]
    expected = ["production-double"] if found else []
    assert of_vms(text) == expected
    attribute, equals, rest = text.partition("=")
    if "." not in attribute:
        opposite = f"{attribute[:-1]}={rest}" if attribute.endswith("!") else f"{attribute}!{equals}{rest}"
        assert of_vms(opposite) == [name for name in every if name not in expected]


@pytest.mark.usefixtures("addresses")
def test_a_port_is_found_by_its_own_addresses(cast: Cast) -> None:
    def refs(*filters: str) -> list[str]:
        asked = where(NetworkPortViewSet.resource_type, filters, SUPERVISOR)
        kept = RowQuery(NetworkPortViewSet.resource_type, EVERYTHING).filter(asked)
        rows = NetworkPort.objects.filter(asked.q()).order_by("pk")
        assert kept.ids() == list(rows.values_list("pk", flat=True))
        return list(rows.values_list("ems_ref", flat=True))

    first = "eni-production-double-1"
    assert refs("ipaddresses='10.1.2.3'") == [first]
    assert refs("ipaddresses='10.*'") == [first, "unused"]
    assert refs("ipaddresses=[NULL,10.9.9.9]", "ems_ref!='eni-staging*'") == ["eni-production-single-1", "unused"]
    assert refs("device.ipaddresses='10.1.2.3'") == [first, "eni-production-double-2"]
    assert refs("ipaddresses!='10.*'", "ipaddresses!=NULL") == ["eni-production-double-2"]
    assert refs("public_ipaddresses!=NULL") == refs("allowed_address_pairs='10.*'") == [first]


def test_what_may_not_be_seen_is_not_there_for_a_filter(cast: Cast, django_user_model: type[User]) -> None:
    def unseen(*filters: str) -> int:
        condition = where(VmViewSet.resource_type, filters, Viewer(User(is_active=False)))
        return Vm.objects.filter(condition.q()).count()

    assert unseen("ext_management_system.name='acme'") == 0
    assert unseen("ext_management_system.name!='acme'") == 4
    assert unseen("security_groups.name='default'") == 0
