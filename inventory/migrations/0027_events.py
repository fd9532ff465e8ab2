"""Events, and how long they are kept. What providers have now is known since this migration."""

from django.db import migrations, models
from django.utils import timezone

from inventory.db.event_guard import GuardEvents
from inventory.db.events import RecordEvents

EVENT_COLUMNS = [
    'id', 'event_type', 'timestamp', 'source', 'message', 'username', 'group', 'address', 'request_id', 'ems_id',
    'cloud_tenant_id', 'vm_or_template_id', 'security_group_id', 'task_id', 'count', 'full_data', 'counted_as',
]


def know_providers(apps, schema_editor):
    """Those that have been read before. Their next refresh is not their first."""
    alias = schema_editor.connection.alias
    read = apps.get_model('inventory', 'CloudTenant').objects.using(alias).values('provider')
    providers = apps.get_model('inventory', 'Provider').objects.using(alias)
    providers.filter(pk__in=read).update(known_since=timezone.now())


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0026_ready_groups'),
    ]

    operations = [
        migrations.AddField(
            model_name='provider',
            name='known_since',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='task',
            name='address',
            field=models.CharField(editable=False, max_length=45, null=True),
        ),
        migrations.AddField(
            model_name='task',
            name='group',
            field=models.CharField(editable=False, max_length=150, null=True),
        ),
        migrations.CreateModel(
            name='EventPosition',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.BigIntegerField()),
                ('moved_on', models.DateTimeField()),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='EventRetention',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('days', models.PositiveIntegerField()),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.CheckConstraint(condition=models.Q(('days__gte', 1)), name='event_retention_days')],
            },
        ),
        migrations.CreateModel(
            name='EventStream',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event_type', models.CharField(max_length=64)),
                ('timestamp', models.DateTimeField()),
                ('source', models.CharField(choices=[('PORTCULLIS', 'Portcullis'), ('REFRESH', 'Refresh')], default='PORTCULLIS', max_length=16)),
                ('message', models.TextField()),
                ('username', models.CharField(max_length=255, null=True)),
                ('group', models.CharField(max_length=150, null=True)),
                ('address', models.CharField(max_length=45, null=True)),
                ('request_id', models.CharField(max_length=64, null=True, verbose_name='request id')),
                ('ems_id', models.BigIntegerField(null=True, verbose_name='provider')),
                ('cloud_tenant_id', models.BigIntegerField(null=True, verbose_name='cloud tenant')),
                ('vm_or_template_id', models.BigIntegerField(null=True, verbose_name='VM')),
                ('security_group_id', models.BigIntegerField(null=True, verbose_name='security group')),
                ('task_id', models.BigIntegerField(null=True, verbose_name='task')),
                ('count', models.IntegerField(default=1)),
                ('full_data', models.JSONField(default=dict)),
                ('counted_as', models.CharField(editable=False, max_length=64, null=True)),
            ],
            options={
                'verbose_name': 'event',
                'ordering': ['-id'],
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['timestamp', 'id'], name='event_stream_timestamp'), models.Index(fields=['event_type', 'id'], name='event_stream_event_type', opclasses=['varchar_pattern_ops', 'int8_ops']), models.Index(condition=models.Q(('username__isnull', False)), fields=['username', 'id'], name='event_stream_username', opclasses=['varchar_pattern_ops', 'int8_ops']), models.Index(condition=models.Q(('request_id__isnull', False)), fields=['request_id', 'id'], name='event_stream_request', opclasses=['varchar_pattern_ops', 'int8_ops']), models.Index(condition=models.Q(('ems_id__isnull', False)), fields=['ems_id', 'id'], name='event_stream_ems', opclasses=['int8_ops', 'int8_ops']), models.Index(condition=models.Q(('cloud_tenant_id__isnull', False)), fields=['cloud_tenant_id', 'id'], name='event_stream_cloud_tenant', opclasses=['int8_ops', 'int8_ops']), models.Index(condition=models.Q(('vm_or_template_id__isnull', False)), fields=['vm_or_template_id', 'id'], name='event_stream_vm_or_template', opclasses=['int8_ops', 'int8_ops']), models.Index(condition=models.Q(('security_group_id__isnull', False)), fields=['security_group_id', 'id'], name='event_stream_security_group', opclasses=['int8_ops', 'int8_ops']), models.Index(condition=models.Q(('task_id__isnull', False)), fields=['task_id', 'id'], name='event_stream_task', opclasses=['int8_ops', 'int8_ops'])],
                'constraints': [models.UniqueConstraint(condition=models.Q(('counted_as__isnull', False)), fields=('counted_as',), name='event_stream_counted_as_unique')],
            },
        ),
        RecordEvents(
            'Vm',
            created='instance_appeared',
            deleted='instance_gone',
            messages={
                'instance_appeared': 'Instance {name} appeared',
                'instance_gone': 'Instance {name} is gone',
            },
            columns=[
                'id', 'ems_ref', 'name', 'description', 'vendor', 'cloud', 'template', 'cloud_tenant_id',
                'power_state', 'raw_power_state', 'flavor_name', 'availability_zone_name', 'location',
            ],
            flags=['cloud', 'template'],
            ids={
                'ems_id': 'written.provider_id',
                'cloud_tenant_id': 'written.cloud_tenant_id',
                'vm_or_template_id': 'written.id',
            },
        ),
        GuardEvents('EventStream', EVENT_COLUMNS),
        migrations.RunPython(know_providers, migrations.RunPython.noop),
    ]
