from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.oracles.nftables import Kernel
from tests.oracles.ovn import Ovn


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder to which `make test-oracles` brings the packages."""
    folder = Path(os.environ.get("ORACLES", "var/oracles")).absolute()
    subprocess.run([Path(__file__).with_name("install"), folder], check=True)
    return folder


@pytest.fixture(scope="session")
def ovn(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ovn]:
    oracle = Ovn(packages, tmp_path_factory.mktemp("ovn"))
    try:
        yield oracle
    finally:
        oracle.end()


@pytest.fixture(scope="session")
def kernel(packages: Path) -> Iterator[Kernel]:
    oracle = Kernel(packages)
    try:
        yield oracle
    finally:
        oracle.end()
