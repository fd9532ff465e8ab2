from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.servers import SERVERS, Server


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.chaos", description="Breaks an installation, and judges it.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--on", choices=SERVERS, default="rabbitmq")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="portcullis-chaos-"))
    folder.chmod(0o711)  # PostgreSQL is another user
    with ExitStack() as stack:
        servers = []
        for kind in SERVERS[asked.on]:
            server = kind(folder)
            stack.callback(server.end)
            server.start()
            servers.append(server)
        wrong = run(folder, servers, asked.seed, 60 * asked.minutes, stack)
    print(f"seed {asked.seed} on {asked.on}, {asked.minutes:g} min")
    if wrong:
        print("WRONG:", *wrong, f"The logs are in {folder}", sep="\n  ")
        return 1
    shutil.rmtree(folder)
    print("Nothing was lost.")
    return 0


def run(folder: Path, servers: list[Server], seed: int, seconds: float, stack: ExitStack) -> list[str]:
    environment = {
        "PORTCULLIS_VAR": str(folder / "var"),
        "PORTCULLIS_EVENTS_LOG": str(folder / "events.jsonl"),
        "REFRESH_INTERVAL": "20",
    }
    for server in servers:
        environment |= server.environment
    os.environ.update(environment, DJANGO_SETTINGS_MODULE="settings.base")
    import django

    django.setup()
    from tests.chaos.drama import Drama

    drama = Drama(folder, environment, servers, seed, stack)
    drama.play(seconds)
    return drama.judge()


if __name__ == "__main__":
    sys.exit(main())
