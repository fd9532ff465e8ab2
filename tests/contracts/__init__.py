"""What every collection and every driver must do: suites that their tests inherit."""

from tests.contracts.collections import CollectionContract, everything_to_see, grant

__all__ = ["CollectionContract", "everything_to_see", "grant"]
