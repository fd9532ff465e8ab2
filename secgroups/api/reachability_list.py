"""The answer of `GET /api/reachability` with one side: the instances at the other one, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from django.db.models.expressions import OrderBy
from django.http import QueryDict

from inventory.db.conditions import EVERYTHING
from inventory.db.lookups import Numbers
from inventory.rest.errors import BadInput
from inventory.rest.query import order, where
from inventory.rest.query.sorting import BY_ID
from inventory.rest.reading.paging import Page
from inventory.rest.reading.reader import Reader
from inventory.rest.reading.selection import Selection
from inventory.rest.resources import get_resource_type
from secgroups.analysis import messages
from secgroups.analysis.links import Links
from secgroups.analysis.one_side import COUNTED, Found, Judged, OneSide
from secgroups.analysis.outside import ranges_outside
from secgroups.analysis.reachability import Side, services_of
from secgroups.analysis.unknown import Unknown, unknown_of
from secgroups.api.reachability_shapes import (
    RangeShown,
    ReachabilityListShown,
    SideShown,
    UnknownShown,
)
from secgroups.api.reachability_shown import service_shown, side_shown, unknown_line_shown, unknown_shown
from secgroups.traffic.effective import Direction, Line
from secgroups.traffic.reachability import Path, is_known
from secgroups.traffic.services import Service

Order = tuple[str | OrderBy, ...]
#: How many resources a page has at most with the reasons of each.
EXPLAINED = 100


@dataclass(frozen=True)
class ReachabilityList:
    """The answer about one side. `path` is the address of the request without parameters."""

    side: Side
    direction: Direction
    service: Service
    reader: Reader
    query: QueryDict
    path: str

    def shown(self) -> ReachabilityListShown:
        # What is wrong with the request is told before anything is looked up.
        page, selection, sorting = self.page, self.selection, self._order
        count = min(len(self.found.ids), COUNTED)
        ids = self._ids(sorting)
        resources = [] if selection.hidden else self._resources(ids[: page.limit])
        shown: ReachabilityListShown = {
            "name": "reachability",
            "from": None if self.direction == "inbound" else self._side,
            "to": self._side if self.direction == "inbound" else None,
            "protocol": self.service.host_protocol,
            "port": self.service.port,
            "count": count,
            "subcount": len(ids[: page.limit]) if selection.hidden else len(resources),
            "pages": page.pages(count),
            "ranges": self._ranges(),
            "unknown": list(map(self._unknown, unknown_of(self.one_side))),
            "not_considered": self.one_side.not_considered,
            "links": page.links(self.path, self.query, count, self._following(ids, count)),
        }
        if self.found.at_least:
            shown["count_at_least"] = True
        if not selection.hidden:
            shown["resources"] = resources
        return shown

    @cached_property
    def page(self) -> Page:
        return Page.of_request(self.query)

    @cached_property
    def selection(self) -> Selection:
        return Selection.of_request(self.query, get_resource_type("instances"))

    @property
    def _order(self) -> Order:
        return order(get_resource_type("instances"), self.query, self.reader)

    @cached_property
    def one_side(self) -> OneSide:
        filters = [text for text in self.query.getlist("filter[]") if text.strip()]
        condition = where(get_resource_type("instances"), filters, self.reader) if filters else EVERYTHING
        return OneSide(self.side, self.direction, self.service, self.reader, condition)

    @cached_property
    def found(self) -> Found:
        return self.one_side.found()

    @cached_property
    def _links(self) -> Links:
        return Links(self.one_side.rulebook, self.reader.hrefs)

    @property
    def _side(self) -> SideShown:
        return side_shown(self.side, self._links)

    def _ids(self, sorting: Order) -> Sequence[int]:
        """The ids of the page, and one more if there is one."""
        page, found = self.page, self.found
        if page.after is not None:
            return self.one_side.found(page.after, page.limit + 1).ids
        if found.at_least and sorting != BY_ID:
            raise BadInput(messages.too_many_to_sort(COUNTED))
        if found.at_least and page.offset >= COUNTED:
            raise BadInput(messages.too_far(COUNTED))
        if found.at_least and page.offset + page.limit > COUNTED:
            # The last page with an offset goes on to what was not counted.
            before = found.ids[page.offset - 1] if page.offset else 0
            return self.one_side.found(before, page.limit + 1).ids
        if sorting == BY_ID:
            return found.ids[page.offset : page.offset + page.limit + 1]
        rows = get_resource_type("instances").queryset.filter(pk__among=Numbers(found.ids))
        ordered = rows.order_by(*sorting).values_list("pk", flat=True)
        return list(ordered[page.offset : page.offset + page.limit + 1])

    def _following(self, ids: Sequence[int], count: int) -> Page | None:
        page = self.page
        if len(ids) <= page.limit:
            return None
        return replace(page, offset=page.offset + page.limit, after=ids[page.limit - 1] if page.by_id else None)

    def _resources(self, ids: Sequence[int]) -> list[Any]:
        instances = get_resource_type("instances")
        if not self.selection.expanded:
            return [{"href": self.reader.hrefs.resource("instances", pk)} for pk in ids]
        if len(ids) > EXPLAINED:
            raise BadInput(messages.too_many_to_explain(EXPLAINED))
        rows = self.reader.read(instances, instances.queryset.filter(pk__among=Numbers(ids)), self.selection)
        by_id = {int(row["id"]): row for row in rows}
        judged = self.one_side.judged(ids)
        links = Links(judged.rulebook, self.reader.hrefs)
        return [by_id[pk] | _explained(judged, pk, links) for pk in ids if pk in by_id]

    def _unknown(self, unknown: Unknown) -> UnknownShown:
        if isinstance(unknown, Line):
            return unknown_line_shown(unknown, self._links)
        if isinstance(unknown, str):
            return unknown_shown(unknown)
        return {
            "security_group": self._links.to("security_groups", unknown.group, unknown.group_name),
            "firewall_rule": self._links.rule(unknown.rule),
            "message": unknown.message,
        }

    def _ranges(self) -> list[RangeShown]:
        return [
            {
                "source_ip_range": each.cidr,
                "services": [service_shown(each.family, service) for service in each.services],
                "because_of": list(map(self._links.reason, sorted(each.because_of))),
            }
            for each in ranges_outside(self.one_side)
        ]


def _explained(judged: Judged, pk: int, links: Links) -> dict[str, Any]:
    paths: Sequence[Path] = judged.paths[pk]
    passages = [passage for path in paths for passage in (path.outbound, path.inbound) if passage]
    rules = {rule for passage in passages for line in passage.lines if is_known(line) for rule in line.because_of}
    return {
        "services": [service_shown(family, service) for family, service in services_of(paths)],
        "because_of": list(map(links.reason, sorted(rules))),
    }
