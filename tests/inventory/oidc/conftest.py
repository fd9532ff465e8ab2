"""The provider, and Portcullis as if the variables of OpenID Connect had been set at its start."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from importlib import import_module, reload
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.signals import user_logged_out
from django.urls import clear_url_caches

from inventory.admin import OidcIdentityAdmin
from inventory.models import OidcIdentity
from inventory.oidc.client import _client
from inventory.site import AdminSite
from tests.live.oidc.provider import Provider, configured, provider


@pytest.fixture(scope="session")
def provider_process() -> Iterator[Provider]:
    """One provider for the whole run (of each xdist worker)."""
    with provider("http://testserver/oidc/callback/") as served:
        yield served


def _reload_urls() -> None:
    reload(import_module("settings.urls"))
    clear_url_caches()


@pytest.fixture
def oidc(
    db: None, provider_process: Provider, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Provider]:
    settings.OIDC = configured(provider_process.url)
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "inventory.oidc.middleware.RenewalMiddleware"]
    settings.AUTHENTICATION_BACKENDS = [*settings.AUTHENTICATION_BACKENDS, "inventory.oidc.backend.OidcBackend"]
    settings.TEMPLATES = deepcopy(settings.TEMPLATES)
    settings.TEMPLATES[0]["OPTIONS"]["context_processors"].append("inventory.oidc.context.provider")
    monkeypatch.setattr(AdminSite, "login_template", "oidc/admin_login.html")
    admin.site.register(OidcIdentity, OidcIdentityAdmin)
    _reload_urls()
    yield provider_process
    provider_process.relent()
    _client.cache_clear()
    user_logged_out.disconnect(dispatch_uid="oidc")
    admin.site.unregister(OidcIdentity)
    settings.OIDC = None
    _reload_urls()
