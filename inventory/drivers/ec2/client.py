"""A boto3 client made only from a `Connection`, ignoring the machine's AWS environment and files.

Only this module and `errors` import boto3 and botocore, so the driver imports it late.
"""

from __future__ import annotations

import os
import warnings
import weakref
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache, partial
from threading import Lock
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialResolver
from botocore.exceptions import BotoCoreError
from botocore.tokens import TokenProviderChain

from inventory.drivers.ec2.errors import FOREIGN, Unserved, cloud_errors, refuse_page
from inventory.drivers.endpoints import authority_file, check_url, is_loopback
from inventory.drivers.exceptions import (
    AnswerTooLarge,
    CloudRefused,
    CloudUnavailable,
    CredentialsRefused,
    ForeignAnswer,
    NotOffered,
)
from inventory.drivers.lists import Pages
from inventory.drivers.pools import guarded
from inventory.drivers.rate_limit import RateLimiter
from inventory.drivers.values import Connection

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

DEFAULT_REGION = "us-east-1"
#: The largest page that every paginated action of EC2 allows. Without a size EC2 doesn't paginate.
PAGE_SIZE = 1000
#: The paginated actions that allow less.
SMALLER_PAGES: Mapping[str, int] = {"describe_managed_prefix_lists": 100, "get_managed_prefix_list_entries": 100}
#: The names of actions that read.
READS = ("describe_", "get_")
#: Maximum number of open connections of a client; as many as a worker may have threads.
CONNECTIONS = 64

#: The attributes that identify the entries of each list.
IDENTITIES: Mapping[str, Sequence[str]] = {
    "Entries": ["Cidr"],
    "NetworkInterfaces": ["NetworkInterfaceId"],
    "PrefixLists": ["PrefixListId"],
    "Reservations": ["ReservationId"],
    "SecurityGroupRules": ["SecurityGroupRuleId"],
    "SecurityGroupVpcAssociations": ["GroupId", "VpcId"],
    "SecurityGroups": ["GroupId"],
    "VpcPeeringConnections": ["VpcPeeringConnectionId"],
    "Vpcs": ["VpcId"],
}

_making = Lock()


