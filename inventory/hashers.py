"""How passwords are hashed."""

from django.contrib.auth import hashers


class PasswordHasher(hashers.Argon2PasswordHasher):
    """Argon2id with the first parameters that OWASP recommends (Password Storage Cheat Sheet).

    Django's own take twice the memory and eight threads for one hash, which other requests need.
    """

    time_cost = 1
    memory_cost = 47_104  # KiB
    parallelism = 1
