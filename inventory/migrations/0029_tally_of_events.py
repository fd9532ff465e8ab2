"""How many events there are, of all and of each provider."""

from django.db import migrations, models

from inventory.db.tallies import KeepTally


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0028_token_events'),
    ]

    operations = [
        migrations.AlterField(
            model_name='tally',
            name='provider',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=models.deletion.DO_NOTHING, related_name='+', to='inventory.provider'),
        ),
        KeepTally('EventStream', by={'provider_id': 'ems_id'}),
    ]
