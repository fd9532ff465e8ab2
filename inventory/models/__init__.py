"""What exists in the clouds, and tasks."""

from inventory.models.account import AuthToken, Group, LimitedUser, User
from inventory.models.cloud_network import CloudNetwork
from inventory.models.cloud_tenant import CloudTenant
from inventory.models.event_stream import EventPosition, EventRetention, EventStream
from inventory.models.grant import Grant
from inventory.models.idempotency import IdempotencyKey
from inventory.models.login_failure import LoginFailure
from inventory.models.network_port import NetworkPort
from inventory.models.oidc import OidcIdentity, OidcSession
from inventory.models.port_address import PortAddress
from inventory.models.provider import Provider
from inventory.models.request_count import RequestCount
from inventory.models.tally import Tally
from inventory.models.task import CallRate, Lease, Task
from inventory.models.vm import Instance, Vm
from inventory.models.zone import Zone

__all__ = [
    "AuthToken",
    "CallRate",
    "CloudNetwork",
    "CloudTenant",
    "EventPosition",
    "EventRetention",
    "EventStream",
    "Grant",
    "Group",
    "IdempotencyKey",
    "Instance",
    "Lease",
    "LimitedUser",
    "LoginFailure",
    "NetworkPort",
    "OidcIdentity",
    "OidcSession",
    "PortAddress",
    "Provider",
    "RequestCount",
    "Tally",
    "Task",
    "User",
    "Vm",
    "Zone",
]
