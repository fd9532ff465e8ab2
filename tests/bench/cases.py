"""What is read, and the bare query that finds the same.

A case's `path` and statements have placeholders; `filled.Filled` has the values that they are asked with.
"""
# ruff: noqa: S608 - the statements are made of the texts of this module

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

#: What every request of a bench names as its host, so that all answers have the same addresses.
HOST = "127.0.0.1"
#: The read whose answer has the values `next` and `after`: the address of the page that follows, and its last id.
FOLLOWED = "offset"
_API = f"'http://{HOST}/api"

_VM = """vm.id::text AS id, vm.name, vm.guid, vm.description, vm.vendor,
    'ManageIQ::Providers::' || initcap(vm.vendor) || '::CloudManager::Vm' AS type, vm.provider_id::text AS ems_id,
    vm.ems_ref, vm.uid_ems, vm.cloud_tenant_id::text AS cloud_tenant_id, vm.cloud, vm.template, vm.power_state,
    vm.raw_power_state, vm.flavor_name, vm.availability_zone_name, vm.location, vm.created_on, vm.updated_on"""
_GROUP = """sg.id::text AS id, sg.name, sg.description,
    'ManageIQ::Providers::' || initcap(sg.vendor) || '::NetworkManager::SecurityGroup' AS type,
    sg.provider_id::text AS ems_id, sg.ems_ref,
    sg.cloud_tenant_id::text AS cloud_tenant_id, sg.cloud_network_id::text AS cloud_network_id, sg.stateful,
    sg.created_on, sg.updated_on"""
_RULE = """rule.id::text AS id, rule.security_group_id::text AS resource_id, rule.direction, rule.network_protocol,
    rule.host_protocol, rule.port, rule.end_port, rule.source_ip_range,
    rule.source_security_group_id::text AS source_security_group_id,
    rule.source_address_list_id::text AS source_address_list_id, rule.description, rule.ems_ref"""

_INSTANCES = f"SELECT {_API}/instances/' || vm.id AS href, {_VM} FROM inventory_vm vm"
_GROUPS = f"SELECT {_API}/security_groups/' || sg.id AS href, {_GROUP} FROM secgroups_securitygroup sg"
_PAGE = "WHERE vm.cloud ORDER BY vm.id LIMIT"
#: Each group of an instance once, in how many ports it may be.
_HAS = "(SELECT DISTINCT vm_id, security_group_id FROM secgroups_membership WHERE vm_id {owners}) has"
_ITS_GROUPS = f"""SELECT {_API}/instances/' || has.vm_id || '/security_groups/' || sg.id AS href, {_GROUP}
    FROM {_HAS} JOIN secgroups_securitygroup sg ON sg.id = has.security_group_id ORDER BY sg.id"""


@dataclass(frozen=True, slots=True)
class Nested:
    """What each resource has in it: a select with `{owners}`, a condition, and who the owner is."""

    name: str
    owner: str
    select: str

    def of_one(self, owner: str) -> str:
        return self.select.format(owners=f"= {owner}")

    def of_many(self) -> str:
        """With the id of its owner before what belongs to each."""
        columns = self.select.removeprefix("SELECT ")
        return f"SELECT {self.owner} AS owner, {columns}".format(owners="= ANY(%(owners)s)")


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of read. `aim` is how often the floor's time is allowed, None where no goal says so."""

    name: str
    title: str
    path: str
    rows: str
    query: Mapping[str, str] | None = None
    nested: Nested | None = None
    one: bool = False
    aim: float | None = None
    #: How much slower it may be with the large inventory, and how often the floor's time it may take there.
    aim_growth: float | None = None
    aim_large: float | None = None
    #: How many requests a round has.
    batch: int = 20

    def url(self, values: Mapping[str, object]) -> str:
        query = {name: text.format(**values) for name, text in (self.query or {}).items()}
        return self.path.format(**values) + (f"?{urlencode(query)}" if query else "")

    def floor_url(self, how: str, values: Mapping[str, object]) -> str:
        return f"/{how}/{self.name}?{urlencode(values)}"

    @property
    def json(self) -> str:
        """The statement that makes the resources as one JSON text, and finds nothing where there are none."""
        if self.one:
            return f"SELECT row_to_json(r) FROM ({self.rows}) r"
        if not self.nested:
            return f"SELECT json_agg(row_to_json(r)) FROM ({self.rows}) r"
        inner = f"SELECT json_agg(row_to_json(n)) FROM ({self.nested.of_one('r.id::bigint')}) n"
        whole = f"SELECT r.*, coalesce(({inner}), '[]') AS {self.nested.name} FROM ({self.rows}) r"
        return f"SELECT json_agg(row_to_json(w)) FROM ({whole}) w"


