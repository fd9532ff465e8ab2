"""Encryption of secrets in the database. A ciphertext can only be decrypted at its own place.

The algorithm is AES-256-GCM, with the place as associated data. Its keys are derived from the Fernet keys in
`settings.CREDENTIALS_KEYS`: the first one encrypts, and all decrypt.
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from inventory import messages
from inventory.drivers.exceptions import CloudError

#: The version of the format: `v1:<id of the key>:<nonce, ciphertext and tag in Base64>`.
VERSION = "v1"
#: How the Fernet tokens of earlier versions begin, which could be decrypted at any place.
_FERNET = "gAAAAA"
_NONCE = 12  # bytes
_KEY, _KEY_ID = 32, 8  # bytes


class UnreadableSecret(CloudError):
    """A stored secret can't be decrypted. The message says why, and what to do.

    For whoever needs the secret to ask a cloud, it is a permanent error like a wrong password. The message tells
    nothing of the cloud, so everybody may know it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, general=message)


@dataclass(frozen=True, slots=True)
class Ciphertext:
    """An encrypted value, as the database has it. Empty if there is none."""

    text: str

    @property
    def has_first_key(self) -> bool:
        """Whether it needs no key but the first, which encrypts."""
        return not self.text or self.text.startswith(_prefix(_derived(settings.CREDENTIALS_KEYS[0])))


@dataclass(frozen=True, slots=True)
class _Key:
    id: str
    cipher: AESGCM


@cache
def _derived(fernet_key: str) -> _Key:
    derivation = HKDF(SHA256(), length=_KEY + _KEY_ID, salt=None, info=b"portcullis.encryption.v1")
    derived = derivation.derive(base64.urlsafe_b64decode(fernet_key))
    return _Key(derived[_KEY:].hex(), AESGCM(derived[:_KEY]))


def _prefix(key: _Key) -> str:
    return f"{VERSION}:{key.id}:"


def encrypt(plaintext: bytes, place: str) -> Ciphertext:
    """Encrypt with the first key. Only `decrypt` with the same place gets the plaintext back."""
    key, nonce = _derived(settings.CREDENTIALS_KEYS[0]), os.urandom(_NONCE)
    prefix = _prefix(key)
    sealed = key.cipher.encrypt(nonce, plaintext, (prefix + place).encode())
    return Ciphertext(prefix + base64.urlsafe_b64encode(nonce + sealed).decode())


def decrypt(ciphertext: Ciphertext, place: str) -> bytes:
    """Raises `UnreadableSecret` without the key, or if the ciphertext was changed or moved here."""
    text = ciphertext.text
    if text.startswith(_FERNET):
        raise UnreadableSecret(messages.UNBOUND_CREDENTIALS)
    version, _, rest = text.partition(":")
    key_id, _, encoded = rest.partition(":")
    if version != VERSION or not encoded:
        raise UnreadableSecret(messages.DAMAGED_CREDENTIALS)
    for key in map(_derived, settings.CREDENTIALS_KEYS):
        if key.id == key_id:
            return _decrypted(key, encoded, place)
    raise UnreadableSecret(messages.UNREADABLE_CREDENTIALS)


def _decrypted(key: _Key, encoded: str, place: str) -> bytes:
    try:
        data = base64.b64decode(encoded, altchars="-_", validate=True)
        return key.cipher.decrypt(data[:_NONCE], data[_NONCE:], (_prefix(key) + place).encode())
    except (InvalidTag, ValueError) as error:
        raise UnreadableSecret(messages.DAMAGED_CREDENTIALS) from error
