"""Rows have the plain vendor, of which the API makes class names. Instances had both, and lose what is made."""

from django.db import migrations, models

from inventory.db.tallies import KeepTally
from inventory.migrations._vendors import class_name_of, replace, vendor_of

PROVIDER, VM = 'CloudManager', 'CloudManager::Vm'


def rows_of(apps, schema_editor, model):
    return apps.get_model('inventory', model).objects.using(schema_editor.connection.alias)


def to_vendors(apps, schema_editor):
    replace(rows_of(apps, schema_editor, 'Provider'), vendor_of, PROVIDER)


def to_class_names(apps, schema_editor):
    replace(rows_of(apps, schema_editor, 'Provider'), class_name_of, PROVIDER)


def keep_vendors(apps, schema_editor):
    """The vendor of each instance is that of its class; a driver could have another word in each."""
    vms = rows_of(apps, schema_editor, 'Vm')
    for name in vms.order_by().values_list('type', flat=True).distinct():
        if (vendor := vendor_of(name, VM)) != name:
            vms.filter(type=name).exclude(vendor=vendor).update(vendor=vendor)


def add_class_names(apps, schema_editor):
    vms = rows_of(apps, schema_editor, 'Vm')
    for vendor in vms.order_by().values_list('vendor', flat=True).distinct():
        vms.filter(vendor=vendor).update(type=class_name_of(vendor, VM))


def keep_tally(apps, schema_editor):
    """To add the column, Django makes the table anew on SQLite, without its triggers."""
    tally = KeepTally('Vm', by=['provider_id', 'cloud'])
    for statement in tally.create(schema_editor.connection.vendor, 'inventory_vm'):
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0014_zone_and_provider_path'),
    ]

    # Neither a column that is renamed nor one that is dropped costs SQLite's triggers.
    operations = [
        migrations.RenameField('provider', 'type', 'vendor'),
        migrations.RunPython(to_vendors, to_class_names),
        migrations.RunPython(migrations.RunPython.noop, keep_tally),
        migrations.RunPython(keep_vendors, add_class_names),
        # So that it can be added again, empty at first; the table stays as it is.
        migrations.AlterField('vm', 'type', models.CharField(blank=True, max_length=255)),
        migrations.RemoveField('vm', 'type'),
    ]
