from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.oracles.ovn import Ovn

#: Where `make test-oracles` brings the packages.
FOLDER = Path(os.environ.get("ORACLES", "var/oracles")).absolute()


@pytest.fixture(scope="session")
def ovn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ovn]:
    subprocess.run([Path(__file__).with_name("install"), FOLDER], check=True)
    oracle = Ovn(FOLDER, tmp_path_factory.mktemp("ovn"))
    try:
        yield oracle
    finally:
        oracle.end()
