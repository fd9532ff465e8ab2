"""What EC2 says of groups, in our words, for both its answers and what can be foreseen of them."""

from __future__ import annotations

from collections.abc import Sequence

NAME_TAKEN = "The VPC already has a security group with this name."
DEFAULT_IS_KEPT = "A VPC's default security group can't be deleted."


def users(interfaces: Sequence[str], groups: Sequence[str]) -> str:
    """A sentence with what prevents the deletion of a group, if anything."""
    kinds = [
        ("It is attached to the network interfaces", interfaces),
        ("Rules of these groups refer to it", groups),
    ]
    return " ".join(f"{label}: {', '.join(refs)}." for label, refs in kinds if refs)
