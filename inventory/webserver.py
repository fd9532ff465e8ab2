"""The web server: Gunicorn's processes, in each of which Waitress speaks HTTP.

Gunicorn keeps the processes running, shares the project among them and stops them. Its own workers read a request
in the thread that answers it, so a client who sends half a request occupies a thread. Waitress reads requests and
their bodies, and sends responses, in one loop. It hands only whole requests to the threads.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from gunicorn.workers.base import Worker
from waitress import create_server
from waitress.channel import HTTPChannel
from waitress.proxy_headers import proxy_headers_middleware
from waitress.server import BaseWSGIServer
from waitress.wasyncore import close_all, loop

#: Seconds between two looks whether this process is to stop.
TURN = 1
#: Descriptors of a process that are not for its clients: the database, the broker, files of long bodies.
RESERVED = 256
#: Bytes of the request line and all headers: a filter may be long.
MAX_HEADERS = 64 * 1024
#: After so many seconds without a byte a connection is closed.
IDLE = 60


Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class BufferingWorker(Worker):
    """A process that begins to answer a request when all of it is there, in `--threads` threads."""

    def run(self) -> None:
        dispatchers: dict[int, Any] = {}
        server = create_server(
            self._behind_proxies(self.wsgi),
            map=dispatchers,
            sockets=[listener.sock for listener in self.sockets],
            threads=self.cfg.threads,
            backlog=self.cfg.backlog,
            connection_limit=_connection_limit(),
            channel_timeout=IDLE,
            cleanup_interval=IDLE // 4,
            max_request_header_size=MAX_HEADERS,
            # What is a little too long is refused in the words of the API; for that it has to be read.
            max_request_body_size=4 * settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
            asyncore_use_poll=True,
            ident=None,
            clear_untrusted_proxy_headers=False,  # see _behind_proxies
        )
        while self.alive and self.ppid == os.getppid():
            self._serve(dispatchers, TURN)
        self._finish(dispatchers)
        server.task_dispatcher.shutdown()
        close_all(dispatchers)

    def _behind_proxies(self, application: Application) -> Application:
        """Believe what the proxies of `--forwarded-allow-ips` say of a client, and nobody else."""
        behind = proxy_headers_middleware(
            application, trusted_proxy="*", trusted_proxy_headers={"x-forwarded-for", "x-forwarded-proto"}
        )
        direct = proxy_headers_middleware(application)
        networks, everybody = self.cfg.forwarded_allow_networks(), "*" in self.cfg.forwarded_allow_ips

        def respond(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            address = ip_address(environ["REMOTE_ADDR"])
            trusted = everybody or any(address in network for network in networks)
            response: Iterable[bytes] = (behind if trusted else direct)(environ, start_response)
            return response

        return respond

    def _serve(self, dispatchers: dict[int, Any], seconds: float) -> None:
        """Do what is due within so many seconds, and tell the master that this process is alive."""
        self.notify()
        loop(seconds, use_poll=True, map=dispatchers, count=1)

    def _finish(self, dispatchers: dict[int, Any]) -> None:
        """Answer what was asked, and take no more."""
        for dispatcher in dispatchers.values():
            if isinstance(dispatcher, BaseWSGIServer):
                dispatcher.accepting = False
        ends = time.monotonic() + self.cfg.graceful_timeout
        while any(map(_is_busy, dispatchers.values())) and time.monotonic() < ends:
            self._serve(dispatchers, 0.1)


def _is_busy(dispatcher: Any) -> bool:
    """Whether it is a client's, who waits for an answer or for the rest of one."""
    return isinstance(dispatcher, HTTPChannel) and bool(dispatcher.requests or dispatcher.total_outbufs_len)


def _connection_limit() -> int:
    """As many clients as the process may have descriptors for; it takes all that it is allowed."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    descriptors = 65_536 if most == resource.RLIM_INFINITY else min(most, 65_536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, most))
    return max(descriptors - RESERVED, 100)
