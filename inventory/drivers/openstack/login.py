"""Logging in to Keystone, and choosing the project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from inventory.drivers.exceptions import CredentialsRefused
from inventory.drivers.openstack import decoding
from inventory.drivers.values import Connection

Project = Mapping[str, Any]

#: The default domain and project.
DEFAULT_DOMAIN, DEFAULT_PROJECT = "default", "admin"


def keystone_url(connection: Connection) -> str:
    return (connection.url or "").rstrip("/").removesuffix("/v3") + "/v3"


def login(session: Session, connection: Connection) -> v3.Auth:
    """Log in. With a password, list the user's projects first, and choose one."""
    url = keystone_url(connection)
    if connection.auth_type == "application_credential":
        return v3.ApplicationCredential(
            url,
            application_credential_id=connection.userid,
            application_credential_secret=connection.password,
        )
    password = partial(
        v3.Password,
        url,
        username=connection.userid,
        password=connection.password,
        user_domain_id=connection.domain or DEFAULT_DOMAIN,
    )
    session.auth = password(unscoped=True)
    return password(project_id=chosen(connection, reachable(session, url))["id"])


def reachable(session: Session, url: str) -> Sequence[Project]:
    """The projects that the user can access."""
    page = decoding.page(session.get(f"{url}/auth/projects", authenticated=True), "projects")
    return list(map(decoding.identified, page.things))


def chosen(connection: Connection, projects: Sequence[Project]) -> Project:
    """Choose the project by id, or by name, preferably in the user's domain.

    A name that exists only in other domains must be unique there. The default is `admin`, or else the first
    project, preferably in the user's domain.
    """
    enabled = [project for project in projects if project.get("enabled", True)]
    if not enabled:
        raise CredentialsRefused(f"The user {connection.userid} has no role in any project.")
    target, domain = connection.project or DEFAULT_PROJECT, connection.domain or DEFAULT_DOMAIN
    by_id = [project for project in enabled if project["id"] == target]
    by_name = [project for project in enabled if project.get("name") == target]
    in_domain = [project for project in by_name if project.get("domain_id") == domain]
    matches = by_id or in_domain or by_name
    if not matches and connection.project:
        raise CredentialsRefused(
            f"The user {connection.userid} has no role in a project {target}. It has one in: {_listed(enabled)}."
        )
    if not matches:
        return next((project for project in enabled if project.get("domain_id") == domain), enabled[0])
    if len(matches) > 1:
        raise CredentialsRefused(
            f"The user {connection.userid} has a role in several projects with this name. Set the project to one "
            f"of their ids: {_listed(matches)}."
        )
    return matches[0]


def _listed(projects: Sequence[Project]) -> str:
    descriptions = (
        f"{project.get('name')} ({project['id']}, domain {project.get('domain_id')})" for project in projects
    )
    return ", ".join(sorted(descriptions))
