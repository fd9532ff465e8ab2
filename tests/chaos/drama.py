"""One run: who takes part, what they do to each other, and what there is in the end."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from io import StringIO
from pathlib import Path
from threading import Event, Thread

import requests
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.functions import Now

from inventory.models import Lease, Provider, Task, Vm
from tests.chaos.clients import Client, History, Target
from tests.chaos.cloud import BadDays, OtherTool, groups_of
from tests.chaos.installation import Installation
from tests.chaos.judging import judge, memberships, outcomes
from tests.live.ec2 import Cast
from tests.live.endpoints import client_of, moto
from tests.live.faults import running
from tests.servers import Server

INSTANCES, CLIENTS = 50, 6
GROUPS = [f"group-{number}" for number in range(1, 7)]
USER, PASSWORD = "admin", "correct horse"
#: How long everything may take to be done once nothing is broken any more: so many seconds, for leases have to end
#: before, and after a longer run, which leaves more to do, this share of it.
BOUND, SHARE = 120, 1 / 5


class Drama:
    def __init__(
        self, folder: Path, environment: Mapping[str, str], servers: Sequence[Server], seed: int, stack: ExitStack
    ) -> None:
        self._servers = servers
        self._random = random.Random(f"{seed} villain")
        self._over = Event()
        self.history, self.deeds = History(), Counter[str]()
        endpoint = stack.enter_context(moto())
        self._api = client_of(endpoint)
        self._cloud = stack.enter_context(running(BadDays(endpoint, seed)))
        cast = Cast(self._api)
        named = {name: cast.group(name) for name in (*GROUPS, "theirs-1", "theirs-2")}
        for number in range(INSTANCES):
            cast.instance(cast.web, name=f"server-{number}", interfaces=1 + number % 2)
        self._before = groups_of(self._api)
        self._tool = OtherTool(self._cloud, endpoint, [named["theirs-1"], named["theirs-2"]], seed)
        self._provider = self._connect()
        self._installation = Installation(folder, environment)
        stack.callback(self._installation.end)
        self._installation.start()
        self._clients = [self._client(f"{seed} client {number}") for number in range(CLIENTS)]

    def play(self, seconds: float) -> None:
        """Let everything happen for so long, and then let it come to rest."""
        roles = [Thread(target=self._ask, args=[client], daemon=True) for client in self._clients]
        roles.append(Thread(target=self._interfere, daemon=True))
        self._cloud.fair = False
        for role in roles:
            role.start()
        self._bound = max(BOUND, SHARE * seconds)
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            time.sleep(self._random.uniform(0.5, 3))
            self._strike()
        self._over.set()
        self._cloud.fair = True
        self._rested = time.monotonic()
        for role in roles:
            role.join()

    def judge(self) -> list[str]:
        """What is wrong, after the counts were printed."""
        connection.close()  # the server may have been lost
        wrong = [*self.history.wrong]
        if not self._comes_to_rest():
            wrong.append(f"{Task.objects.unfinished().count()} tasks are not finished after {self._bound:.0f} s")
        took = time.monotonic() - self._rested
        wrong += judge(
            self.history.accepted, self.history.cancelled, self._before, self._tool.given, groups_of(self._api)
        )
        _refresh(self._provider)
        if memberships() != groups_of(self._api):
            wrong.append("after a refresh the inventory is not what the cloud has")
        self._tell(took)
        return wrong

    def _connect(self) -> Provider:
        call_command("migrate", verbosity=0)
        User.objects.create_superuser(USER, password=PASSWORD)
        provider = Provider.objects.create(
            name="cloud",
            vendor="amazon",
            url=self._cloud.url,
            credentials={"userid": "AKIDCHAOS", "password": "secret"},
        )
        _refresh(provider)
        self._targets = []
        for vm in Vm.objects.prefetch_related("network_ports"):
            interfaces = [port.ems_ref for port in vm.network_ports.all()]
            self._targets.append(Target(f"/api/instances/{vm.pk}", interfaces))
            self._cloud.instance_of |= dict.fromkeys(interfaces, vm.ems_ref)
        connection.close()
        return provider

    def _client(self, seed: str) -> Client:
        url = self._installation.urls[0]
        answer = requests.get(f"{url}/api/auth", auth=(USER, PASSWORD), timeout=60)
        self._token = answer.json()["auth_token"]
        return Client(self._installation.urls, self._token, self._targets, GROUPS, self.history, seed)

    # Who takes part

    def _ask(self, client: Client) -> None:
        while not self._over.is_set():
            client.ask_for_something(lambda: self._over.is_set() and time.monotonic() > self._rested + self._bound)

    def _interfere(self) -> None:
        while not self._over.wait(0.02):
            self._tool.change_something()

    def _strike(self) -> None:
        there, choose = self._installation, self._random.choice
        deeds: list[tuple[int, str, Callable[[], None]]] = [
            (5, "refresh asked for", self._ask_for_refresh),
            (2, "provider corrected", self._correct_provider),
            (4, "worker killed", lambda: there.kill(choose(there.workers))),
            (2, "worker stopped", lambda: there.stop(choose(there.workers))),
            (2, "web server killed", lambda: there.kill(choose(there.web_servers))),
            (1, "scheduler killed", lambda: there.kill("scheduler")),
            (1, "everything killed", there.kill),
            *((1, server.loss, server.lose) for server in self._servers),
        ]
        [(_, name, deed)] = self._random.choices(deeds, [weight for weight, _, _ in deeds])
        self.deeds[name] += 1
        deed()

    def _ask_for_refresh(self) -> None:
        self._tell_provider({"action": "refresh"})

    def _correct_provider(self) -> None:
        """The same cloud by other credentials: whoever waits takes its tasks anew."""
        credentials = {"userid": "AKIDCHAOS", "password": f"secret {self._random.random()}"}
        self._tell_provider({"action": "edit", "resource": {"credentials": credentials}})

    def _tell_provider(self, body: dict[str, object]) -> None:
        path = f"/api/providers/{self._provider.pk}"
        with suppress(requests.RequestException):
            requests.post(
                self._random.choice(self._installation.urls) + path,
                json=body,
                headers={"X-Auth-Token": self._token},
                timeout=5,
            )

    # What there is in the end

    def _comes_to_rest(self) -> bool:
        while Task.objects.unfinished().exists():
            if time.monotonic() > self._rested + self._bound:
                return False
            time.sleep(0.2)
        return True

    def _tell(self, took: float) -> None:
        print(f"{len(self.history.accepted)} changes accepted; all done {took:.1f} s after the last trouble")
        for title, counts in {
            "clients": self.history.counts,
            "tasks": outcomes(),
            "trouble": self.deeds,
            "answers of the cloud": self._cloud.met,
            "other tool": {"changes": self._tool.changes},
        }.items():
            print(f"{title}:", ", ".join(f"{number} {name}" for name, number in sorted(counts.items())))


def _refresh(provider: Provider) -> None:
    """Read the cloud once nobody else does: the lease of a worker that was killed has yet to end."""
    while Lease.objects.filter(queue=f"providers/{provider.pk}", ends_on__gte=Now()).exists():
        time.sleep(0.2)
    said = StringIO()
    try:
        call_command("refresh", provider.name, stdout=StringIO(), stderr=said)
    except CommandError as error:
        raise CommandError(f"{error}. {said.getvalue()}") from error
