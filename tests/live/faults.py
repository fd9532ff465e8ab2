"""A proxy before a cloud that does what the cloud won't: refuse, fail, page, and lose answers."""

from __future__ import annotations

import html
import ssl
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, TypeVar
from urllib.parse import SplitResult, parse_qsl, urlsplit

#: What an injected answer says that its request was.
REQUEST_ID = "0fa17000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Call:
    """One request as it came: EC2's `Action`, its other parameters as EC2 names them, and the HTTP headers."""

    action: str
    parameters: dict[str, str]
    headers: dict[str, str]
    path: str = ""
    #: What it came with, where that is JSON.
    body: Any = None


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    content_type: str = "text/xml"
    headers: Mapping[str, str] = field(default_factory=dict)


def error_of_ec2(code: str, message: str = "", *, status: int = 400) -> Answer:
    words = f"<Code>{html.escape(code)}</Code><Message>{html.escape(message)}</Message>"
    body = f"<Response><Errors><Error>{words}</Error></Errors><RequestID>{REQUEST_ID}</RequestID></Response>"
    return Answer(status, body.encode())


@dataclass(frozen=True)
class Instead(Answer):
    """Takes the place of the answer to what was done all the same."""


#: What to do with a call: answer it instead of the endpoint, do something before it is passed on, or, with None,
#: pass it on and lose the answer.
Fault = Answer | Callable[[], object] | None


class FaultProxy:
    """Forwards to `target` unless told otherwise for the next call of an action.

    "Call" is what the SDK's caller made: the SDK's own retries of it (same `amz-sdk-invocation-id`) meet the same
    fault, and the next call goes through.
    """

    def __init__(self, target: str) -> None:
        self.url = ""
        self.calls: list[Call] = []
        self._target = urlsplit(target)
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._met: dict[str, Fault] = {}
        self._judges: dict[str, Callable[[Call], Answer | None]] = {}
        self._lock = Lock()

    def refuse(self, action: str, code: str, message: str = "", *, status: int = 400) -> None:
        """Answer the next call of `action` with an error of EC2."""
        self._faults[action].append(error_of_ec2(code, message, status=status))

    def judge(self, action: str, answer: Callable[[Call], Answer | None]) -> None:
        """Let this decide of every call of `action` what to answer; None passes it on."""
        self._judges[action] = answer

    def answer(self, action: str, body: str, *, status: int = 200, content_type: str = "text/xml") -> None:
        """Answer the next call of `action` with this."""
        self._faults[action].append(Answer(status, body.encode(), content_type))

    def answer_with(self, action: str, *answers: Answer) -> None:
        """Answer the next calls of `action` with these."""
        self._faults[action].extend(answers)

    def lose_answer(self, action: str) -> None:
        """Let the next call of `action` through, and hang up instead of passing the answer on."""
        self._faults[action].append(None)

    def meanwhile(self, action: str, act: Callable[[], object]) -> None:
        """Do something before the next call of `action` arrives."""
        self._faults[action].append(act)

    def relent(self, action: str) -> None:
        """Let everything through again."""
        with self._lock:
            self._faults.pop(action, None)
            self._met.clear()

    def count(self, action: str) -> int:
        """How many requests of `action` came, the SDK's retries among them."""
        return sum(call.action == action for call in self.calls)

    def handle(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer | None:
        call, invocation = self._understood(method, path, headers, body)
        with self._lock:
            self.calls.append(call)
            if self._faults[call.action] and invocation not in self._met:
                self._met[invocation] = self._faults[call.action].popleft()
        judge = self._judges.get(call.action)
        if judge and (answer := judge(call)):
            return answer
        if invocation not in self._met:
            return self._forward(method, path, headers, body)
        fault = self._met[invocation]
        if fault is None or isinstance(fault, Instead):
            self._forward(method, path, headers, body)
        elif not isinstance(fault, Answer):
            fault()
            return self._forward(method, path, headers, body)
        return fault

    def _understood(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[Call, str]:
        """The call, and what its repetitions have in common."""
        parameters = dict(parse_qsl(body.decode()))
        action = parameters.pop("Action", "")
        return Call(action, parameters, headers), headers.get("amz-sdk-invocation-id", "")

    def _forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        target = self._behind(path)
        connection = HTTPConnection(target.hostname or "", target.port, timeout=60)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            passed_on = {name: value for name, value in answer.getheaders() if name.lower().startswith("x-")}
            return Answer(answer.status, answer.read(), answer.getheader("Content-Type", ""), passed_on)
        finally:
            connection.close()

    def _behind(self, path: str) -> SplitResult:
        """Who answers this path."""
        return self._target


@contextmanager
def fault_proxy(target: str, tls: ssl.SSLContext | None = None) -> Iterator[FaultProxy]:
    """A running `FaultProxy` before `target`, on a free port of loopback."""
    with running(FaultProxy(target), tls) as proxy:
        yield proxy


Proxy = TypeVar("Proxy", bound=FaultProxy)


@contextmanager
def running(
    proxy: Proxy, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> Iterator[Proxy]:
    with ThreadingHTTPServer((host, port), _handler(proxy.handle)) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        proxy.url = f"{'https' if tls else 'http'}://{host}:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()
            _forget_clients()


def _forget_clients() -> None:
    """Forget the drivers' clients: the next server on this port is another cloud."""
    from inventory.drivers.ec2.client import shared
    from inventory.drivers.openstack.client import client

    shared.cache_clear()
    client.cache_clear()


def _handler(handle: Callable[[str, str, dict[str, str], bytes], Answer | None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        # HTTP/1.0, as the base class has it: each connection ends with its answer, so none is left at the end.
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = handle(self.command, self.path, dict(self.headers), body)
            if answer is not None:
                with suppress(BrokenPipeError, ConnectionResetError):  # nobody waits for it any more
                    self._give(answer)

        do_GET = do_PUT = do_DELETE = do_POST  # noqa: N815

        def _give(self, answer: Answer) -> None:
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Say nothing: what came stands in `FaultProxy.calls`."""

    return Handler
