"""What instances and groups open to the public: the filter `exposed` and the attribute `exposed_services`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from django import forms
from django.db.models import Q
from django_filters import filters
from drf_spectacular.utils import extend_schema_field

from inventory.db.conditions import Condition, fixed
from inventory.rest.hrefs import Hrefs
from inventory.rest.resources import Viewer
from secgroups import messages
from secgroups.analysis import exposed_services as analysis
from secgroups.analysis.exposed_groups import Exposed, exposed_groups, exposed_vms
from secgroups.analysis.links import Link
from secgroups.traffic.addresses import cidrs
from secgroups.traffic.well_known import name_of

#: 0 to 65535.
PORT = re.compile("[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]")


class ExposedField(forms.Field):
    """A port, or `any`."""

    def to_python(self, value: Any) -> Exposed | None:
        if value in self.empty_values or value == "any":
            return value or None
        if not PORT.fullmatch(str(value)):
            raise forms.ValidationError(messages.neither_port_nor_any(value))
        return int(value)


@extend_schema_field({"type": "string", "pattern": f"^(any|{PORT.pattern})$"})
class _ExposedFilter(filters.Filter):
    field_class = ExposedField


class ExposedGroupFilter(_ExposedFilter):
    """The groups that open a port to public addresses, or anything."""

    def condition(self, value: Exposed, viewer: Viewer) -> Condition:
        return fixed(Q(pk__in=exposed_groups(value, viewer)))


class ExposedVmFilter(_ExposedFilter):
    """The VMs with a port that a group opens so, or that has port security off."""

    def condition(self, value: Exposed, viewer: Viewer) -> Condition:
        return fixed(Q(pk__in=exposed_vms(value, viewer)))


class _ExposedService(TypedDict):
    network_protocol: str
    host_protocol: str | None
    port: int | None
    end_port: int | None
    service: str | None
    source_ip_ranges: list[str]
    breadth: Literal["world", "wide", "narrow"]
    severity: Literal["critical", "high", "medium", "low", "none"]
    public: bool
    exposures: list[Link]


class ExposedService(_ExposedService, total=False):
    """A service that is open to public addresses. `public` says whether a port that opens it has one itself."""

    reason: str


def of_vms(
    vms: Sequence[int], viewer: Viewer, hrefs: Hrefs
) -> Mapping[int, Mapping[str, list[ExposedService] | None]]:
    found = analysis.exposed_services(vms, viewer)
    return {
        pk: {"exposed_services": None if of_vm is None else [_shown(each, hrefs) for each in of_vm]}
        for pk, of_vm in found.items()
    }


def _shown(exposed: analysis.ExposedService, hrefs: Hrefs) -> ExposedService:
    split = exposed.split
    shown: ExposedService = {
        "network_protocol": split.family,
        "host_protocol": split.service.host_protocol,
        "port": split.service.port,
        "end_port": split.service.end_port,
        "service": name_of(split.service),
        "source_ip_ranges": list(cidrs(split.ranges)),
        "breadth": split.breadth,
        "severity": exposed.severity,
        "public": exposed.public,
        "exposures": [{"href": hrefs.resource("exposures", pk), "id": str(pk)} for pk in exposed.exposures],
    }
    if exposed.unsecured:
        shown["reason"] = messages.NO_PORT_SECURITY
    return shown
