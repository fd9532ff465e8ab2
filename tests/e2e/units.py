"""The commands of `deploy/systemd`, as systemd would start them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from configparser import RawConfigParser
from pathlib import Path
from string import Template

from dotenv import dotenv_values

from tests.servers import DEPLOY

#: Where the units expect the project's virtual environment, and where this one is.
THEIRS, OURS = "/opt/portcullis/.venv/bin", str(Path(sys.executable).parent)


def settings_of(name: str) -> dict[str, str]:
    """The section `Service` of a unit; of a setting that is there twice the last."""
    parser = RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(DEPLOY / "systemd" / name)
    return dict(parser["Service"])


def command(name: str, environment: Mapping[str, str], instance: str = "") -> list[str]:
    """What `ExecStart` runs with this environment."""
    text = settings_of(name)["ExecStart"].replace("\\\n", " ").replace(THEIRS, OURS)
    text = text.replace("%i", instance).replace("%%", "%")
    return shlex.split(Template(text).substitute(environment))


def example_environment() -> dict[str, str]:
    """`deploy/portcullis.env`."""
    return {name: value or "" for name, value in dotenv_values(DEPLOY / "portcullis.env").items()}
