"""Nobody but its owner can read a file of an installation."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.management import call_command

from inventory import checks, private_files
from inventory.models import Provider
from inventory.standalone import preparation
from tests.test_architecture import ROOT


@pytest.fixture
def generous_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def var(tmp_path: Path, settings: Any, generous_umask: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What an earlier version left, readable by everybody."""
    settings.VAR = tmp_path / "var"
    database = settings.VAR / "portcullis.sqlite3"
    described = {"ENGINE": "inventory.db.sqlite", "NAME": str(database)}
    monkeypatch.setitem(configured.DATABASES, "default", described)
    (settings.VAR / "broker" / "control").mkdir(parents=True)
    (settings.VAR / "openstack").mkdir()
    for name in ("portcullis.sqlite3", "portcullis.sqlite3-wal", "portcullis.sqlite3-shm", "standalone.pid"):
        (settings.VAR / name).touch()
    for name in ("1.portcullis.msg", "control/celery.exchange"):
        (settings.VAR / "broker" / name).touch()
    return settings.VAR


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_of_earlier_versions_are_made_private(var: Path) -> None:
    preparation.keep_private(pytest.fail)
    ours = [path for path in (var, *var.rglob("*")) if path.name != "openstack"]
    assert len(ours) == 9
    assert {path: oct(mode(path)) for path in ours} == {
        path: "0o700" if path.is_dir() else "0o600" for path in ours
    }
    assert not [*private_files.exposed_files()]


def test_they_are_warned_of_by_a_check(var: Path) -> None:
    warnings = checks.files_are_private(None)
    assert {warning.id for warning in warnings} == {"inventory.W001"}
    assert len({warning.msg for warning in warnings}) == len(warnings) == 9
    preparation.keep_private(pytest.fail)
    assert checks.files_are_private(None) == []


def test_neither_a_link_nor_a_shared_folder_is_changed(var: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.touch()
    (var / "link").symlink_to(elsewhere)
    var.chmod(0o1777)
    preparation.keep_private(pytest.fail)
    assert mode(elsewhere) == 0o666
    assert mode(var) == 0o1777


def test_a_file_of_another_user_is_named(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "chmod", refuse)
    told: list[str] = []
    preparation.keep_private(told.append)
    assert any(f"Others may read {var}/portcullis.sqlite3," in line for line in told)


@pytest.mark.usefixtures("db", "generous_umask")
def test_an_export_is_private_also_where_a_public_file_was(tmp_path: Path) -> None:
    Provider.objects.create(name="acme", vendor="amazon")
    file = tmp_path / "acme.json"
    file.touch()
    call_command("exportprovider", "acme", output=file)
    assert mode(file) == 0o600


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_whatever_a_command_writes_is_private(tmp_path: Path, umask: int) -> None:
    """The database with its files, dumps of it, keys and folders."""
    script = f"""
import django; django.setup()
from pathlib import Path
from django.contrib.auth.models import Group
from django.core.management import call_command
from settings.celery import app
call_command("migrate", verbosity=0)
Group.objects.create(name="a")
call_command("dumpdata", output="{tmp_path}/var/dump.json", verbosity=0)
app.send_task("inventory.tasks.sweep")
for path in Path("{tmp_path}/var").rglob("*"):
    print(oct(path.stat().st_mode & 0o777), path.name)
"""
    services = {"DATABASE_URL", "CELERY_BROKER_URL"}
    environment = {name: value for name, value in os.environ.items() if name not in services}
    written = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment | {"PORTCULLIS_VAR": f"{tmp_path}/var", "DJANGO_SETTINGS_MODULE": "settings.base"},
        check=True,
        capture_output=True,
        text=True,
        umask=umask,
    ).stdout.splitlines()
    modes = {name: mode for mode, name in (line.split(maxsplit=1) for line in written)}
    assert {"portcullis.sqlite3", "portcullis.sqlite3-wal", "dump.json", "secret_key", "broker"} <= modes.keys()
    assert {mode for name, mode in modes.items() if name not in {"broker", "control"}} == {"0o600"}
    assert {modes[name] for name in ("broker", "control") if name in modes} == {"0o700"}
