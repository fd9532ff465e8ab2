"""Stamps that tell whether a group's members changed, for what analyses keep in memory."""

import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models

from inventory.db.stamps import StampOwners

STAMPS = {'stamps': 'secgroups_groupstamp', 'owner': 'security_group_id'}


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0031_tasks_that_name_others'),
        ('secgroups', '0013_exposures_in_scope'),
    ]

    operations = [
        migrations.CreateModel(
            name='GroupStamp',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('stamp', models.BigIntegerField()),
                ('security_group', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='secgroups.securitygroup')),
            ],
            options={
                'default_permissions': (),
                'indexes': [models.Index(fields=['security_group', 'stamp'], name='group_stamp')],
            },
            managers=[
                ('dumped', django.db.models.manager.Manager()),
            ],
        ),
        StampOwners(
            'Membership',
            **STAMPS,
            owners='SELECT security_group_id FROM {changed} AS changed',
            columns=['security_group_id', 'network_port_id'],
            # Otherwise, a port that changes at the same time would not know of a new group.
            lock='PERFORM 1 FROM inventory_networkport WHERE id IN'
            ' (SELECT network_port_id FROM {changed} AS changed) ORDER BY id FOR SHARE',
        ),
        StampOwners(
            'inventory.NetworkPort',
            **STAMPS,
            owners='SELECT security_group_id FROM secgroups_membership WHERE network_port_id IN'
            ' (SELECT id FROM {changed} AS changed)',
            columns=['cloud_network_id', 'ipaddresses', 'public_ipaddresses', 'allowed_address_pairs'],
            only_updates=True,
        ),
    ]
