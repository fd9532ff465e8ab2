"""Whose security group a finished task names was not kept, so it may be that of another tenant."""

from django.db import migrations


def mark(apps, schema_editor):
    """Unfinished ones stay as they are: a worker of the older version would refuse to read them."""
    tasks = apps.get_model('inventory', 'Task').objects.using(schema_editor.connection.alias)
    batch = []
    for task in tasks.filter(state='Finished', queue__startswith='vms/').only('arguments').iterator(1000):
        task.arguments = {**(task.arguments or {}), 'names_others': True}
        batch.append(task)
        if len(batch) == 1000:
            tasks.bulk_update(batch, ['arguments'])
            batch.clear()
    tasks.bulk_update(batch, ['arguments'])


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0030_request_counts'),
    ]

    operations = [
        migrations.RunPython(mark, migrations.RunPython.noop),
    ]
