from django.db import migrations

ROLES = ("viewer", "operator", "manager", "owner")


def make_groups(apps, schema_editor):
    """A group for each role, with the role on everything. An existing group of that name stays as it is."""
    Group, Grant = apps.get_model("auth", "Group"), apps.get_model("inventory", "Grant")
    for role in ROLES:
        group, is_new = Group.objects.get_or_create(name=role)
        if is_new:
            Grant.objects.create(group=group, role=role)


class Migration(migrations.Migration):

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("inventory", "0025_grants"),
    ]

    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop)]
