from typing import Any

from django.apps import AppConfig
from django.apps import apps as global_apps
from django.contrib.admin import apps as admin_apps
from django.db.models.signals import post_migrate


class AdminConfig(admin_apps.AdminConfig):
    """Django's admin, with our site."""

    default = False
    default_site = "inventory.site.AdminSite"


class InventoryConfig(AppConfig):
    default = True
    name = "inventory"

    def ready(self) -> None:
        # They register themselves.
        from inventory import checks, configuration  # noqa: F401
        from inventory.db import expressions  # noqa: F401

        post_migrate.connect(make_default_zone, sender=self)


def make_default_zone(using: str, apps: Any = global_apps, **kwargs: Any) -> None:
    """Create the zone as Django's sites does: not in a migration, because tests flush the database."""
    try:
        zones = apps.get_model("inventory", "Zone").objects
    except LookupError:
        return  # before the migration that makes the table
    zones.using(using).get_or_create(name="default", defaults={"description": "Default Zone"})
