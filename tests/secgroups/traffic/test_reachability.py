"""Verdicts beside a brute-force model over small worlds: service by service, address by address."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from secgroups.traffic.addresses import FAMILIES
from secgroups.traffic.effective import Direction, Line, OtherSide
from secgroups.traffic.ranges import NOTHING, Ranges
from secgroups.traffic.reachability import Address, Missing, Port, Question, Realm, Verdict, is_known
from secgroups.traffic.services import Service

#: Addresses 0 to 7 are private, 8 to 15 are public.
ADDRESSES = range(16)
SERVICES = [
    Service(),
    Service("tcp"),
    Service("tcp", 1, 3),
    Service("tcp", 2, 2),
    Service("udp"),
    Service("none such"),
]
ASKED = [service for service in SERVICES if service.range()]
#: One member of each part into which these services cut all.
MEMBERS = sorted(
    {edge for service in ASKED for first, last in [service.range() or (0, 0)] for edge in (first, last + 1)}
)[:-1]
REALMS = [Realm(1, None), Realm(2, None)]


ranges = st.tuples(st.sampled_from(ADDRESSES), st.sampled_from(ADDRESSES)).map(
    lambda ends: Ranges.of((min(ends), max(ends)))
)


@st.composite
def _lines(draw: st.DrawFn) -> tuple[Line, ...]:
    lines = []
    for _ in range(draw(st.integers(0, 4))):
        addresses = draw(st.one_of(ranges, ranges, st.just(FAMILIES["IPV4"]), st.none()))
        direction: Direction = draw(st.sampled_from(["inbound", "outbound"]))
        lines.append(
            Line(direction, "IPV4", draw(st.sampled_from(SERVICES)), OtherSide(source_name="x"), addresses)
        )
    return tuple(lines)


@st.composite
def _ports(draw: st.DrawFn) -> list[Port]:
    ports = []
    for pk in range(draw(st.integers(1, 4))):
        own = draw(st.sampled_from(range(8)))
        addresses = [Address(own, public=False)]
        if draw(st.booleans()):
            addresses.append(Address(own + 8, public=True, translated=draw(st.booleans())))
        groups = draw(st.sampled_from([(), (1,), (2,), (1, 2)]))
        ports.append(
            Port(pk, draw(st.sampled_from(REALMS)), tuple(addresses), draw(_lines()) if groups else (), groups)
        )
    return ports


@st.composite
def questions(draw: st.DrawFn) -> Question:
    ports = draw(_ports())
    services = draw(st.sampled_from(ASKED)).range()
    assert services
    chosen = st.lists(st.sampled_from(ports), min_size=1, max_size=3, unique_by=lambda port: port.pk)
    kind = draw(st.sampled_from(["inbound", "outbound", "between"]))
    outside = NOTHING if kind == "between" else draw(ranges)
    return Question(
        None if kind == "inbound" else draw(chosen),
        None if kind == "outbound" else draw(chosen),
        services,
        outside,
    )


def lets(port: Port, direction: Direction, service: int, address: int, *, unknown: bool) -> bool:
    """Whether a line lets this through; `unknown` says what those do that are not known."""
    for line in port.lines:
        first, last = line.service.range() or (0, MEMBERS[-1])
        is_about = line.direction == direction and first <= service <= last and address in line.possible_addresses
        if is_about and (is_known(line) or unknown):
            return True
    return False


def passes(question: Question, service: int, outside: int | None, *, unknown: bool) -> bool:
    """Whether this service passes, for one address outside or between some two ports."""
    if question.from_ports is None:
        assert outside is not None
        return any(lets(port, "inbound", service, outside, unknown=unknown) for port in question.to_ports or ())
    if question.to_ports is None:
        assert outside is not None
        return any(lets(port, "outbound", service, outside, unknown=unknown) for port in question.from_ports)
    return any(
        lets(source, "outbound", service, there.number, unknown=unknown)
        and lets(target, "inbound", service, here.number, unknown=unknown)
        for source, target in product(question.from_ports, question.to_ports)
        for here, there in product(source.addresses, target.addresses)
        if source.pk != target.pk and meet(source, here, target, there)
    )


def meet(source: Port, here: Address, target: Port, there: Address) -> bool:
    if here.public and there.public:
        return True
    return source.realm == target.realm and not here.translated and not there.translated


def judged(question: Question, *, unknown: bool) -> Verdict:
    first, last = question.services
    services = [member for member in MEMBERS if first <= member <= last]
    outside: list[int | None] = [address for address in ADDRESSES if address in question.outside]
    results = {
        passes(question, service, there, unknown=unknown) for service in services for there in outside or [None]
    }
    if results == {True}:
        return "allowed"
    return "partly" if True in results else "blocked"


def brute_force(question: Question) -> Verdict:
    least, most = judged(question, unknown=False), judged(question, unknown=True)
    return least if least == most else "unknown"


@given(questions())
def test_the_verdict_is_that_of_every_packet(question: Question) -> None:
    assert question.verdict == brute_force(question)


def added(question: Question, rules: Iterable[Missing]) -> Question:
    """The question once each rule is in the first group of its port."""

    def changed(ports: Sequence[Port] | None) -> list[Port] | None:
        if ports is None:
            return None
        return [
            replace(
                port, lines=(*port.lines, *(rule.line for rule in rules if rule.port.groups[0] in port.groups))
            )
            for port in ports
        ]

    rules = tuple(rules)
    return replace(question, from_ports=changed(question.from_ports), to_ports=changed(question.to_ports))


@given(questions())
def test_what_is_missing_is_complete_and_minimal(question: Question) -> None:
    missing = question.missing
    if missing:
        assert brute_force(added(question, missing)) == "allowed"
    for left_out in missing:
        rest = [rule for rule in missing if rule is not left_out]
        assert brute_force(added(question, rest)) != "allowed"


@given(questions())
def test_rules_help_wherever_a_path_leads_to_groups(question: Question) -> None:
    has_path = any(all(port.groups for port in (path.from_port, path.to_port) if port) for path in question.paths)
    if question.verdict != "allowed" and has_path:
        assert question.missing


@given(questions())
def test_what_passes_is_a_part_of_the_paths(question: Question) -> None:
    assert set(question.passing) <= set(question.paths)
    assert all(path in question.passing for path in question.paths if path.verdict in ("allowed", "partly"))
    assert {path.verdict for path in question.passing} <= {"allowed", "partly", "unknown"}
    if question.verdict in ("allowed", "partly"):
        assert question.passing
    if question.verdict == "blocked":
        assert not question.passing
