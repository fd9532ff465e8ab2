"""Random groups that name each other, cycles among them, all of which are deleted."""

from __future__ import annotations

from random import Random

import pytest
from django.contrib.auth.models import User
from django.test import TestCase

from inventory.models import Task
from secgroups.models import SecurityGroup
from tests import cast as actors
from tests.cast import Cast
from tests.clouds import MemoryCloud
from tests.secgroups.in_use import deleted, like_inventory, names, port_states, run

#: How many graphs there are, in so many tests, of which the first are quick enough for every run.
GRAPHS, TESTS, QUICK = 200, 20, 1


@pytest.mark.parametrize(
    "part", [pytest.param(part, marks=() if part < QUICK else pytest.mark.walk) for part in range(TESTS)]
)
def test_all_are_deleted_and_the_cloud_refuses_nothing(
    cast: Cast, cloud: MemoryCloud, django_user_model: type[User], part: int
) -> None:
    admin = django_user_model.objects.create_superuser("root")
    for seed in range(part, GRAPHS, TESTS):
        random = Random(seed)  # noqa: S311 - what is random here has a seed
        groups = graph(cast, random, seed)
        like_inventory(cloud, cast.acme)
        before = {port.ref: port.group_refs for port in cloud.port_list}
        random.shuffle(groups)
        together = random.random() < 0.5
        for group in groups:
            with TestCase.captureOnCommitCallbacks(execute=True):
                deleted(group, admin)
            if not together:
                run(by_sweep=random.random() < 0.2)
        run()
        assert not Task.objects.exclude(status="Ok").exists()
        assert not SecurityGroup.objects.filter(pk__in=[group.pk for group in groups]).exists()
        assert not {group.ems_ref for group in groups} & {group.ref for group in cloud.group_list}
        assert all(all(refs.values()) for refs in port_states(cloud, before))  # EC2 has no port without a group
        Task.objects.all().delete()


def graph(cast: Cast, random: Random, seed: int) -> list[SecurityGroup]:
    """Groups on some ports, of instances and of none, with rules that name some of them."""
    network = cast.production.network
    groups = [actors.group(network, f"g-{seed}-{number}") for number in range(random.randint(2, 5))]
    for number in range(random.randint(1, 3)):
        vm = actors.vm(network, f"vm-{seed}-{number}", ports=random.randint(1, 2))
        for port in vm.network_ports.all():
            for group in chosen(random, groups):
                port.memberships.create(security_group=group, vm=vm)
    if random.random() < 0.5:
        actors.port(None, network, f"eni-{seed}", chosen(random, groups))
    owners = [*groups, cast.production.db]
    for number in range(random.randint(1, 8)):
        names(random.choice(owners), random.choice(groups), 1000 + number, random.choice(["inbound", "outbound"]))
    names(groups[0], groups[1])
    names(groups[1], groups[0])
    return groups


def chosen(random: Random, groups: list[SecurityGroup]) -> list[SecurityGroup]:
    return random.sample(groups, random.randint(1, len(groups)))
