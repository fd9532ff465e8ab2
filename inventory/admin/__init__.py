"""The admin, to manage providers and to look at what comes from the clouds.

`secgroups.admin` replaces some of these classes with its own subclasses.
"""

from django.conf import settings
from django.contrib import admin

from inventory.admin.accounts import GroupAdmin, UserAdmin
from inventory.admin.auth_token import AuthTokenAdmin
from inventory.admin.event_stream import EventStreamAdmin
from inventory.admin.grants import GrantAdmin
from inventory.admin.inventory import CloudNetworkAdmin, CloudTenantAdmin, NetworkPortAdmin, PortInline, VmAdmin
from inventory.admin.login_failure import LoginFailureAdmin
from inventory.admin.oidc import OidcIdentityAdmin
from inventory.admin.provider import ProviderAdmin
from inventory.admin.task import CallRateAdmin, LeaseAdmin, TaskAdmin

__all__ = [
    "AuthTokenAdmin",
    "CallRateAdmin",
    "CloudNetworkAdmin",
    "CloudTenantAdmin",
    "EventStreamAdmin",
    "GrantAdmin",
    "GroupAdmin",
    "LeaseAdmin",
    "LoginFailureAdmin",
    "NetworkPortAdmin",
    "OidcIdentityAdmin",
    "PortInline",
    "ProviderAdmin",
    "TaskAdmin",
    "UserAdmin",
    "VmAdmin",
]

admin.site.site_header = admin.site.site_title = "Portcullis"
admin.site.index_title = "Clouds and their security groups"
admin.site.site_url = settings.LOGIN_REDIRECT_URL
