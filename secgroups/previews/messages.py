"""What previews warn of."""

from __future__ import annotations

from collections.abc import Iterable

NO_EFFECT = "Nothing appears in the effective rules, and nothing disappears."
CONNECTIONS_STAY = "Connections that are open already may stay open, because clouds track connections."
HIDDEN_PORTS = "There are ports that you may not see. What they let through is not known."
HIDDEN_GROUPS = "There are security groups that you may not see. What they let through is not known."
HIDDEN_USERS = "Ports or rules that you may not see use it."
UNKNOWN_LINES = "The addresses, the protocol or the ports of some lines are not known."
NOT_ASKED = "The inventory does not have this security group. Only the cloud knows, which `cloud` asks."
NOT_IN_INVENTORY = "The cloud has ports or security groups that the inventory does not have yet."
NO_ANSWER = "The cloud did not answer in time. A task would ask again."
USUAL_RULES = "The cloud chooses the rules of a new group. These are the usual ones."
PLACE_NOT_KNOWN = "The cloud chooses the network, in which the name may be taken. `cloud` asks it."


def too_many_rules(limit: int) -> str:
    return (
        f"The security group would have more than {limit} rules of this direction and family. The cloud refuses "
        "that unless the account's limit was raised."
    )


def open_to_world(services: Iterable[str]) -> str:
    return f"Every public address can connect: {', '.join(services)}."


def no_group_left(ports: Iterable[str]) -> str:
    return f"Port {', '.join(ports)} has no security group left."


def locked_out(ports: Iterable[str]) -> str:
    return f"Nothing can connect to port {', '.join(ports)} after that."


def too_many_groups(ports: Iterable[str], limit: int) -> str:
    return (
        f"Port {', '.join(ports)} would have more than {limit} security groups. The cloud refuses that unless the "
        "account's limit was raised."
    )
