from typing import Any

from django.apps import AppConfig
from django.apps import apps as global_apps
from django.contrib.admin import apps as admin_apps
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.db.models.signals import post_migrate

from inventory.metrics import logins_refused


class AdminConfig(admin_apps.AdminConfig):
    """Django's admin, with our site."""

    default = False
    default_site = "inventory.site.AdminSite"


class InventoryConfig(AppConfig):
    default = True
    name = "inventory"

    def ready(self) -> None:
        # They register themselves.
        from inventory import checks, configuration, login_events  # noqa: F401
        from inventory.db import addresses, expressions  # noqa: F401

        post_migrate.connect(make_default_zone, sender=self)
        user_login_failed.connect(count_refused_login)
        user_login_failed.connect(login_events.note_refused_login)
        user_logged_in.connect(login_events.note_page_login)


def make_default_zone(using: str, apps: Any = global_apps, **kwargs: Any) -> None:
    """Create the zone as Django's sites does: not in a migration, because tests flush the database."""
    try:
        zones = apps.get_model("inventory", "Zone").objects
    except LookupError:
        return  # before the migration that makes the table
    zones.using(using).get_or_create(name="default", defaults={"description": "Default Zone"})


def count_refused_login(request: Any = None, **kwargs: Any) -> None:
    """Count a wrong password, at the API (HTTP Basic) or on a login page."""
    is_basic = request is not None and "HTTP_AUTHORIZATION" in request.META
    logins_refused("basic" if is_basic else "page", "wrong")
