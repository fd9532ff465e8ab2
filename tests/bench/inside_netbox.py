"""What is done with the packages of NetBox: `inside_netbox.py INSTANCES` makes virtual machines and a superuser.

Prints how to log in, and ids to ask for.
"""

import json
import os
import sys

import django


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "netbox.settings")
    django.setup()
    from tenancy.models import Tenant
    from users.models import Token, User
    from virtualization.models import Cluster, ClusterType, VirtualMachine

    instances = int(sys.argv[1])
    tenants = [Tenant.objects.create(name=f"tenant {n}", slug=f"tenant-{n}") for n in range(20)]
    kind = ClusterType.objects.create(name="cloud", slug="cloud")
    cluster = Cluster.objects.create(name="cloud", type=kind)
    machines = (
        VirtualMachine(
            name=f"production-web-{n:07}",
            cluster=cluster,
            tenant=tenants[n % len(tenants)],
            status="active",
            vcpus=2,
            memory=4096,
            description="a virtual machine",
        )
        for n in range(instances)
    )
    VirtualMachine.objects.bulk_create(machines, batch_size=1000)
    token = Token(user=User.objects.create_superuser("bench", password="Correct horse 1"))
    token.save()
    ids = list(VirtualMachine.objects.order_by("pk").values_list("pk", flat=True)[:: instances // 50])
    print(json.dumps({"authorization": f"{token.get_auth_header_prefix()}{token.token}", "ids": ids}))  # noqa: T201


if __name__ == "__main__":
    main()
