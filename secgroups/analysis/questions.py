"""Questions about reachability, as the API and the admin take them: in texts."""

from __future__ import annotations

from inventory.drivers.protocols import WITH_PORTS, WITH_TYPES, protocol_named
from inventory.rest.errors import BadInput, NotFound
from inventory.rest.hrefs import id_in
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.analysis import messages
from secgroups.analysis.reachability import LOOKUPS, PAIRS, Side, outside, resource
from secgroups.traffic.services import Service


def side_named(parameter: str, text: str, viewer: Viewer) -> Side:
    """The side that a text means: `instances/3` or its address, an IP address, a CIDR or `internet`."""
    ids = ((collection, id_in(text, collection)) for collection in LOOKUPS if "/" in text)
    for collection, pk in ids:
        if pk is not None:
            if side := resource(collection, pk, viewer):
                return side
            raise NotFound(get_resource_type(collection).label, pk)
    if side := outside(text):
        return side
    raise BadInput(messages.no_side(parameter, text))


def check_sides(source: Side, target: Side) -> None:
    """Raise `BadInput` for sides that can't be judged together."""
    if not (source.collection or target.collection):
        raise BadInput(messages.BOTH_OUTSIDE)
    if max(len(source.ports), 1) * max(len(target.ports), 1) > PAIRS:
        raise BadInput(messages.too_many_pairs(PAIRS))


def service_of(protocol: str | None) -> Service:
    """The whole protocol of this name, or every service. An empty name is none."""
    service = Service(protocol_named(protocol))
    if service.range() is None:
        raise BadInput(messages.no_protocol(protocol or ""))
    return service


def with_port(service: Service, text: str) -> Service:
    """One port of this protocol; of ICMP, one type."""
    protocol = service.host_protocol
    if protocol not in WITH_PORTS | WITH_TYPES:
        raise BadInput(messages.PORT_WITHOUT_PROTOCOL)
    port = int(text) if text.isascii() and text.isdigit() and len(text) <= len("65535") else -1
    found = Service(protocol, port) if protocol in WITH_TYPES else Service(protocol, port, port)
    if found.range() is None:
        raise BadInput(messages.no_port(text))
    return found
