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
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.functions import Now

from inventory.forwarding import forward_events
from inventory.models import EventStream, Grant, Lease, Provider, Task, Vm
from secgroups.models import Expiration
from tests.chaos.clients import Client, History, Target
from tests.chaos.cloud import OTHER_ACCOUNT, BadDays, OtherTool, groups_of
from tests.chaos.events import TYPES, judge_copies, judge_edits, judge_events, sources
from tests.chaos.expirations import judge_expirations, lateness
from tests.chaos.grants import begun_without_right, judge_grants
from tests.chaos.installation import Installation
from tests.chaos.judging import judge, judge_parents, memberships, outcomes
from tests.live.ec2 import Cast
from tests.live.endpoints import client_of, moto
from tests.live.faults import running
from tests.servers import Server

INSTANCES, CLIENTS, OPERATORS = 50, 6, 2
GROUPS = [f"group-{number}" for number in range(1, 7)]
USER, OPERATOR, PASSWORD = "admin", "operator", "correct horse"
#: How long everything may take to be done once nothing is broken any more: so many seconds, for leases have to end
#: before, and after a longer run, which leaves more to do, this share of it.
BOUND, SHARE = 120, 1 / 5
#: How long the copies of the last events may take, in seconds.
COPIED_WITHIN = 60


class Drama:
    def __init__(
        self, folder: Path, environment: Mapping[str, str], servers: Sequence[Server], seed: int, stack: ExitStack
    ) -> None:
        self._servers, self._copies = servers, Path(environment["PORTCULLIS_EVENTS_LOG"])
        self._random, self._granter = random.Random(f"{seed} villain"), random.Random(f"{seed} granter")
        self._over = Event()
        self.history, self.deeds = History(), Counter[str]()
        #: The ids of the requests that were to edit the provider, and of those that were answered.
        self._edits: set[str] = set()
        self._edited: set[str] = set()
        endpoint = stack.enter_context(moto())
        self._api = client_of(endpoint)
        self._cloud = stack.enter_context(running(BadDays(endpoint, seed)))
        cast = Cast(self._api)
        named = {name: cast.group(name) for name in (*GROUPS, "theirs-1", "theirs-2")}
        self._theirs = [named["theirs-1"], named["theirs-2"]]
        self._cloud.of_other_account |= {named[name] for name in GROUPS[::2]}
        for number in range(INSTANCES):
            groups = [named[name] for name in GROUPS[number % 2 :: 2]]  # some to take away
            instance = cast.instance(cast.web, *groups, name=f"server-{number}", interfaces=1 + number % 2)
            if number % 3 == 0:
                self._cloud.of_other_account.add(instance)
        self._before = groups_of(self._api)
        self._tool = OtherTool(self._cloud, endpoint, self._theirs, seed)
        self._provider = self._connect()
        self._installation = Installation(folder, environment)
        stack.callback(self._installation.end)
        self._installation.start()
        self._token = self._token_of(USER)
        self._clients = [self._client(f"{seed} client {number}") for number in range(CLIENTS)]
        self._clients += [self._limited_client(f"{seed} operator {number}") for number in range(OPERATORS)]

    def play(self, seconds: float) -> None:
        """Let everything happen for so long, and then let it come to rest."""
        roles = [Thread(target=self._ask, args=[client], daemon=True) for client in self._clients]
        roles += [Thread(target=act, daemon=True) for act in (self._interfere, self._grant_and_take)]
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
        wrong = []
        if not self._comes_to_rest():
            left = f"{Task.objects.unfinished().count()} tasks and {Expiration.objects.count()} expirations"
            wrong.append(f"{left} are not finished after {self._bound:.0f} s")
        took = time.monotonic() - self._rested
        self._change_as_operator()
        wrong += self.history.wrong
        accepted, cancelled = self.history.accepted, self.history.cancelled
        unheard = self.history.unheard
        wrong += judge(accepted, cancelled, unheard, self._before, self._tool.given, groups_of(self._api))
        wrong += judge_parents(self.history.many, cancelled, unheard)
        _refresh(self._provider)
        if memberships() != groups_of(self._api):
            wrong.append("after a refresh the inventory is not what the cloud has")
        wrong += judge_events(self._before, memberships(), self._theirs)
        wrong += judge_edits(self._edits, self._edited)
        wrong += judge_expirations(self._before)
        wrong += judge_grants(OPERATOR, self._tenant)
        wrong += self._wrong_with_copies()
        self._tell(took)
        return wrong

    def _change_as_operator(self) -> None:
        """Let the operator change something in peace, if in a short run every attempt came to nothing."""
        if not Grant.objects.filter(group=self._group).exists():
            self._give_or_take(f"{self._installation.urls[0]}/api/grants", workers_away=False)
        changes = EventStream.objects.filter(username=OPERATOR, event_type__in=TYPES.values())
        for _ in range(20):
            if changes.exists():
                return
            self._clients[-1].ask_for_something(lambda: False)
            self._rested = time.monotonic()
            self._comes_to_rest()

    def _connect(self) -> Provider:
        call_command("migrate", verbosity=0)
        User.objects.create_superuser(USER, password=PASSWORD)
        self._group = Group.objects.create(name="operators")
        self._group.user_set.add(User.objects.create_user(OPERATOR, password=PASSWORD))
        provider = Provider.objects.create(
            name="cloud",
            vendor="amazon",
            url=self._cloud.url,
            credentials={"userid": "AKIDCHAOS", "password": "secret"},
        )
        _refresh(provider)
        self._tenant = provider.cloud_tenants.get(ems_ref=OTHER_ACCOUNT)
        groups = provider.security_groups.filter(name__in=GROUPS)
        self._paths = {group.name: f"/api/security_groups/{group.pk}" for group in groups}
        self._targets = []
        for vm in Vm.objects.prefetch_related("network_ports"):
            interfaces = [port.ems_ref for port in vm.network_ports.all()]
            self._targets.append(Target(f"/api/instances/{vm.pk}", interfaces))
            self._cloud.instance_of |= dict.fromkeys(interfaces, vm.ems_ref)
        forward_events()  # copies begin with what comes after
        self._uncopied = EventStream.objects.latest("pk").pk
        connection.close()
        return provider

    def _token_of(self, user: str) -> str:
        url = self._installation.urls[0]
        answer = requests.get(f"{url}/api/auth", auth=(user, PASSWORD), timeout=60)
        return str(answer.json()["auth_token"])

    def _client(self, seed: str) -> Client:
        return Client(self._installation.urls, self._token, self._targets, self._paths, self.history, seed)

    def _limited_client(self, seed: str) -> Client:
        """The operator, who tries everything, but mostly a few instances, whose tasks wait for each other."""
        own = Vm.objects.filter(cloud_tenant=self._tenant).values_list("pk", flat=True)
        paths = {f"/api/instances/{pk}" for pk in own}
        few = [target for target in self._targets if target.path in paths][:4]
        targets = [*self._targets, *few * 20]
        token = self._token_of(OPERATOR)
        return Client(self._installation.urls, token, targets, self._paths, self.history, seed, is_limited=True)

    # Who takes part

    def _ask(self, client: Client) -> None:
        while not self._over.is_set():
            client.ask_for_something(lambda: self._over.is_set() and time.monotonic() > self._rested + self._bound)

    def _interfere(self) -> None:
        while not self._over.wait(0.02):
            self._tool.change_something()

    def _grant_and_take(self) -> None:
        """Give the operator the only grant there is, or take it away."""
        while not self._over.wait(self._granter.uniform(0.2, 2)):
            workers_away = self._granter.random() < 0.5
            with suppress(requests.RequestException):
                path = self._granter.choice(self._installation.urls) + "/api/grants"
                self._give_or_take(path, workers_away)

    def _give_or_take(self, path: str, workers_away: bool) -> None:
        """With `workers_away`, a grant is taken while accepted work waits, and only given once they are back."""
        headers = {"X-Auth-Token": self._token}
        own = {"group_id": self._group.pk}  # the groups of the roles have theirs
        grants = requests.get(path, own, headers=headers, timeout=5).json().get("resources")
        if grants is None:
            return  # the database is away
        if grants and workers_away:
            self._installation.kill(*self._installation.workers)
            self._over.wait(1)
        grant = {"group_id": self._group.pk, "role": "operator", "cloud_tenant_id": self._tenant.pk}
        giving, taking = {"action": "create", "resource": grant}, {"action": "delete", "resources": grants}
        if requests.post(path, json=taking if grants else giving, headers=headers, timeout=5).ok:
            self.deeds["grant taken" if grants else "grant given"] += 1
            if grants and workers_away:
                self._over.wait(4)

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
        request = f"edit-{len(self._edits)}"
        self._edits.add(request)
        if self._tell_provider({"action": "edit", "resource": {"credentials": credentials}}, request):
            self._edited.add(request)

    def _tell_provider(self, body: dict[str, object], request: str | None = None) -> bool:
        """Whether an answer says that it is done."""
        url = f"{self._random.choice(self._installation.urls)}/api/providers/{self._provider.pk}"
        headers = {"X-Auth-Token": self._token} | ({"X-Request-Id": request} if request else {})
        with suppress(requests.RequestException):
            return requests.post(url, json=body, headers=headers, timeout=5).ok
        return False

    # What there is in the end

    def _comes_to_rest(self) -> bool:
        while Task.objects.unfinished().exists() or Expiration.objects.exists():
            if time.monotonic() > self._rested + self._bound:
                return False
            time.sleep(0.2)
        return True

    def _wrong_with_copies(self) -> list[str]:
        ends = time.monotonic() + COPIED_WITHIN
        while (wrong := list(judge_copies(self._copies, self._uncopied))) and time.monotonic() < ends:
            time.sleep(0.5)
        return wrong

    def _tell(self, took: float) -> None:
        print(f"{len(self.history.accepted)} changes accepted; all done {took:.1f} s after the last trouble")
        for title, counts in {
            "clients": self.history.counts,
            "tasks": outcomes(),
            "events": sources(),
            "ended": lateness(self._before),
            "grants": {"tasks begun without the right": len(begun_without_right(OPERATOR))},
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
