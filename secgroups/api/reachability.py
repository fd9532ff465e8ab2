"""`GET /api/reachability`: whether a service passes from one side to the other, and why."""

from __future__ import annotations

from typing import Any

from django.utils.text import capfirst
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.rest.errors import BadInput
from inventory.rest.http.views import ApiView
from inventory.rest.parameters import LISTING as PARAMETERS_OF_LISTS
from inventory.rest.reading.reader import Reader
from inventory.rest.resources import Viewer
from inventory.rest.shapes import schema_of
from secgroups.analysis import messages
from secgroups.analysis.links import Links, NamedLink
from secgroups.analysis.one_side import PORTS
from secgroups.analysis.questions import check_sides, service_of, side_named, with_port
from secgroups.analysis.reachability import Reachability, Side
from secgroups.api.reachability_list import ReachabilityList
from secgroups.api.reachability_shapes import (
    PROTOCOL,
    SIDE,
    MissingShown,
    PassageShown,
    PathShown,
    ReachabilityListShown,
    ReachabilityShown,
)
from secgroups.api.reachability_shown import service_shown, side_shown, unknown_line_shown, unknown_shown
from secgroups.traffic.addresses import text_of
from secgroups.traffic.effective import Direction
from secgroups.traffic.reachability import Address, Missing, Passage, Path, Port
from secgroups.traffic.services import Service

#: How many paths an answer shows.
PATHS = 100
#: The parameters of lists that an answer about one side takes.
LISTING = PARAMETERS_OF_LISTS - {"collection_class"}


class ReachabilityView(ApiView):
    """Who can reach what, by the rules of security groups."""

    error_subject = "Collection reachability"
    parameters = {"get": ("from", "to", "protocol", "port", *LISTING)}
    names_resources = True

    @extend_schema(
        parameters=[
            OpenApiParameter("from", SIDE, description=capfirst(f"{messages.SIDES}.")),
            OpenApiParameter("to", SIDE, description=capfirst(f"{messages.SIDES}.")),
            OpenApiParameter("protocol", PROTOCOL, description="Without it, the answer is about every service."),
            OpenApiParameter("port", {"type": "integer", "minimum": 0, "maximum": 65535}),
            *(OpenApiParameter(name, str, description="Of lists, with one side.") for name in sorted(LISTING)),
        ],
        responses={200: {"oneOf": [schema_of(ReachabilityShown), schema_of(ReachabilityListShown)]}},
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        """Tell whether a service passes from one side to the other, why, and what is missing.

        With one side alone, list the instances at the other one, page by page.

        A side is an address of the API (`instances/3`), an IP address, a CIDR or `internet`. Of ICMP, `port` is
        the type.
        """
        query, service = self.request.query_params, self._service()
        lists = query.keys() & LISTING
        if lists and query.get("from") and query.get("to"):
            raise BadInput(messages.of_lists(sorted(lists)))
        reader = Reader(self.user, self.hrefs)
        source, target = self._side("from", reader), self._side("to", reader)
        if source and target:
            check_sides(source, target)
            return Response(_Answer(Reachability(source, target, service, reader), self).shown())
        if side := source or target:
            direction: Direction = "outbound" if source else "inbound"
            return Response(self._of_one(side, direction, service, reader))
        raise BadInput(messages.NO_SIDE)

    def _of_one(self, side: Side, direction: Direction, service: Service, reader: Reader) -> ReachabilityListShown:
        if len(side.ports) > PORTS:
            raise BadInput(messages.too_many_ports(side.name, PORTS))
        path = self.hrefs.collection("reachability")
        return ReachabilityList(side, direction, service, reader, self.request.query_params, path).shown()

    def _side(self, parameter: str, viewer: Viewer) -> Side | None:
        text = self.request.query_params.get(parameter, "")
        return side_named(parameter, text, viewer) if text else None

    def _service(self) -> Service:
        query = self.request.query_params
        service = service_of(query.get("protocol"))
        return with_port(service, query["port"]) if "port" in query else service


class _Answer:
    """Shows an answer with links to what it names."""

    def __init__(self, reachability: Reachability, view: ReachabilityView) -> None:
        self._reachability = reachability
        self._links = Links(reachability.rulebook, view.hrefs)
        sides = (*reachability.source.ports, *reachability.target.ports)
        self._names = {port.pk: port.name for port in sides}

    def shown(self) -> ReachabilityShown:
        answer, question = self._reachability, self._reachability.question
        shown: ReachabilityShown = {
            "name": "reachability",
            "from": side_shown(answer.source, self._links),
            "to": side_shown(answer.target, self._links),
            "protocol": answer.service.host_protocol,
            "port": answer.service.port,
            "verdict": answer.verdict,
            "message": answer.message,
            "families": list(question.families),
            "count": len(answer.paths),
            "paths": list(map(self._path, answer.paths[:PATHS])),
            "missing": list(map(self._missing, question.missing)),
            "unknown": [
                *(unknown_line_shown(line, self._links) for line in answer.unknown),
                *(unknown_shown(messages.hidden_ports(name)) for name in answer.with_hidden_ports),
            ],
            "not_considered": answer.not_considered,
        }
        if answer.service.port is None:
            shown["services"] = [service_shown(family, service) for family, service in answer.services]
        return shown

    def _port(self, port: Port | None) -> NamedLink | None:
        return self._links.to("network_ports", port.pk, self._names[port.pk]) if port else None

    def _path(self, path: Path) -> PathShown:
        return {
            "from_port": self._port(path.from_port),
            "to_port": self._port(path.to_port),
            "from_address": _address(path.from_address),
            "to_address": _address(path.to_address),
            "public": path.public,
            "outbound": self._passage(path.outbound),
            "inbound": self._passage(path.inbound),
        }

    def _passage(self, passage: Passage | None) -> PassageShown | None:
        if passage is None:
            return None
        shown: PassageShown = {
            "verdict": passage.verdict,
            "because_of": list(map(self._links.reason, sorted(passage.rules))),
        }
        if passage.reason:
            shown["reason"] = passage.reason
        return shown

    def _missing(self, missing: Missing) -> MissingShown:
        line, port = missing.line, missing.port
        return {
            "direction": missing.direction,
            "resource": self._links.to("network_ports", port.pk, self._names[port.pk]),
            "security_groups": list(map(self._links.group, port.groups)),
            "firewall_rule": {
                "direction": line.direction,
                "network_protocol": missing.family,
                "host_protocol": line.service.host_protocol,
                "port": line.service.port,
                "end_port": line.service.end_port,
                "source_ip_range": line.other_side.source_ip_range,
            },
        }


def _address(address: Address | None) -> str | None:
    return None if address is None else text_of(address.number)
