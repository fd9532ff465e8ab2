"""Clients of others, as they are, do their work here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.clients.conftest import HERE, INSTALLED, Site

pytestmark = pytest.mark.clients


def done_by(script: str) -> list[str]:
    """What a script can be told to do."""
    return re.findall(r"^def (it_\w+)", (HERE / script).read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", done_by("with_manageiq_client.py"))
def test_manageiq_client(site: Site, name: str) -> None:
    site.run(INSTALLED / "python", HERE / "with_manageiq_client.py", name)


@pytest.mark.parametrize("name", done_by("with_faraday.rb"))
def test_what_the_client_in_ruby_sends(site: Site, name: str) -> None:
    site.run("ruby", "-W0", HERE / "with_faraday.rb", name)


def play(site: Site, book: str, **variables: str) -> str:
    settings = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
    python = f"ansible_python_interpreter={INSTALLED / 'python'}"
    return site.run(
        INSTALLED / "ansible-playbook", "-i", "localhost,", "-e", python, *settings, HERE / book, seconds=300
    )


@pytest.mark.parametrize("kind", ["Amazon", "OpenStack"])
def test_the_module_of_ansible_for_providers(site: Site, kind: str) -> None:
    play(site, "provider.yml", type=kind)


def test_the_modules_of_ansible_for_users_and_groups_read_what_there_is(site: Site, tmp_path: Path) -> None:
    site.service.manage("shell", "--command", MEMBER)
    play(site, "users.yml")


MEMBER = """
from django.contrib.auth.models import Group, User
user = User.objects.create_user("ada", "ada@example.org", first_name="Ada")
Group.objects.create(name="operators").user_set.add(user)
"""
