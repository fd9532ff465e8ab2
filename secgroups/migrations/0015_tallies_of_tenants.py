"""How many security groups each tenant has."""

from django.db import migrations

from inventory.db.tallies import KeepTally


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0033_tallies_of_tenants'),
        ('secgroups', '0014_group_stamps'),
    ]

    operations = [
        KeepTally('SecurityGroup', by_tenant=True),
    ]
