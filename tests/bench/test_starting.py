"""Measuring, and the control plane, start from a process without Django's apps: they must not import models."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("bench", ["reads", "peers"])
def test_a_bench_starts_without_apps(bench: str) -> None:
    command = [sys.executable, "-m", f"tests.bench.{bench}", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(f"usage: python -m tests.bench.{bench}")


def test_the_control_plane_starts_without_settings() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    command = [sys.executable, "-c", "import inventory.demo.openstack"]
    started = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert started.returncode == 0, started.stderr
