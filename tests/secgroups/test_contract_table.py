"""`docs/clouds.md` says of each case and cloud how it was shown."""

from __future__ import annotations

from pathlib import Path

from tests.contracts.drivers import DriverContract
from tests.secgroups import test_ec2_contract, test_file_contract, test_openstack_contract

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "clouds.md"
SUITES: list[type[DriverContract]] = [
    test_ec2_contract.TestEc2,
    test_openstack_contract.TestOpenStack,
    test_file_contract.TestFile,
]


def how(suite: type[DriverContract], case: str) -> str:
    test = getattr(suite, case)
    if test is None:
        return "not possible"
    marks = getattr(test, "pytestmark", ())
    return "injected" if any(mark.name == "injected" for mark in marks) else "live"


def table() -> list[str]:
    cases = [name for name in vars(DriverContract) if name.startswith("test_")]
    return [
        f"| {case.removeprefix('test_').replace('_', ' ')} | {' | '.join(how(suite, case) for suite in SUITES)} |"
        for case in cases
    ]


def test_the_document_has_every_case_of_every_cloud() -> None:
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    assert rows[2:] == table(), "\n" + "\n".join(table())
