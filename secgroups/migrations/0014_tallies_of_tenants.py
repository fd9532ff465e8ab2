"""How many security groups each tenant has."""

from django.db import migrations

from inventory.db.tallies import KeepTally


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0032_tallies_of_tenants'),
        ('secgroups', '0013_exposures_in_scope'),
    ]

    operations = [
        KeepTally('SecurityGroup', by_tenant=True),
    ]
