"""The severities of exposures for users who see only some of what has a group.

Marks all groups with exposures. The next refresh of a provider works its marks off, or the schedule does.
"""

from django.db import migrations, models

from inventory.db.bulk import batches


def mark_groups(apps, schema_editor):
    alias = schema_editor.connection.alias
    exposures = apps.get_model('secgroups', 'Exposure').objects.using(alias)
    marks = apps.get_model('secgroups', 'TouchedGroup')
    groups = exposures.values_list('security_group', flat=True).distinct().order_by()
    for batch in batches(groups.iterator()):
        marks.objects.using(alias).bulk_create(marks(security_group_id=group) for group in batch)


class Migration(migrations.Migration):

    dependencies = [
        ('secgroups', '0012_events'),
    ]

    operations = [
        migrations.AddField(
            model_name='exposure',
            name='private_severity',
            field=models.CharField(choices=[('critical', 'Critical'), ('high', 'High'), ('medium', 'Medium'), ('low', 'Low'), ('none', 'None')], editable=False, max_length=8, null=True),
        ),
        migrations.AddField(
            model_name='exposure',
            name='unused_severity',
            field=models.CharField(choices=[('critical', 'Critical'), ('high', 'High'), ('medium', 'Medium'), ('low', 'Low'), ('none', 'None')], editable=False, max_length=8, null=True),
        ),
        migrations.RunPython(mark_groups, migrations.RunPython.noop),
    ]
