"""What Neutron says of groups, in our words, for both its answers and what can be foreseen of them."""

from __future__ import annotations

DEFAULT_IS_KEPT = "A project's default security group can't be deleted."
DEFAULT_KEEPS_NAME = "The default security group can't be renamed."
