from django.apps import AppConfig


class SecgroupsConfig(AppConfig):
    name = "secgroups"
    verbose_name = "Security groups"
