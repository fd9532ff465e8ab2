"""The collections of this app."""

from secgroups.api.firewall_rules import FirewallRuleViewSet
from secgroups.api.security_groups import SecurityGroupViewSet
from secgroups.api.vm_security_groups import VmSecurityGroupViewSet

__all__ = ["FirewallRuleViewSet", "SecurityGroupViewSet", "VmSecurityGroupViewSet"]
