"""Who may talk to whom: security groups, their rules, and the ports that have them."""

from secgroups.models.address_list import AddressList
from secgroups.models.firewall_rule import FirewallRule
from secgroups.models.security_group import Membership, SecurityGroup

__all__ = ["AddressList", "FirewallRule", "Membership", "SecurityGroup"]
