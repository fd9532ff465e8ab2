from django.db import migrations

from inventory.tallies import KeepTally


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0008_tallies'),
        ('secgroups', '0003_shared_groups'),
    ]

    operations = [
        KeepTally('SecurityGroup'),
        KeepTally('FirewallRule'),
    ]
