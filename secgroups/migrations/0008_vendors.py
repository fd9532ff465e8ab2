"""Rows have the plain vendor, of which the API makes class names."""

from django.db import migrations

from inventory.migrations._vendors import class_name_of, replace, vendor_of

ENDING = 'NetworkManager::SecurityGroup'


def to_vendors(apps, schema_editor):
    groups = apps.get_model('secgroups', 'SecurityGroup').objects.using(schema_editor.connection.alias)
    replace(groups, vendor_of, ENDING)


def to_class_names(apps, schema_editor):
    groups = apps.get_model('secgroups', 'SecurityGroup').objects.using(schema_editor.connection.alias)
    replace(groups, class_name_of, ENDING)


class Migration(migrations.Migration):

    dependencies = [
        ('secgroups', '0007_one_spelling_of_protocols'),
    ]

    operations = [
        migrations.RenameField('securitygroup', 'type', 'vendor'),
        migrations.RunPython(to_vendors, to_class_names),
    ]
