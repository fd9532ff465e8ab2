"""Hosts: network namespaces on a bridge of their own, where the machine allows that; else all are this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.servers import LOOPBACK

IP = shutil.which("ip")


@dataclass(frozen=True, slots=True)
class Host:
    """`enter` is what a command begins with that runs there."""

    address: str
    enter: tuple[str, ...] = ()
    link: str | None = None

    def cut_off(self) -> None:
        """Let nothing through between it and the others."""
        _ip("link", "set", str(self.link), "down")

    def reconnect(self) -> None:
        _ip("link", "set", str(self.link), "up")


@contextmanager
def hosts(count: int) -> Iterator[tuple[str, list[Host]]]:
    """The address of this machine in a network of so many hosts, and those."""
    if os.geteuid() != 0 or not IP:
        yield LOOPBACK, [Host(LOOPBACK)] * count
        return
    number = os.getpid() % 250  # tests in several processes have a network each
    bridge, network = f"pcbr{number}", f"10.213.{number}"
    with ExitStack() as stack:
        _ip("link", "add", bridge, "type", "bridge")
        stack.callback(_ip, "link", "delete", bridge)
        _ip("address", "add", f"{network}.1/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        yield f"{network}.1", [_host(stack, bridge, network, number) for number in range(2, count + 2)]


def _host(stack: ExitStack, bridge: str, network: str, number: int) -> Host:
    name, link, address = f"{bridge}-{number}", f"{bridge}v{number}", f"{network}.{number}"
    _ip("netns", "add", name)
    stack.callback(_ip, "netns", "delete", name)
    _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
    _ip("link", "set", link, "master", bridge, "up")
    for command in (("address", "add", f"{address}/24", "dev", "eth0"), ("link", "set", "eth0", "up")):
        _ip("-netns", name, *command)
    _ip("-netns", name, "link", "set", "lo", "up")
    return Host(address, (str(IP), "netns", "exec", name), link)


def _ip(*arguments: str) -> None:
    assert IP
    subprocess.run([IP, *arguments], check=True, capture_output=True, timeout=30)