class Client:
    """The EC2 API for one connection, with a rate limiter. Raises only `CloudError`."""

    def __init__(self, connection: Connection, rate_limiter: RateLimiter) -> None:
        self._connection = connection
        self._ec2: Any = shared(connection)
        self._rate_limiter = rate_limiter
        self.region: str = self._ec2.meta.region_name

    def call(self, operation: str, key: str | None = None, **parameters: Any) -> dict[str, Any]:
        """The answer to one request, which must have this `key`."""
        return self._rate_limiter.send(operation, partial(self._send, operation, key, parameters))

    def read(
        self,
        operation: str,
        key: str,
        filters: Mapping[str, Sequence[str]] | None = None,
        *,
        optional: bool = False,
        **parameters: Any,
    ) -> Iterator[dict[str, Any]]:
        """The entries under `key` of all pages. Raises `NotOffered` if the endpoint lacks an `optional` action.

        An action with `parameters` takes no filters.
        """
        parameters = parameters or {
            "Filters": [{"Name": name, "Values": list(values)} for name, values in (filters or {}).items()]
        }
        parameters["MaxResults"] = SMALLER_PAGES.get(operation, PAGE_SIZE)
        pages = Pages(key, self._connection)
        send = self._send_optional if optional else self._send
        while True:
            page = self._rate_limiter.send(operation, partial(send, operation, key, parameters))
            next_token = page.get("NextToken") or None
            pages.turn([_identity(item, key) for item in page[key]], next_token)
            yield from page[key]
            if next_token is None:
                return
            parameters["NextToken"] = next_token

    def _send_optional(self, operation: str, key: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The same for an action that an endpoint may lack, which is not worth a retry."""
        try:
            return self._send(operation, key, parameters)
        except Unserved as error:
            raise NotOffered(error.message) from error

    def _send(self, operation: str, key: str | None, parameters: Mapping[str, Any]) -> dict[str, Any]:
        try:
            with cloud_errors():
                response: dict[str, Any] = getattr(self._ec2, operation)(**parameters)
        except AnswerTooLarge as error:
            if operation.startswith(READS):
                raise
            raise CloudUnavailable(error.message) from error  # it is unknown whether it was done
        if not response["ResponseMetadata"].get("RequestId") or (key and key not in response):
            # botocore parses any other page as an empty answer.
            raise ForeignAnswer(FOREIGN)
        if response.get("Return") is False:
            raise ForeignAnswer("The cloud answered without an error, but did not do it.")
        return response


def _identity(item: Mapping[str, Any], key: str) -> tuple[Any, ...] | None:
    """The identity of an entry in a list, if it has one."""
    identity = tuple(map(item.get, IDENTITIES[key]))
    return None if None in identity else identity


@lru_cache(maxsize=128)
def shared(connection: Connection) -> EC2Client:
    """The boto3 client of a connection. All threads of the process share it and its open connections."""
    return connect(connection)


def connect(connection: Connection) -> EC2Client:
    """Create a boto3 client for EC2 without retries: a write may have been done, and callers retry themselves.

    Raises `CredentialsRefused` or `CloudRefused` for an invalid connection.
    """
    if not (connection.userid and connection.password):
        # Without them botocore would look for others: in the environment, in files, at the metadata service.
        raise CredentialsRefused("The provider has no access key (userid) or no secret (password).")
    if connection.url:
        check_url(connection.url, "an EC2 endpoint")
    authority = authority_file(connection.certificate_authority) if connection.verify_ssl else None
    try:
        client = _make(connection, authority.name if authority else connection.verify_ssl)
    except (BotoCoreError, ValueError) as error:
        raise CloudRefused(f"The provider's URL or region is wrong: {error}") from error
    _guard(client, connection)
    if authority:
        weakref.finalize(client, authority.close)
    return client


def _guard(client: Any, connection: Connection) -> None:
    """Guard the answers. There is no public access to a client's HTTP pools, which don't exist yet."""
    pools = client._endpoint.http_session._pool_classes_by_scheme
    pools.update(guarded(pools, connection))
    client.meta.events.register("before-parse.ec2", refuse_page)


def _make(connection: Connection, verify: bool | str) -> EC2Client:
    if not verify:
        # The provider is configured this way. A warning for every connection would not help.
        warnings.filterwarnings("ignore", message="Unverified HTTPS request")
    with _making:
        return _session().client(
            "ec2",
            region_name=connection.region or DEFAULT_REGION,
            endpoint_url=connection.url,
            verify=verify,
            aws_access_key_id=connection.userid,
            aws_secret_access_key=connection.password,
            config=_config(connection),
        )


@cache
def _session() -> boto3.Session:
    """The process's session. It caches the model of EC2, so the next client takes 10 ms instead of 150.

    It has no profile, no files and no variables of the environment, and credentials are given to each client. If a
    client had none, it would not look for others: on AWS, the metadata service would give it those of the machine.
    Clients are thread-safe, making them is not: hence `_making`.
    """
    # botocore's form: name in a configuration file, name in the environment, value without them, conversion
    variables = {
        name: (None, None, value, convert)
        for name, (_, _, value, convert) in botocore.session.Session.SESSION_VARIABLES.items()
    }
    for name, value in {
        "config_file": os.devnull,
        "credentials_file": os.devnull,
        "ignore_configured_endpoint_urls": True,
    }.items():
        variables[name] = (None, None, value, None)
    core = botocore.session.Session(variables)
    core.register_component("credential_provider", CredentialResolver([]))
    core.register_component("token_provider", TokenProviderChain([]))
    return boto3.Session(botocore_session=core)


def _config(connection: Connection) -> Config:
    url = connection.url
    return Config(
        connect_timeout=connection.connect_timeout,
        read_timeout=connection.timeout,
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=CONNECTIONS,
        user_agent_extra="Portcullis",
        # A proxy of this machine leads outside; None keeps it.
        proxies={} if url and is_loopback(url) else None,
    )
