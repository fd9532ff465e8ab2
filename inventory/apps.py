from django.apps import AppConfig


class InventoryConfig(AppConfig):
    name = "inventory"

    def ready(self) -> None:
        # They register themselves.
        from inventory import checks  # noqa: F401
        from inventory.rest.query import expressions  # noqa: F401
