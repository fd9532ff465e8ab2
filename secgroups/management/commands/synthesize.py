"""Create a made-up inventory, to try Portcullis with many instances."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from secgroups import messages
from secgroups.synthesis import FEWEST_GROUPS, AlreadyThere, Size, settle, synthesize


class Command(BaseCommand):
    help = (
        "Adds the providers of a made-up company, with their instances, groups and rules, to the inventory. "
        "They are disabled, and no cloud is asked. The same seed gives the same company."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--instances", type=int, default=10_000, help="number of instances (default: %(default)s)"
        )
        parser.add_argument(
            "--groups", type=int, default=1_000, help="number of security groups (default: %(default)s)"
        )
        parser.add_argument(
            "--rules", type=int, default=5_000, help="number of firewall rules (default: %(default)s)"
        )
        parser.add_argument("--seed", type=int, default=1, help="seed of the company (default: %(default)s)")

    def handle(self, *, instances: int, groups: int, rules: int, seed: int, **options: Any) -> None:
        if groups < FEWEST_GROUPS or min(instances, rules) < 0:
            raise CommandError(messages.too_small(FEWEST_GROUPS))
        try:
            with tqdm(total=instances, desc="instances", unit="", file=self.stderr) as bar:
                providers = synthesize(seed, Size(instances, groups, rules), bar.update)
        except AlreadyThere as error:
            raise CommandError(str(error)) from error
        settle()
        self.stdout.write(f"{', '.join(provider.name for provider in providers)}: {instances} instances")
