"""A proxy before a whole OpenStack: one address for all of its services, which is also what their catalog says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count
from typing import Any
from urllib.parse import SplitResult, urlsplit

from tests.live.faults import REQUEST_ID, Answer, Call, FaultProxy


class OpenStackFaults(FaultProxy):
    """An action is a method and a collection: `PUT ports`."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        """`ports` has the port of each service on loopback."""
        urls = {service: f"http://127.0.0.1:{port}" for service, port in ports.items()}
        super().__init__(urls["neutron"])
        self._services = {"/v3": urls["keystone"], "/v2.1": urls["nova"]}
        self._behind_it = [url.encode() for url in urls.values()]
        self._numbers = count()

    def refuse(self, action: str, code: str, message: str = "", *, status: int = 400, **headers: str) -> None:
        """Answer the next call of `action` with an error of Neutron."""
        told = {"NeutronError": {"type": code, "message": message, "detail": ""}}
        named = {"X-Openstack-Request-Id": f"req-{REQUEST_ID}", **headers}
        self._faults[action].append(Answer(status, json.dumps(told).encode(), "application/json", named))

    def _understood(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[Call, str]:
        collection = urlsplit(path).path.split("/")[2:3]
        return Call(" ".join([method, *collection]), {}, headers, path, _content(body)), str(next(self._numbers))

    def _forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        passed_on = {name: value for name, value in headers.items() if name not in {"Host", "Accept-Encoding"}}
        answer = super()._forward(method, path, passed_on, body)
        text = answer.body
        for url in self._behind_it:
            text = text.replace(url, self.url.encode())
        return Answer(answer.status, text, answer.content_type, answer.headers)

    def _behind(self, path: str) -> SplitResult:
        url = next((url for prefix, url in self._services.items() if path.startswith(prefix)), None)
        return urlsplit(url) if url else self._target


def _content(body: bytes) -> Any:
    return json.loads(body) if body else None
