"""`docs/adding-a-cloud.md` has the interface of a driver as it is."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from inventory.drivers import exceptions, file
from inventory.drivers.base import Driver

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "adding-a-cloud.md").read_text()
PUBLIC = {name: value for name, value in vars(Driver).items() if not name.startswith("_")}
METHODS = sorted(name for name, value in PUBLIC.items() if callable(value))
FLAGS = sorted(PUBLIC.keys() - set(METHODS))
ERRORS = sorted(
    name for name, value in vars(exceptions).items() if isinstance(value, type) and issubclass(value, Exception)
)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_named(method: str) -> None:
    assert f"`{method}(" in DOCUMENT


@pytest.mark.parametrize("flag", FLAGS)
def test_every_flag_has_what_is_inherited(flag: str) -> None:
    assert f"| `{flag}` | `{PUBLIC[flag]}` |" in DOCUMENT


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_is_named(error: str) -> None:
    assert f"`{error}`" in DOCUMENT


def test_the_example_is_the_driver_of_files() -> None:
    beginning = DOCUMENT.index("    class FileDriver")
    shown = dedent(DOCUMENT[beginning : DOCUMENT.index("\n\nand its line", beginning)]).splitlines()
    source = Path(file.__file__).read_text().splitlines()
    assert [line for line in shown if line not in source] == []
    assert "class FileDriver(ReadOnlyDriver):" in shown
