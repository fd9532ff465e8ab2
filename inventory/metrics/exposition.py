"""Who may read the metrics, and how they are written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from secrets import compare_digest
from typing import Any

from django.conf import settings
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector

from inventory.metrics.requests import requests
from inventory.metrics.state import StateCollector
from inventory.proxies import peer_address

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_state = CollectorRegistry()
_state.register(StateCollector())


def counted() -> bytes:
    """What this process counted, and the other processes that share its folder."""
    requests.count()
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def everything() -> bytes:
    """Also the state of the installation, which the database knows."""
    return counted() + generate_latest(_state)


def may_read(environ: Mapping[str, Any]) -> bool:
    """Whether a request (its WSGI environment) comes from a network of the settings, or has their token."""
    return _is_near(environ.get("REMOTE_ADDR", "")) or _has_token(environ.get("HTTP_AUTHORIZATION", ""))


def _is_near(text: str) -> bool:
    address = peer_address(text)  # none on a Unix socket
    return address is not None and any(address in network for network in settings.METRICS_ALLOW_IPS)


def _has_token(header: str) -> bool:
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not settings.METRICS_TOKEN:
        return False
    return compare_digest(token.strip().encode(), settings.METRICS_TOKEN.encode())
