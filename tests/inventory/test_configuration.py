"""Which settings stop a start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from inventory import configuration, messages
from tests.e2e.service import clean_environment
from tests.e2e.units import example_environment

ROOT = Path(__file__).parents[2]
PLACEHOLDER = "CHANGE-ME"
PLACEHOLDERS = [name for name, value in example_environment().items() if PLACEHOLDER in value]
#: What the start of each kind of process is, but for its work.
STARTS = {
    "web server": ("-m", "gunicorn", "settings.wsgi", "--check-config"),
    "worker": ("-m", "celery", "--quiet", "--app=settings", "worker", "--pool=threads"),
    "scheduler": ("-m", "celery", "--quiet", "--app=settings", "beat"),
    "migrate": ("manage.py", "migrate"),
    "standalone": ("manage.py", "standalone", "--port=0"),
}


def run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=clean_environment(PORTCULLIS_VAR=str(folder), **environment),
        capture_output=True,
        text=True,
        timeout=60,
    )


def problems() -> str:
    """Why a process refuses to start; empty if it starts."""
    try:
        configuration.refuse_bad_settings()
    except ImproperlyConfigured as error:
        return str(error)
    return ""


@pytest.fixture(autouse=True)
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(configuration.CHECKED, raising=False)
    assert problems() == ""


@pytest.mark.parametrize(
    "variable", [name for name, value in example_environment().items() if PLACEHOLDER in value]
)
def test_a_placeholder_stops_a_start(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, example_environment()[variable])
    assert messages.placeholder_left(variable) in problems()


@pytest.mark.parametrize(
    ("setting", "value", "variable"),
    [
        ("SECRET_KEY", "s3cret-" * 7, "SECRET_KEY"),
        ("SECRET_KEY", "ab" * 25, "SECRET_KEY"),
        ("SECRET_KEY_FALLBACKS", ["s3cret-"], "SECRET_KEY_FALLBACKS"),
        ("DEBUG", True, "DEBUG"),
    ],
)
def test_a_weak_key_and_debug_stop_a_start(setting: str, value: Any, variable: str, settings: Any) -> None:
    setattr(settings, setting, value)
    assert variable in problems()
    assert "s3cret" not in problems()


def test_what_standalone_has_checked_is_not_checked_again(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DEBUG = True
    monkeypatch.setenv(configuration.CHECKED, "yes")
    assert problems() == ""


@pytest.mark.e2e
@pytest.mark.parametrize("start", STARTS)
def test_nothing_starts_with_a_placeholder(start: str, tmp_path: Path) -> None:
    ended = run(tmp_path, *STARTS[start], SECRET_KEY=PLACEHOLDER)
    assert ended.returncode != 0
    assert messages.placeholder_left("SECRET_KEY") in ended.stdout + ended.stderr
