"""What EC2 says of groups, in our words, for both its answers and what can be foreseen of them."""

from __future__ import annotations

NAME_TAKEN = "The VPC already has a security group with this name."
DEFAULT_IS_KEPT = "A VPC's default security group can't be deleted."
