"""What OpenStack users may do, on the real Keystone, Neutron and Nova."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inventory.drivers.exceptions import CredentialsRefused
from inventory.drivers.openstack import OpenStackDriver
from inventory.drivers.values import Check
from tests.live.openstack import Plane, Project

pytestmark = pytest.mark.openstack

CHANGES = ["add and remove security groups", "create, edit and delete security groups and rules"]


def allowed(checks: tuple[Check, ...]) -> dict[str, bool | None]:
    return {check.name: check.allowed for check in checks}


def test_an_administrator_sees_every_project_and_may_change_all(plane: Plane, project: Project) -> None:
    project.port(project.group("web"))
    found = allowed(plane.driver().verify())
    assert set(found.values()) == {True}
    assert {"list instances", "list ports", "see every project", *CHANGES} <= found.keys()


def test_a_member_sees_and_changes_the_own_project(plane: Plane, project: Project) -> None:
    port = project.port(project.group("web"))
    before = plane.port(port)
    found = {check.name: check for check in project.driver().verify()}
    assert [check.allowed for check in found.values() if check.needed] == [True] * 5
    assert found["see every project"].allowed is False
    assert found["see every project"].message.startswith("Sees only the project project-")
    assert [found[name].allowed for name in CHANGES] == [True, True]
    assert plane.port(port) == before  # revision and time of its last change too


def test_a_reader_may_change_nothing_and_is_told_why(plane: Plane, project: Project) -> None:
    project.port(project.group("web"))
    found = {check.name: check for check in project.driver(project.user("reader")).verify()}
    assert [check.allowed for check in found.values() if check.needed] == [True] * 5
    assert [found[name].allowed for name in CHANGES] == [False, False]
    assert "another role, such as member" in found[CHANGES[0]].message
    assert "(request req-" in found[CHANGES[0]].message


def test_what_there_is_nothing_to_try_on_is_not_known(project: Project) -> None:
    found = {check.name: check for check in project.driver().verify()}
    assert found[CHANGES[0]].allowed is None
    assert found[CHANGES[0]].message.endswith("there are no ports to test it on.")


def test_a_wrong_password_is_refused(plane: Plane) -> None:
    driver = OpenStackDriver(replace(plane.driver().connection, password="wrong"))
    with pytest.raises(CredentialsRefused, match="The user or the password is wrong"):
        driver.verify()


def test_a_password_that_was_changed_is_noticed(plane: Plane, project: Project) -> None:
    driver = project.driver()
    driver.verify()
    identity = plane.sdk.identity
    identity.update_user(identity.find_user(project.userid), password="another one")
    with pytest.raises(CredentialsRefused):
        project.driver().verify()
