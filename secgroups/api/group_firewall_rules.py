"""The firewall rules of a security group, which can be created and deleted on the cloud."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Any

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.drivers.protocols import WITH_TYPES, protocol_named
from inventory.rest.actions.viewset import DeleteMixin
from inventory.rest.errors import BadInput
from secgroups.api.edits import EditingViewSet
from secgroups.api.endings import ENDING, EndingInput, EndingsMixin
from secgroups.api.firewall_rules import FirewallRuleViewSet
from secgroups.api.previews import PreviewOfChange
from secgroups.models import FirewallRule
from secgroups.services import Edit, Refused, rule_creation, rule_deletion

KIND = "firewall rule"
#: The attributes that name the other side.
SOURCES = ("source_ip_range", "source_security_group_id", "source_address_list_id")
#: Python also takes an IPv6 scope, which means nothing to a cloud, and dotted masks: it takes the mask 0.0.0.0 for
#: everybody, others take it for a single host.
_CIDR = re.compile(r"[0-9A-Fa-f:.]+(/[0-9]{1,3})?")


class NewRuleInput(EndingInput):
    """A new rule. Without protocol and port it applies to all. For ICMP, they are the type and the code."""

    resource_id = serializers.CharField(required=False, help_text="The id of the group; optional.")
    direction = serializers.ChoiceField(FirewallRule.Direction.choices)
    network_protocol = serializers.ChoiceField(
        FirewallRule.NetworkProtocol.choices, required=False, allow_null=True
    )
    host_protocol = serializers.RegexField(r"^[a-zA-Z0-9-]{1,32}$", required=False, allow_null=True)
    port = serializers.IntegerField(min_value=-1, max_value=65535, required=False, allow_null=True)
    end_port = serializers.IntegerField(min_value=-1, max_value=65535, required=False, allow_null=True)
    source_ip_range = serializers.CharField(
        max_length=64, required=False, allow_null=True, help_text="The other side's CIDR."
    )
    source_security_group_id = serializers.CharField(required=False, allow_null=True)
    source_address_list_id = serializers.CharField(
        required=False, allow_null=True, help_text="A list of addresses that rules already name."
    )
    description = serializers.CharField(max_length=255, required=False, allow_null=True, allow_blank=True)

    def validate_host_protocol(self, value: str | None) -> str | None:
        name = protocol_named(value)
        # Some clouds take 0 for any.
        if value is not None and (name is None or not value.strip("0")):
            raise serializers.ValidationError("Omit it for any protocol.")
        if name and name.isdigit() and int(name) > 255:
            raise serializers.ValidationError("Protocol numbers end at 255.")
        return name

    def validate_source_ip_range(self, value: str | None) -> str | None:
        if value is None:
            return None
        if not _CIDR.fullmatch(value):
            raise serializers.ValidationError(f"{value} is not a valid CIDR.")
        try:
            # As clouds store it: without host bits.
            return str(ip_network(value, strict=False))
        except ValueError as error:
            raise serializers.ValidationError(f"{value} is not a valid CIDR.") from error

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return attrs | _ports(attrs) | _source(attrs)


def _ports(payload: dict[str, Any]) -> dict[str, int | None]:
    """The range of ports, or the type and code of ICMP."""
    protocol, port, end = payload.get("host_protocol"), payload.get("port"), payload.get("end_port")
    if protocol in WITH_TYPES:
        kind, code = (None if number == -1 else number for number in (port, end))
        if max(kind or 0, code or 0) > 255 or (kind is None and code is not None):
            raise serializers.ValidationError({"port": f"{protocol} takes a type and a code up to 255."})
        return {"port": kind, "end_port": code}
    if port is None and end is not None:
        raise serializers.ValidationError({"end_port": "It requires a port."})
    if port is None:
        return {"port": None, "end_port": None}
    if protocol is None:
        # A cloud would open every port of every protocol.
        raise serializers.ValidationError({"port": "It requires a host_protocol with ports, such as tcp or udp."})
    end = port if end is None else end
    if not 0 <= port <= end:
        raise serializers.ValidationError({"port": "The ports must be a range from 0 to 65535."})
    return {"port": port, "end_port": end}


def _source(payload: dict[str, Any]) -> dict[str, str | None]:
    """Exactly one other side, and its family. To allow everybody, a request must say so."""
    range_, *others = (payload.get(name) for name in SOURCES)
    given = [source for source in (range_, *others) if source]
    if len(given) > 1:
        raise serializers.ValidationError({"source_ip_range": f"Specify only one of {', '.join(SOURCES)}."})
    if not given:
        raise serializers.ValidationError(
            {"source_ip_range": f"Specify one of {', '.join(SOURCES)}. 0.0.0.0/0 or ::/0 allows any source."}
        )
    protocol_family: str | None = payload.get("network_protocol")
    if not range_:
        return {"network_protocol": protocol_family}
    family = f"IPV{ip_network(range_).version}"
    if protocol_family not in {None, family}:
        raise serializers.ValidationError({"network_protocol": f"{range_} is {family}."})
    return {"network_protocol": family}


class GroupFirewallRuleViewSet(EndingsMixin, DeleteMixin, EditingViewSet, FirewallRuleViewSet):
    """The firewall rules of a security group."""

    queryset = (
        FirewallRule.objects.connected()
        .select_related("security_group", "source_security_group", "source_address_list", "provider")
        .defer("provider__credentials", "source_address_list__entries")
    )

    @action(
        detail=False,
        methods=["post"],
        permission="secgroups.add_firewallrule",
        serializer_class=NewRuleInput,
        previews=(PreviewOfChange,),
    )
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Create a firewall rule on the cloud, with `for` or `until` for a while."""
        return self.edits("create", KIND, self._creation, lambda _: self._address)

    @action(
        detail=True,
        methods=["post"],
        url_path="delete",
        permission="secgroups.delete_firewallrule",
        previews=(PreviewOfChange,),
    )
    def delete_rule(self, request: Request, **kwargs: Any) -> Response:
        """Delete the firewall rule on the cloud."""
        return self.edits(
            "delete", KIND, lambda rule, _: rule_deletion(rule, self.user), lambda rule: rule and self._address
        )

    @property
    def _address(self) -> str:
        return self.hrefs.resource("security_groups", self.parent_row.pk)

    def _creation(self, row: None, payload: dict[str, Any]) -> Edit | Refused:
        group, attributes = self.parent_row, NewRuleInput.validated(payload)
        if attributes.pop("resource_id", str(group.pk)) != str(group.pk):
            raise BadInput(f"resource_id: these are the rules of security group {group.pk}")
        source, addresses = (
            self.referenced(collection, attributes.pop(name, None), name)
            for collection, name in [
                ("security_groups", "source_security_group_id"),
                ("address_lists", "source_address_list_id"),
            ]
        )
        attributes["description"] = attributes.get("description") or None
        ending = self.ending(attributes)
        rule = {name: value for name, value in attributes.items() if name not in ENDING}
        return rule_creation(
            group, **rule, source_security_group=source, source_address_list=addresses, ending=ending
        )
