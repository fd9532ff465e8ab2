"""Events of security groups, their rules and their members."""

from django.db import migrations

from inventory.db.events import RecordEvents

#: `tcp 22-443 from 10.0.0.0/8`. The name of a group is not everybody's.
RULE = """
    written.direction || ' ' || coalesce(written.host_protocol, 'traffic')
    || coalesce(' ' || CAST(written.port AS text), '')
    || CASE WHEN written.end_port <> written.port THEN '-' || CAST(written.end_port AS text) ELSE '' END
    || CASE written.direction WHEN 'inbound' THEN ' from ' ELSE ' to ' END
    || CASE WHEN written.source_security_group_id IS NOT NULL THEN 'a security group'
        ELSE coalesce(written.source_ip_range, 'any address') END
"""


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0027_events'),
        ('secgroups', '0011_rules_by_service'),
    ]

    operations = [
        RecordEvents(
            'SecurityGroup',
            created='security_group_created',
            deleted='security_group_deleted',
            edited='security_group_edited',
            messages={
                'security_group_created': 'Security group {name} was created',
                'security_group_deleted': 'Security group {name} was deleted',
                'security_group_edited': 'Security group {name} was edited',
            },
            columns=[
                'id', 'ems_ref', 'name', 'description', 'vendor', 'cloud_tenant_id', 'cloud_network_id', 'stateful',
                'shared',
            ],
            flags=['stateful', 'shared'],
            watched=['name', 'description', 'cloud_tenant_id', 'cloud_network_id', 'stateful', 'shared'],
            ids={
                'ems_id': 'written.provider_id',
                'cloud_tenant_id': 'written.cloud_tenant_id',
                'security_group_id': 'written.id',
            },
        ),
        RecordEvents(
            'FirewallRule',
            created='firewall_rule_created',
            deleted='firewall_rule_deleted',
            messages={
                'firewall_rule_created': 'A rule of security group {security_group} was created: {rule}',
                'firewall_rule_deleted': 'A rule of security group {security_group} was deleted: {rule}',
            },
            columns=[
                'id', 'ems_ref', 'security_group_id', 'direction', 'network_protocol', 'host_protocol', 'port',
                'end_port', 'source_ip_range', 'source_security_group_id', 'source_address_list_id', 'description',
            ],
            watched=[
                'security_group_id', 'direction', 'network_protocol', 'host_protocol', 'port', 'end_port',
                'source_ip_range', 'source_security_group_id', 'description',
            ],
            joins='LEFT JOIN secgroups_securitygroup AS security_group ON security_group.id = written.security_group_id',
            names={'security_group': 'security_group.name'},
            texts={'rule': RULE},
            ids={
                'ems_id': 'written.provider_id',
                'cloud_tenant_id': 'security_group.cloud_tenant_id',
                'security_group_id': 'written.security_group_id',
            },
        ),
        RecordEvents(
            'Membership',
            created='security_group_added',
            deleted='security_group_removed',
            messages={
                'security_group_added': 'Security group {security_group} was added to {vm}',
                'security_group_removed': 'Security group {security_group} was removed from {vm}',
            },
            columns=['security_group_id', 'network_port_id', 'vm_id'],
            watched=['security_group_id', 'network_port_id', 'vm_id'],
            joins="""
                LEFT JOIN secgroups_securitygroup AS security_group ON security_group.id = written.security_group_id
                LEFT JOIN inventory_networkport AS network_port ON network_port.id = written.network_port_id
                LEFT JOIN inventory_vm AS vm ON vm.id = written.vm_id
            """,
            names={
                'security_group': 'security_group.name',
                'security_group_ems_ref': 'security_group.ems_ref',
                'network_port_ems_ref': 'network_port.ems_ref',
                'vm': 'vm.name',
                'vm_ems_ref': 'vm.ems_ref',
            },
            texts={'vm': "coalesce(vm.name, 'port ' || network_port.ems_ref)"},
            ids={
                # Whoever may see only one of them must not read the name of the other.
                'ems_id': 'CASE security_group.provider_id WHEN network_port.provider_id THEN security_group.provider_id END',
                'cloud_tenant_id': """
                    CASE WHEN security_group.cloud_tenant_id = network_port.cloud_tenant_id
                        AND (written.vm_id IS NULL OR security_group.cloud_tenant_id = vm.cloud_tenant_id)
                    THEN security_group.cloud_tenant_id END
                """,
                'vm_or_template_id': 'written.vm_id',
                'security_group_id': 'written.security_group_id',
            },
            key="network_port.ems_ref || '/' || security_group.ems_ref",
        ),
    ]
