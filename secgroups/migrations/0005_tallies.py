from django.db import migrations

from inventory.db.tallies import KeepTally


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0009_tallies'),
        ('secgroups', '0004_indexes'),
    ]

    operations = [
        KeepTally('SecurityGroup'),
        KeepTally('FirewallRule'),
    ]
