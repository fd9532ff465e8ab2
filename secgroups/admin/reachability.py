"""The page that answers whether A can reach B. Its URL is the question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.forms import BoundField
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from inventory.rest.resources import Viewer
from secgroups.admin.explained import Reason, Some, may_ask, reasons
from secgroups.analysis.messages import hidden_ports
from secgroups.analysis.reachability import Reachability, Side
from secgroups.forms import ReachabilityForm
from secgroups.messages import QUESTION, ports_called, protocol_called
from secgroups.traffic.addresses import text_of
from secgroups.traffic.reachability import Address, Missing, Passage, Path, Port, Verdict

#: The styles of the verdicts, which are those of tasks.
STYLES: Mapping[Verdict, str] = {"allowed": "ok", "partly": "warn", "unknown": "warn", "blocked": "error"}
#: How many paths, services and unknown rules a page shows.
ROWS = 100


class End(NamedTuple):
    """One end of a path: a port (its id) or what lies outside the inventory, and the address."""

    port: int
    name: str
    address: str


class Judged(NamedTuple):
    """What the rules of one port say. `reason` says why without rules."""

    verdict: str
    because_of: Some[Reason]
    reason: str


class PathRow(NamedTuple):
    source: End
    target: End
    public: bool
    outbound: Judged | None
    inbound: Judged | None


class MissingRow(NamedTuple):
    """A rule that a port needs, in any one of these groups (ids and names)."""

    direction: str
    port: int
    name: str
    groups: list[tuple[int, str]]
    protocol: str
    ports: str
    other_side: str


class UnknownRow(NamedTuple):
    because_of: Some[Reason]
    message: str


class Answer:
    """An answer in words and rows."""

    def __init__(self, reachability: Reachability) -> None:
        self._reachability, self._rulebook = reachability, reachability.rulebook
        sides = (*reachability.source.ports, *reachability.target.ports)
        self._names = {port.pk: port.name for port in sides}

    def context(self) -> dict[str, Any]:
        answer, question = self._reachability, self._reachability.question
        services = [
            f"{protocol_called(service.host_protocol, family)} {ports_called(*service)}"
            for family, service in (answer.services if answer.service.port is None else ())
        ]
        return {
            "verdict": answer.verdict,
            "style": STYLES[answer.verdict],
            "message": answer.message,
            "families": question.families,
            "paths": Some.of(map(self._path, answer.paths), len(answer.paths), ROWS),
            "services": Some.of(services, len(services), ROWS),
            "missing": list(map(self._missing, question.missing)),
            "unknown": Some.of(self._unknown(), len(answer.unknown) + len(answer.with_hidden_ports), ROWS),
            "not_considered": answer.not_considered,
        }

    def _path(self, path: Path) -> PathRow:
        answer = self._reachability
        return PathRow(
            self._end(answer.source, path.from_port, path.from_address),
            self._end(answer.target, path.to_port, path.to_address),
            path.public,
            self._judged(path.outbound),
            self._judged(path.inbound),
        )

    def _end(self, side: Side, port: Port | None, address: Address | None) -> End:
        if port is None or address is None:
            return End(0, side.name, "")
        return End(port.pk, self._names[port.pk], text_of(address.number))

    def _judged(self, passage: Passage | None) -> Judged | None:
        if passage is None:
            return None
        return Judged(passage.verdict, reasons(passage.rules, self._rulebook), passage.reason)

    def _missing(self, missing: Missing) -> MissingRow:
        service = missing.line.service
        return MissingRow(
            missing.direction,
            missing.port.pk,
            self._names[missing.port.pk],
            [(group, self._rulebook.names[group]) for group in missing.port.groups],
            protocol_called(service.host_protocol, missing.family),
            ports_called(*service),
            missing.line.other_side.source_ip_range,
        )

    def _unknown(self) -> Iterator[UnknownRow]:
        for line in self._reachability.unknown:
            yield UnknownRow(reasons(line.because_of, self._rulebook), self._rulebook.not_known(line))
        for name in self._reachability.with_hidden_ports:
            yield UnknownRow(Some([]), hidden_ports(name))


@require_safe
def reachability_view(request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> HttpResponse:
    """Ask, and with `?from=...&to=...` answer. With one of them, the other is still to be asked."""
    if not may_ask(request.user):
        raise PermissionDenied
    is_asked = {"from", "to"} <= request.GET.keys()
    form = ReachabilityForm(Viewer(request.user), request.GET if is_asked else None, initial=request.GET.dict())
    context = {
        **model_admin.admin_site.each_context(request),
        "title": QUESTION,
        "opts": model_admin.opts,
        "form": form,
    }
    if is_asked and form.is_valid():
        context["answer"] = Answer(form.reachability).context()
    context["fields"] = [(field, list(_choices(request, field))) for field in form]
    return TemplateResponse(request, "admin/secgroups/reachability.html", context)


def _choices(request: HttpRequest, field: BoundField) -> Iterator[tuple[str, str, str]]:
    """What the side of a field may mean: the address of that question, the name and the side."""
    for side, name in getattr(field.field, "choices", ()):
        query = request.GET.copy()
        query[field.name] = side
        yield f"?{query.urlencode()}", name, side
