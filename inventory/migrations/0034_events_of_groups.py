"""An index for what happened to groups themselves: their members leave far more events."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0033_tallies_of_tenants'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='eventstream',
            index=models.Index(condition=models.Q(('event_type__in', ('security_group_created', 'security_group_edited', 'security_group_deleted', 'firewall_rule_created', 'firewall_rule_deleted'))), fields=['security_group_id', 'event_type', 'timestamp'], name='event_stream_of_group'),
        ),
    ]
