"""Exposures, the public ports that they count, and the marks of groups whose exposures are out of date.

What exists is brought in here as far as it is quick: the public ports, and marks of all groups with inbound rules. The
next refresh of a provider works its marks off, or the schedule does, whatever comes first.
"""

import django.db.models.deletion
import django.db.models.functions.comparison
from django.db import migrations, models

from inventory.db.bulk import batches
from inventory.db.marks import MarkOwners
from inventory.db.tallies import KeepTally
from secgroups.traffic.addresses import public_families

MARKS = {'marks': 'secgroups_touchedgroup', 'owner': 'security_group_id'}


def find_public_ports(apps, schema_editor):
    ports = apps.get_model('inventory', 'NetworkPort').objects.using(schema_editor.connection.alias)
    public_ports = apps.get_model('secgroups', 'PublicPort')
    rows = ports.values_list('pk', 'ipaddresses', 'public_ipaddresses').order_by()
    found = (
        public_ports(network_port_id=pk, network_protocol=family)
        for pk, addresses, translated in rows.iterator()
        for family in public_families(addresses, translated)
    )
    for batch in batches(found):
        public_ports.objects.using(schema_editor.connection.alias).bulk_create(batch)


def mark_groups(apps, schema_editor):
    alias = schema_editor.connection.alias
    rules = apps.get_model('secgroups', 'FirewallRule').objects.using(alias).filter(direction='inbound')
    marks = apps.get_model('secgroups', 'TouchedGroup')
    groups = rules.values_list('security_group', flat=True).distinct().order_by()
    for batch in batches(groups.iterator()):
        marks.objects.using(alias).bulk_create(marks(security_group_id=group) for group in batch)


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0023_ports_and_peers'),
        ('secgroups', '0009_address_lists'),
    ]

    operations = [
        migrations.CreateModel(
            name='Exposure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('network_protocol', models.CharField(choices=[('IPV4', 'Ipv4'), ('IPV6', 'Ipv6')], max_length=8)),
                ('host_protocol', models.CharField(blank=True, max_length=32, null=True)),
                ('port', models.IntegerField(blank=True, null=True)),
                ('end_port', models.IntegerField(blank=True, null=True)),
                ('service', models.CharField(blank=True, max_length=32, null=True)),
                ('source_ip_ranges', models.JSONField(default=list)),
                ('breadth', models.CharField(choices=[('world', 'World'), ('wide', 'Wide'), ('narrow', 'Narrow')], max_length=8)),
                ('severity', models.CharField(choices=[('critical', 'Critical'), ('high', 'High'), ('medium', 'Medium'), ('low', 'Low'), ('none', 'None')], max_length=8)),
                ('total_vms', models.IntegerField(default=0)),
                ('total_public_vms', models.IntegerField(default=0, help_text='Those whose port with the group has a public address of the family.')),
                ('firewall_rules', models.ManyToManyField(related_name='exposures', to='secgroups.firewallrule')),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='exposures', to='inventory.provider')),
                ('security_group', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='exposures', to='secgroups.securitygroup')),
            ],
            options={
                'ordering': ['id'],
                'indexes': [models.Index(fields=['provider', 'id'], name='exposure_provider'), models.Index(fields=['security_group', 'id'], name='exposure_group'), models.Index(fields=['severity', 'id'], name='exposure_severity'), models.Index(fields=['service', 'id'], name='exposure_service'), models.Index(fields=['port', 'id'], name='exposure_port')],
                'constraints': [models.UniqueConstraint(models.F('security_group'), models.F('network_protocol'), django.db.models.functions.comparison.Coalesce('host_protocol', models.Value('')), django.db.models.functions.comparison.Coalesce('port', models.Value(-1)), django.db.models.functions.comparison.Coalesce('end_port', models.Value(-1)), name='exposure_unique')],
            },
        ),
        migrations.CreateModel(
            name='PublicPort',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('network_protocol', models.CharField(choices=[('IPV4', 'Ipv4'), ('IPV6', 'Ipv6')], max_length=8)),
                ('network_port', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='public_ports', to='inventory.networkport')),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('network_port', 'network_protocol'), name='public_port_unique')],
            },
        ),
        migrations.CreateModel(
            name='TouchedGroup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('transaction', models.BigIntegerField(default=0)),
                ('security_group', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='secgroups.securitygroup')),
            ],
            options={
                'default_permissions': (),
                'indexes': [models.Index(fields=['security_group', 'transaction'], name='touched_group')],
            },
        ),
        KeepTally('Exposure'),
        MarkOwners(
            'FirewallRule',
            **MARKS,
            owners='SELECT security_group_id FROM {changed} AS changed',
            columns=['security_group_id'],
        ),
        MarkOwners(
            'Membership',
            **MARKS,
            owners='SELECT security_group_id FROM {changed} AS changed',
            columns=['security_group_id'],
        ),
        MarkOwners(
            'AddressList',
            **MARKS,
            owners='SELECT security_group_id FROM secgroups_firewallrule WHERE source_address_list_id IN'
            ' (SELECT id FROM {changed} AS changed)',
            columns=['id'],
        ),
        MarkOwners(
            'PublicPort',
            **MARKS,
            owners='SELECT security_group_id FROM secgroups_membership WHERE network_port_id IN'
            ' (SELECT network_port_id FROM {changed} AS changed)',
            columns=['network_port_id'],
        ),
        migrations.RunPython(find_public_ports, migrations.RunPython.noop),
        migrations.RunPython(mark_groups, migrations.RunPython.noop),
    ]
