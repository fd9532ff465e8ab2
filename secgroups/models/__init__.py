"""Who may talk to whom: security groups, their rules, and the ports that have them."""

from secgroups.models.address_list import AddressList
from secgroups.models.expiration import Expiration, TemporaryMembership
from secgroups.models.exposure import Exposure, PublicPort, TouchedGroup
from secgroups.models.firewall_rule import ODD, FirewallRule
from secgroups.models.group_stamp import GroupStamp
from secgroups.models.security_group import Membership, SecurityGroup

__all__ = [
    "ODD",
    "AddressList",
    "Expiration",
    "Exposure",
    "FirewallRule",
    "GroupStamp",
    "Membership",
    "PublicPort",
    "SecurityGroup",
    "TemporaryMembership",
    "TouchedGroup",
]
