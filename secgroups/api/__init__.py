"""The collections of this app."""

from secgroups.api.address_lists import AddressListViewSet
from secgroups.api.expirations import ExpirationViewSet
from secgroups.api.exposures import ExposureViewSet
from secgroups.api.firewall_rules import FirewallRuleViewSet
from secgroups.api.group_firewall_rules import GroupFirewallRuleViewSet
from secgroups.api.group_instances import GroupInstanceViewSet, GroupVmViewSet
from secgroups.api.provider_security_groups import DeletableSecurityGroupViewSet, ProviderSecurityGroupViewSet
from secgroups.api.reachability import ReachabilityView
from secgroups.api.security_groups import SecurityGroupViewSet
from secgroups.api.tasks import RevertibleTaskViewSet
from secgroups.api.vm_security_groups import VmSecurityGroupViewSet

__all__ = [
    "AddressListViewSet",
    "DeletableSecurityGroupViewSet",
    "ExpirationViewSet",
    "ExposureViewSet",
    "FirewallRuleViewSet",
    "GroupFirewallRuleViewSet",
    "GroupInstanceViewSet",
    "GroupVmViewSet",
    "ProviderSecurityGroupViewSet",
    "ReachabilityView",
    "RevertibleTaskViewSet",
    "SecurityGroupViewSet",
    "VmSecurityGroupViewSet",
]
