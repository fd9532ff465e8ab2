"""Measuring starts servers from a process without Django's apps, so it must not import models."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("bench", ["reads", "peers"])
def test_a_bench_starts_without_apps(bench: str) -> None:
    command = [sys.executable, "-m", f"tests.bench.{bench}", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(f"usage: python -m tests.bench.{bench}")
