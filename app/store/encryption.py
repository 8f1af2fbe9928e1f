"""Encryption at rest: what lies in the database in clear is no patient's value and no token.

Fernet keys, newest first: the first one encrypts, all of them decrypt, so a key is rotated by putting a new one in
front and later dropping the old one. A sealed thing is plain ASCII text.
"""

import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from app.errors import Undecryptable


class Vault:
    """Seals and opens JSON documents and bytes."""

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        self._newest = Fernet(keys[0])
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, document: Any) -> str:
        """Give a JSON document encrypted under the newest key."""
        return self.seal_bytes(json.dumps(document, separators=(",", ":")).encode())

    def seal_bytes(self, raw: bytes) -> str:
        """Give bytes encrypted under the newest key."""
        return self._fernet.encrypt(raw).decode()

    def open(self, sealed: str) -> Any:
        """Give the JSON document.

        Raises  Undecryptable when no key fits
        """
        return json.loads(self.open_bytes(sealed))

    def open_bytes(self, sealed: str) -> bytes:
        """Give the bytes.

        Raises  Undecryptable when no key fits
        """
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            raise Undecryptable("sealed with a key that ENCRYPTION_KEYS does not hold; add it at the end") from None

    def is_current(self, sealed: str) -> bool:
        """Say whether the newest key alone opens it."""
        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            return False
        return True

    def reseal(self, sealed: str) -> str:
        """Give the same content encrypted under the newest key.

        Raises  Undecryptable when no key fits
        """
        return self.seal_bytes(self.open_bytes(sealed))
