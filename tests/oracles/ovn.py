"""OVN, the network of most OpenStack clouds: its compiler (ovn-northd) and simulator (ovn-trace), no data plane.

Security groups become what Neutron's driver makes of them: ACLs on port groups, which allow at priority 1002 what
a rule allows, over a port group of all secured ports that drops at 1001. OVN itself makes the address sets of a
port group, one for each family, which rules with a group at the other side name.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from inventory.drivers.protocols import NUMBERS, WITH_PORTS, WITH_TYPES
from inventory.drivers.values import Inventory, Rule
from tests.oracles.worlds import Packet

#: How long a part may take to come up or to end.
SECONDS = 20
#: How many commands fit into a command line.
COMMANDS = 200
SWITCH, DROP, ALLOW = "net", "1001", "1002"
#: OVN's words for a family, and for its ICMP.
FAMILIES = {"IPV4": ("ip4", "icmp4"), "IPV6": ("ip6", "icmp6")}
DIRECTIONS = {"inbound": ("to-lport", "outport", "src"), "outbound": ("from-lport", "inport", "dst")}

Command = list[str]


class Ovn:
    """Databases, compiler and simulator in a folder, on unix sockets. `folder/root` has Debian's packages."""

    def __init__(self, packages: Path, folder: Path) -> None:
        root = packages / "root"
        libraries = [root / "usr/lib" / f"{os.uname().machine}-linux-gnu", root / "usr/lib"]
        self.folder = folder
        self.environment = {
            **os.environ,
            "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
            "OVS_RUNDIR": str(folder),
            "OVN_RUNDIR": str(folder),
            "PATH": f"{root}/usr/bin:{root}/usr/sbin:{os.environ['PATH']}",
        }
        self._processes: list[subprocess.Popen[bytes]] = []
        for name in ("nb", "sb"):
            schema = root / f"usr/share/ovn/ovn-{name}.ovsschema"
            self._call("ovsdb-tool", "create", f"{folder}/{name}.db", str(schema))
            self._processes.append(
                self._start(
                    "ovsdb-server",
                    f"{folder}/{name}.db",
                    f"--remote=punix:{folder}/{name}.sock",
                    f"--unixctl={folder}/{name}.ctl",
                )
            )
            self._await(f"{name}.sock")
        databases = (f"--ovnnb-db=unix:{folder}/nb.sock", f"--ovnsb-db=unix:{folder}/sb.sock")
        self._processes.append(self._start("ovn-northd", *databases, f"--unixctl={folder}/northd.ctl"))
        self._switch = SWITCH
        self._macs: dict[str, str] = {}
        self._simulators = 0

    def load(self, world: Inventory) -> None:
        """Replace the world."""
        self._nbctl([["--if-exists", "ls-del", SWITCH]])
        self._call("ovn-nbctl", self._northbound, "--all", "destroy", "Port_Group")
        self._macs = {port.ref: f"0a:00:00:00:{n >> 8:02x}:{n & 255:02x}" for n, port in enumerate(world.ports)}
        self._nbctl(_topology(world, self._macs))
        self.add_rules(world.rules)

    def add_rules(self, rules: Iterable[Rule]) -> None:
        self._nbctl([["--may-exist", *_acl("acl-add", rule)] for rule in rules])
        self.settle()

    def delete_rules(self, rules: Iterable[Rule]) -> None:
        self._nbctl([_acl("acl-del", rule)[:-1] for rule in rules])
        self.settle()

    def lets(self, packet: Packet, family: str, source: str, target: str, code: int) -> bool:
        ip, icmp = FAMILIES[family]
        service = _service(packet.protocol, packet.port, icmp, code)
        flow = (
            f'inport=="{packet.source.ref}" && eth.src=={self._macs[packet.source.ref]} && '
            f"eth.dst=={self._macs[packet.target.ref]} && {ip}.src=={source} && {ip}.dst=={target} && "
            f"ip.ttl==64 && {service}"
        )
        return f'output("{packet.target.ref}")' in self._trace("--minimal", self._switch, flow)

    def end(self) -> None:
        self._end_simulator()
        for process in reversed(self._processes):
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(SECONDS)
            if process.poll() is None:
                process.kill()
                process.wait()

    @property
    def _northbound(self) -> str:
        return f"--db=unix:{self.folder}/nb.sock"

    def _nbctl(self, commands: Iterable[Command]) -> None:
        """Run these commands in as few transactions as fit into a command line."""
        listed = list(commands)
        for start in range(0, len(listed), COMMANDS):
            joined = [word for command in listed[start : start + COMMANDS] for word in ("--", *command)]
            self._call("ovn-nbctl", self._northbound, *joined[1:])

    def settle(self) -> None:
        """Wait until all is compiled, and simulate what came of it."""
        self._call("ovn-nbctl", self._northbound, "--wait=sb", "sync")
        self._end_simulator()
        self._simulators += 1
        new = ["--ct", "new"] * 4
        # Without a flow to trace it detaches itself and serves them on its socket.
        self._call(
            "ovn-trace",
            f"--db=unix:{self.folder}/sb.sock",
            *new,
            f"--unixctl={self._control}",
            "--no-friendly-names",  # such as the first digits of a UUID
            "--detach",
            "--no-chdir",
        )

    @property
    def _control(self) -> Path:
        """The socket of this simulator alone: it removes it when it ends, which may be later than it says."""
        return self.folder / f"trace-{self._simulators}.ctl"

    def _end_simulator(self) -> None:
        if self._control.exists():
            self._call("ovn-appctl", f"--target={self._control}", "exit")

    def _trace(self, *arguments: str) -> str:
        request = {"id": 0, "method": "trace", "params": list(arguments)}
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(SECONDS)
            connection.connect(str(self._control))
            connection.sendall(json.dumps(request).encode())
            received = b""
            while True:
                received += connection.recv(65536)
                with suppress(ValueError):
                    answer: dict[str, Any] = json.loads(received)
                    break
        if answer["error"]:
            raise ValueError(answer["error"])
        result: str = answer["result"]
        return result

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _call(self, *command: str) -> None:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=SECONDS)
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr[-1000:]}")

    def _await(self, name: str) -> None:
        ends = time.monotonic() + SECONDS
        while not (self.folder / name).exists():
            if time.monotonic() > ends:
                raise TimeoutError(f"{name}:\n{(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)


def _topology(world: Inventory, macs: dict[str, str]) -> Iterator[Command]:
    """A switch with the ports, a port group for each group, and the one that drops."""
    yield ["ls-add", SWITCH]
    for port in world.ports:
        yield ["lsp-add", SWITCH, port.ref]
        yield ["lsp-set-addresses", port.ref, " ".join([macs[port.ref], *port.ip_addresses])]
    yield ["pg-add", "drop", *(port.ref for port in world.ports if port.port_security_enabled)]
    for direction, side in (("to-lport", "outport"), ("from-lport", "inport")):
        yield ["acl-add", "drop", direction, DROP, f"{side} == @drop && ip", "drop"]
    for group in world.groups:
        yield ["pg-add", group.ref, *(port.ref for port in world.ports if group.ref in port.group_refs)]


def _acl(command: str, rule: Rule) -> Command:
    direction, side, far = DIRECTIONS[rule.direction]
    ip, icmp = FAMILIES[rule.network_protocol or ""]
    match = [f"{side} == @{rule.group_ref}", ip]
    if rule.source_ip_range:
        match.append(f"{ip}.{far} == {rule.source_ip_range}")
    elif rule.source_group_ref:
        match.append(f"{ip}.{far} == ${rule.source_group_ref}_{ip}")
    if rule.host_protocol:
        match.append(_protocol(rule, icmp))
    return [command, rule.group_ref, direction, ALLOW, " && ".join(match), "allow-related"]


def _protocol(rule: Rule, icmp: str) -> str:
    protocol = rule.host_protocol or ""
    if protocol in WITH_TYPES:
        parts = [icmp]
        parts += [] if rule.port is None else [f"{icmp}.type == {rule.port}"]
        parts += [] if rule.end_port is None else [f"{icmp}.code == {rule.end_port}"]
        return " && ".join(parts)
    if protocol in WITH_PORTS:
        ports = f" && {rule.port} <= {protocol}.dst <= {rule.end_port}" if rule.port is not None else ""
        return f"{protocol}{ports}"
    return f"ip.proto == {_number(protocol)}"


def _service(protocol: str, port: int | None, icmp: str, code: int) -> str:
    """The service of a packet."""
    if protocol in WITH_TYPES:
        return f"{icmp}.type=={port} && {icmp}.code=={code}"
    if protocol in WITH_PORTS:
        return f"{protocol}.dst=={port}"
    return f"ip.proto=={_number(protocol)}"


def _number(protocol: str) -> int:
    return NUMBERS.get(protocol) or int(protocol)
