"""What an older version kept as its cloud spelled it: a filter finds these rules before the next refresh, too."""

from django.db import migrations

from inventory.drivers.protocols import protocol_named

OPENSTACK = 'ManageIQ::Providers::Openstack::CloudManager'


def spell(apps, schema_editor):
    rules = apps.get_model('secgroups', 'FirewallRule').objects.using(schema_editor.connection.alias)
    neutrons = rules.filter(provider__type=OPENSTACK)
    # Neutron's own sense of these, which its driver knows now.
    neutrons.filter(host_protocol='ip').update(host_protocol=None)
    neutrons.filter(host_protocol='ipip').update(host_protocol='ipv4')
    neutrons.filter(host_protocol__in=['icmp', '1'], network_protocol='IPV6').update(host_protocol='icmpv6')
    for said in rules.order_by().values_list('host_protocol', flat=True).distinct():
        if (name := protocol_named(said)) != said:
            rules.filter(host_protocol=said).update(host_protocol=name)


class Migration(migrations.Migration):

    dependencies = [
        ('secgroups', '0006_what_clouds_allow'),
    ]

    # It asks for the type of a provider, which is a vendor then.
    run_before = [
        ('inventory', '0015_vendors'),
    ]

    operations = [
        migrations.RunPython(spell, migrations.RunPython.noop, elidable=True),
    ]
