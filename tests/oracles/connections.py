"""Real connections between network namespaces. Each is answered, or else refused on the way.

So nobody waits to see that nothing happens: what stops a packet says so to its sender, of TCP with a reset, else
as "administratively prohibited". Nothing else says either, because somebody listens wherever a connection leads
to. If one neither gets through nor is refused, that is an error.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
from dataclasses import dataclass
from itertools import count

from inventory.drivers.protocols import NUMBERS, WITH_PORTS
from tests.oracles.namespaces import Namespace
from tests.oracles.worlds import Packet

#: How long either may take, in milliseconds.
PATIENCE = 5_000
#: How a socket learns of a refusal: of TCP, else of IPv4 or IPv6.
RESET = frozenset({errno.ECONNREFUSED})
PROHIBITED = frozenset({errno.EHOSTUNREACH, errno.EACCES})
#: The type of an echo request.
ECHO = {"icmp": 8, "icmpv6": 128}
HELLO = b"hello there!"
#: Where other payloads have a checksum, behind ports. A router refuses no packet that it takes for damaged.
CHECKSUM = 4
IPV6_CHECKSUM = 7
_identifiers = count(1)


@dataclass(frozen=True, slots=True)
class End:
    """An address in a namespace."""

    namespace: Namespace
    address: str

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET

    def socket(self, kind: int, port: int = 0, protocol: int = 0) -> socket.socket:
        with self.namespace.inside():
            made = socket.socket(self.family, kind, protocol)
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((self.address, port))
        return made

    def raw(self, protocol: str) -> socket.socket:
        made = self.socket(socket.SOCK_RAW, protocol=NUMBERS.get(protocol) or int(protocol))
        if self.family == socket.AF_INET6 and protocol != "icmpv6":  # which has it anyway
            made.setsockopt(socket.IPPROTO_IPV6, IPV6_CHECKSUM, CHECKSUM)
        return made


def is_connection(packet: Packet) -> bool:
    """Whether a packet begins a connection that can be made here."""
    if packet.protocol in ECHO:
        return packet.port == ECHO[packet.protocol]
    # No server has the port 0, and IPv6 takes ah for a part of its header.
    return packet.port != 0 and packet.protocol not in ("ah", "51")


def connects(here: End, there: End, protocol: str, port: int | None, code: int) -> bool:
    """Whether one end reaches the other and is answered. Of ICMP, it is an echo request with this code."""
    match protocol:
        case "tcp":
            return _tcp(here, there, port or 0)
        case "udp":
            return _udp(here, there, port or 0)
        case "icmp" | "icmpv6":
            return _echo(here, there, protocol, code)
        case _:
            return _raw(here, there, protocol, port or 0)


def _tcp(here: End, there: End, port: int) -> bool:
    with here.socket(socket.SOCK_STREAM) as client, there.socket(socket.SOCK_STREAM, port) as server:
        server.listen()
        client.connect_ex((there.address, port))
        if not _gets_through(client, client, select.POLLOUT):
            return False
        if not _gets_through(client, server):  # the last packet of the handshake may still be on its way
            return False
        accepted, _ = server.accept()
        with accepted:
            accepted.send(HELLO)
            return _gets_through(client, client) and client.recv(len(HELLO)) == HELLO


def _udp(here: End, there: End, port: int) -> bool:
    with here.socket(socket.SOCK_DGRAM) as client, there.socket(socket.SOCK_DGRAM, port) as server:
        client.connect((there.address, port))
        client.send(HELLO)
        return _is_answered(client, server, HELLO)


def _raw(here: End, there: End, protocol: str, port: int) -> bool:
    payload = _summed(struct.pack("!HHHH", 0, port, 0, 0) + HELLO, CHECKSUM)
    with here.raw(protocol) as client, there.raw(protocol) as server:
        client.connect((there.address, 0))
        client.send(payload)
        if protocol in WITH_PORTS:  # the kernel tracks such connections, of which this is none
            return _gets_through(client, server)
        return _is_answered(client, server, payload)


def _echo(here: End, there: End, protocol: str, code: int) -> bool:
    """The kernel of the other end answers."""
    with here.raw(protocol) as client:
        client.connect((there.address, 0))
        client.send(_summed(struct.pack("!BBHHH", ECHO[protocol], code, 0, next(_identifiers) & 0xFFFF, 1), 2))
        return _gets_through(client, client)


def _summed(payload: bytes, at: int) -> bytes:
    """A payload with its checksum (RFC 1071). For IPv6, the kernel makes another one."""
    total = sum(word for (word,) in struct.iter_unpack("!H", payload))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return payload[:at] + struct.pack("!H", 0xFFFF - total) + payload[at + 2 :]


def _is_answered(client: socket.socket, server: socket.socket, answer: bytes) -> bool:
    if not _gets_through(client, server):
        return False
    _, sender = server.recvfrom(len(answer))
    server.sendto(answer, sender)
    return _gets_through(client, client)


def _gets_through(client: socket.socket, at: socket.socket, event: int = select.POLLIN) -> bool:
    """Wait until something of the client's connection is there `at` a socket, or is refused."""
    poll = select.poll()
    poll.register(client, 0)  # its errors
    poll.register(at, event)
    if not poll.poll(PATIENCE):
        raise TimeoutError
    error = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error and error not in (RESET if client.type == socket.SOCK_STREAM else PROHIBITED):
        raise OSError(error, os.strerror(error))
    return not error
