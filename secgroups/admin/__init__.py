"""The admin of security groups, and what they add to the admin of the inventory."""

from django.contrib import admin

from secgroups.admin.expirations import ExpirationAdmin
from secgroups.admin.exposures import ExposureAdmin
from secgroups.admin.groups import AddressListAdmin, FirewallRuleAdmin, MembershipAdmin, SecurityGroupAdmin
from secgroups.admin.inventory import CloudNetworkAdmin, CloudTenantAdmin, NetworkPortAdmin, ProviderAdmin
from secgroups.admin.task import TaskAdmin
from secgroups.admin.vm import VmAdmin

__all__ = [
    "AddressListAdmin",
    "CloudNetworkAdmin",
    "CloudTenantAdmin",
    "ExpirationAdmin",
    "ExposureAdmin",
    "FirewallRuleAdmin",
    "MembershipAdmin",
    "NetworkPortAdmin",
    "ProviderAdmin",
    "SecurityGroupAdmin",
    "TaskAdmin",
    "VmAdmin",
]

admin.site.index_template = "admin/secgroups/index.html"
