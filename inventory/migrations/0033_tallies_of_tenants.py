"""How many instances, ports and events each tenant has."""

from django.db import migrations, models

from inventory.db.tallies import KeepTally


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0032_tasks_with_parts'),
    ]

    operations = [
        migrations.AddField(
            model_name='tally',
            name='cloud_tenant',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=models.deletion.DO_NOTHING, related_name='+', to='inventory.cloudtenant'),
        ),
        migrations.RemoveIndex('tally', 'tally_of'),
        migrations.AddIndex('tally', models.Index(fields=['table', 'cloud_tenant', 'provider', 'cloud'], include=['number'], name='tally_of')),
        KeepTally('Vm', by=['provider_id', 'cloud'], by_tenant=True),
        KeepTally('NetworkPort', by_tenant=True),
        KeepTally('EventStream', by={'provider_id': 'ems_id'}, by_tenant=True),
    ]
