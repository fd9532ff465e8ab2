"""`python -m inventory.demo.openstack up|down|wipe FOLDER`: the control plane of a folder."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path

from inventory.demo.openstack.plane import ControlPlane, NotUp


def main() -> None:
    parser = ArgumentParser(prog="inventory.demo.openstack", description=__doc__)
    parser.add_argument("what", choices=["up", "down", "wipe"], help="wipe: down, and forget all but packages")
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--ovn", type=Path, help="a folder with the sockets of OVN's databases, for Neutron to write to"
    )
    arguments = parser.parse_args()

    def say(text: str) -> None:
        print(f"OpenStack: {text}", flush=True)  # noqa: T201

    plane = ControlPlane(arguments.folder, say, arguments.ovn)
    if arguments.what == "up":
        try:
            access = plane.up()
        except NotUp as error:
            sys.exit(str(error))
        say(", ".join(f"{name} {value}" for name, value in access.items()))
    else:
        getattr(plane, arguments.what)()


if __name__ == "__main__":
    main()
