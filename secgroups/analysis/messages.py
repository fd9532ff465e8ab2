"""What answers about reachability say."""

from __future__ import annotations

from collections.abc import Iterable

from secgroups.traffic.services import Service

SIDES = "an instance, VM, network port, security group, address, CIDR or internet"
BOTH_OUTSIDE = "At least one of from and to must be a resource of the inventory"
PORT_WITHOUT_PROTOCOL = "The parameter port needs a protocol with ports or types, such as tcp, udp or icmp"
NO_SIDE = "One of the parameters from and to is required"

_VERBS = {
    "allowed": "can reach",
    "partly": "can reach in part",
    "blocked": "can't reach",
    "unknown": "may or may not reach",
}


def too_many_pairs(limit: int) -> str:
    return f"The two sides have more than {limit} pairs of ports. Choose a smaller side, such as an instance."


def too_many_ports(name: str, limit: int) -> str:
    return f"{name} has more than {limit} ports. Choose a smaller side, such as an instance, or name both sides."


def of_lists(parameters: Iterable[str]) -> str:
    return f"Parameters of lists, which need one side alone: {', '.join(parameters)}"


def too_far(limit: int) -> str:
    return f"Only the first {limit} instances have an offset. Follow the links to the next pages, or filter."


def too_many_to_sort(limit: int) -> str:
    return f"There are more than {limit} instances, which are only in the order of their ids. Filter them to sort."


def too_many_to_explain(limit: int) -> str:
    return f"With expand=resources, a page has at most {limit} instances. Choose a smaller limit."


def no_side(parameter: str, value: str) -> str:
    return f"The value {value} of the parameter {parameter} is not {SIDES}"


SIDE_HELP = (
    "The name of an instance, instances/3, vms/3, network_ports/9, security_groups/7 (its members), an address, "
    "a CIDR or internet."
)
CHOOSE_INSTANCE = "Choose one of these instances, or give its address in the API."


def no_protocol(value: str) -> str:
    return f"The value {value} of the parameter protocol is not a protocol"


def no_port(value: str) -> str:
    return f"The value {value} of the parameter port is not a port"


def verdict(word: str, source: str, target: str, service: Service) -> str:
    """`web-1 can reach db-1 on tcp 5432.`"""
    words = [service.host_protocol or "any service", *([str(service.port)] if service.port is not None else [])]
    return f"{source} {_VERBS[word]} {target} on {' '.join(words)}."


def rules_missing(count: int) -> str:
    return f"{count} {'rule is' if count == 1 else 'rules are'} missing."


def hidden_ports(name: str) -> str:
    return f"{name} has ports that you may not see, or whose addresses or network are not known."


UNKNOWN_PORTS = "Some instances have ports that you may not see, or whose addresses or network are not known."


def no_addresses(name: str) -> str:
    return f"{name} has no port with an address."


NO_WAY = "They have no addresses of one family that meet."
NO_GROUP = "A port has no security group, so no rule can help."
HIDDEN_GROUPS = "A port has only security groups that you may not see, so no rule can be named."
STATELESS = "A security group is stateless: replies need rules of their own."


HIDDEN_RULE = "A rule or the group at its other side is outside your grants."


def not_known(source: str) -> str:
    return f"The addresses of {source} are not known."


def service_not_known(service: Service) -> str:
    return f"The protocol {service.host_protocol} with port {service.port} is not known."
