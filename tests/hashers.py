"""A password hasher that tests look at."""

from __future__ import annotations

from django.contrib.auth.hashers import MD5PasswordHasher


class CountingHasher(MD5PasswordHasher):
    """Counts how often a password is compared with a hash, or made one of for a user who is not known."""

    algorithm = "counting"
    count = 0

    def encode(self, password: str, salt: str) -> str:
        type(self).count += 1
        return super().encode(password, salt)


#: For `settings.PASSWORD_HASHERS`.
COUNTING = [f"{__name__}.{CountingHasher.__name__}"]
