"""The locks say what pyproject.toml says: `make lock` was run after a change of a dependency."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PYPROJECT = (ROOT / "pyproject.toml").read_text()
DECLARED = tomllib.loads(PYPROJECT)
RUN = DECLARED["project"]["dependencies"]
OTEL = DECLARED["project"]["optional-dependencies"]["otel"]
DEVELOP = DECLARED["dependency-groups"]["dev"] + OTEL


def locked(name: str) -> dict[str, Requirement]:
    """The requirements of a lock, by name."""
    entries = re.findall(r"^[^\s#].*?(?= \\$)", (ROOT / name).read_text(), flags=re.MULTILINE)
    return {canonicalize_name(entry.name): entry for entry in map(Requirement, entries)}


@pytest.mark.parametrize(("name", "requirements"), [
    ("requirements.txt", RUN),
    ("requirements-otel.txt", RUN + OTEL),
    ("requirements-dev.txt", RUN + DEVELOP),
])  # fmt: skip
def test_a_lock_has_the_versions_of_pyproject(name: str, requirements: list[str]) -> None:
    lock = locked(name)
    for requirement in map(Requirement, requirements):
        assert lock[canonicalize_name(requirement.name)].specifier == requirement.specifier


def test_all_locks_have_the_same_versions() -> None:
    """Not the same markers, which depend on what else needs a package."""
    run, traced, develop = (
        {name: entry.specifier for name, entry in locked(lock).items()}
        for lock in ("requirements.txt", "requirements-otel.txt", "requirements-dev.txt")
    )
    assert run.items() <= develop.items()
    assert traced.items() <= develop.items()


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-otel.txt", "requirements-dev.txt"])
def test_every_version_has_its_hashes(name: str) -> None:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.lstrip().startswith("#")]
    entries = [position for position, line in enumerate(lines) if not line.startswith(" ")]
    assert all(lines[position + 1].lstrip().startswith("--hash=sha256:") for position in entries)


@pytest.mark.parametrize("requirement", RUN + DEVELOP)
def test_every_dependency_is_pinned_with_its_reason(requirement: str) -> None:
    assert "==" in requirement
    assert re.search(rf'"{re.escape(requirement)}",\s+# \S', PYPROJECT)