ONE = Case(
    "one",
    "one resource",
    "/api/instances/{pk}",
    f"{_INSTANCES} WHERE vm.id = %(pk)s AND vm.cloud",
    one=True,
    aim=3,
    aim_growth=1.2,
)
LIST = Case(
    "list-1000",
    "list of 1000",
    "/api/instances",
    f"{_INSTANCES} {_PAGE} 1000",
    {"expand": "resources"},
    aim=1.5,
    aim_growth=1.2,
    batch=5,
)
CASES = (
    LIST,
    Case(
        "list-50",
        "list of 50",
        "/api/instances",
        f"{_INSTANCES} {_PAGE} 50",
        {"expand": "resources", "limit": "50"},
        aim=3,
        aim_growth=1.2,
    ),
    ONE,
    Case(
        "filtered-50",
        "filtered list of 50, `name='...*'`",
        "/api/instances",
        f"{_INSTANCES} WHERE vm.cloud AND vm.name LIKE %(prefix)s || '%%' ORDER BY vm.id LIMIT 50",
        {"expand": "resources", "limit": "50", "filter[]": "name='{prefix}*'"},
        aim=3,
        aim_growth=1.2,
    ),
    Case(
        "filtered-name",
        "filtered list, `?name=...`",
        "/api/instances",
        f"{_INSTANCES} WHERE vm.cloud AND vm.name = %(name)s ORDER BY vm.id LIMIT 50",
        {"expand": "resources", "limit": "50", "name": "{name}"},
        aim=3,
        aim_growth=1.2,
    ),
    Case(
        "filtered-ref",
        "filtered list, `ems_ref='...'`",
        "/api/instances",
        f"{_INSTANCES} WHERE vm.cloud AND vm.ems_ref = %(ems_ref)s ORDER BY vm.id LIMIT 50",
        {"expand": "resources", "limit": "50", "filter[]": "ems_ref='{ems_ref}'"},
        aim=3,
        aim_growth=1.2,
    ),
    Case(
        "offset",
        "50 rows at nine tenths of all",
        "/api/instances",
        f"""{_INSTANCES} WHERE vm.id IN
            (SELECT id FROM inventory_vm WHERE cloud ORDER BY id OFFSET %(offset)s LIMIT 50) ORDER BY vm.id""",
        {"expand": "resources", "limit": "50", "offset": "{offset}"},
        aim=3,
        aim_large=1.2,
        batch=10,
    ),
    Case(
        "next",
        "the 50 after that, by `links.next`",
        "{next}",
        f"{_INSTANCES} WHERE vm.cloud AND vm.id > %(after)s ORDER BY vm.id LIMIT 50",
        aim=3,
        aim_growth=1.2,
    ),
    Case(
        "groups-of-one",
        "an instance's groups",
        "/api/instances/{pk}/security_groups",
        _ITS_GROUPS.format(owners="= %(pk)s"),
        {"expand": "resources"},
        aim=3,
        aim_growth=1.2,
    ),
    Case(
        "with-groups",
        "1000 instances with their groups",
        "/api/instances",
        f"{_INSTANCES} {_PAGE} 1000",
        {"expand": "resources,security_groups"},
        Nested("security_groups", "has.vm_id", _ITS_GROUPS),
        aim=2,
        batch=3,
    ),
    Case(
        "with-rules",
        "1000 groups with their rules",
        "/api/security_groups",
        f"{_GROUPS} ORDER BY sg.id LIMIT 1000",
        {"expand": "resources,firewall_rules"},
        Nested(
            "firewall_rules",
            "rule.security_group_id",
            f"""SELECT {_API}/security_groups/' || rule.security_group_id || '/firewall_rules/' || rule.id AS href,
                {_RULE} FROM secgroups_firewallrule rule
                WHERE rule.security_group_id {{owners}} ORDER BY rule.id""",
        ),
        batch=3,
    ),
)
BY_NAME = {case.name: case for case in CASES}
