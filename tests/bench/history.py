"""`python -m tests.bench.history`: how fast the past of an instance is read, with 10,000,000 events.

The groups of many instances, each as of another time of the last 300 days, take turns with their groups of now, on
the web server of production, before PostgreSQL. Writes the table between the marks of `docs/performance.md`;
`--quick` prints it, with a small inventory.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle

from tests.bench.client import Client, request
from tests.bench.filled import Filled, filled
from tests.bench.machine import Noise, description
from tests.bench.measuring import Probe, take_turns
from tests.bench.report import Aim, Section, milliseconds, write
from tests.bench.server import SERVICE, Server, serving
from tests.bench.stage import stage

ROUNDS, BATCH = 15, 20
DAYS = 300
#: Milliseconds, at p95.
BOUND = 10

#: Edits of each group.
EDITS = 10

#: Each membership began and ended over and over, at times of its own. It began last, so that what is there now is
#: what events tell. In between, groups were edited.
_EVENTS = """
    WITH moments AS (
        SELECT membership.*, number %% 2 = 1 AS removed,
            now() - interval '1 day' * %(days)s * (number + membership.id * 61 %% 97 / 97.0) / %(each)s
            - interval '1 second' AS moment
        FROM secgroups_membership AS membership CROSS JOIN generate_series(0, %(each)s) AS number
    )
    INSERT INTO inventory_eventstream (event_type, timestamp, source, message, ems_id, cloud_tenant_id,
        vm_or_template_id, security_group_id, count, full_data)
    SELECT CASE WHEN removed THEN 'security_group_removed' ELSE 'security_group_added' END,
        moment, 'REFRESH', 'Synthetic', vm.provider_id, vm.cloud_tenant_id, vm.id, security_group_id, 1,
        jsonb_build_object(CASE WHEN removed THEN 'before' ELSE 'after' END, told,
            CASE WHEN removed THEN 'after' ELSE 'before' END, null)
    FROM moments
    JOIN inventory_vm AS vm ON vm.id = vm_id,
    LATERAL (SELECT jsonb_build_object('security_group_id', security_group_id::text,
        'network_port_id', network_port_id::text, 'vm_id', vm_id::text) AS told) AS values
    UNION ALL
    SELECT 'security_group_edited',
        now() - interval '1 day' * %(days)s * (number + id * 61 %% 97 / 97.0) / %(edits)s,
        'REFRESH', 'Synthetic', provider_id, cloud_tenant_id, null, id, 1,
        jsonb_build_object('before', told || jsonb_build_object('description', 'No. ' || number), 'after', told)
    FROM generate_series(0, %(edits)s - 1) AS number CROSS JOIN secgroups_securitygroup,
    LATERAL (SELECT jsonb_build_object('id', id::text, 'ems_ref', ems_ref, 'name', name,
        'description', description, 'vendor', vendor, 'cloud_tenant_id', cloud_tenant_id::text,
        'cloud_network_id', cloud_network_id::text, 'stateful', stateful, 'shared', shared) AS told) AS values
    ORDER BY 2
"""


def main() -> None:
    parser = ArgumentParser(prog="python -m tests.bench.history", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a small inventory, nothing written")
    parser.add_argument("--keep", metavar="DATABASE", help="fill a database of this name once, and leave it")
    arguments = parser.parse_args()
    quick = arguments.quick
    instances, events = (5_000, 500_000) if quick else (200_000, 10_000_000)
    with stage() as (server, folder), filled(server, folder, instances, arguments.keep) as inventory:
        events = write_events(inventory, events)
        with serving(SERVICE, inventory.environment) as service:
            report = "\n\n".join(map(str, measure(service, inventory, events)))
    print(report)  # noqa: T201
    if not quick:
        write(report, "history")


def write_events(inventory: Filled, number: int) -> int:
    """Write about so many events, unless they are there. Returns how many there are."""
    with inventory.connect() as database:
        [written] = database.execute("SELECT count(*) FROM inventory_eventstream").fetchone() or [0]
        if written >= number:
            return int(written)
        [memberships] = database.execute(
            "SELECT count(*) FROM secgroups_membership WHERE vm_id > 0"
        ).fetchone() or [0]
        database.execute(_EVENTS, {"days": DAYS, "each": number // memberships, "edits": EDITS})
        database.execute("UPDATE inventory_provider SET known_since = now() - interval '1 year'")
        database.execute("VACUUM ANALYZE inventory_eventstream")
        [written] = database.execute("SELECT count(*) FROM inventory_eventstream").fetchone() or [0]
    return int(written)


def measure(service: Server, inventory: Filled, events: int) -> Iterator[object]:
    noise = Noise()
    moments = [datetime.now(UTC) - timedelta(days=DAYS * number / 100) for number in range(1, 98, 3)]
    path = "/api/instances/{pk}/security_groups?expand=resources"
    token = {"X-Auth-Token": inventory.token}
    probes = {
        title: Probe(
            service,
            [
                request(
                    "GET", (path + query).format(pk=values["pk"], moment=f"{moment:%Y-%m-%dT%H:%M:%SZ}"), token
                )
                for values, moment in zip(inventory.values, cycle(moments))
            ],
            BATCH,
        )
        for title, query in {"now": "", "as of a time": "&as_of={moment}"}.items()
    }
    share = _share_with_groups(service, probes["as of a time"].requests)
    for probe in probes.values():
        probe.turn()
        probe.series.rounds.clear()
    take_turns(list(probes.values()), ROUNDS, noise.look)
    rows = [
        (title, milliseconds(probe.series.median), Aim(probe.series.p95 * 1000, BOUND, form="{:.1f}"))
        for title, probe in probes.items()
    ]
    title = f"The groups of an instance, with {inventory.instances:,} instances and {events:,} events"
    yield Section(title, ("milliseconds", "p50", "p95"), rows)
    with inventory.connect() as database:
        yield f"On {description(database)}, in {ROUNDS} rounds. A fixed loop took {noise}."
    yield f"Of the answers as of a time, {share:.0%} have groups."


def _share_with_groups(service: Server, requests: Sequence[bytes]) -> float:
    with Client(service.port) as client:
        return sum(bool(json.loads(client.ask(each))["resources"]) for each in requests) / len(requests)


if __name__ == "__main__":
    main()
