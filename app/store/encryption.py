"""Encryption at rest: what lies in the database in clear is no patient's value and no token.

Every sealed text is bound to its place, which is a table, a column and a row's key: copied to another place it does not
open there. Keys come newest first: the first one seals, each of them opens, so a key is rotated by putting a new one in
front and later dropping the old one. A sealed text is plain ASCII and begins with its form and the id of its key.

The cipher is AES-256-GCM, with the place as associated data and a random nonce, under a key derived from one of
ENCRYPTION_KEYS. Texts of the older form are Fernet tokens under the key itself and bound to nothing; they still open,
until sealing anew has replaced them. As the two forms share no key, neither can be passed off as the other.

Source  NIST SP 800-38D 8.3: up to 2^32 texts for each key, with random nonces of 96 bits
"""

import base64
import hashlib
import os
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.errors import Displaced, Undecryptable
from app.json_text import read_json, write_json

_FORM = "v2"
_NONCE_BYTES = 12
_LACKS_KEY = "sealed with a key that ENCRYPTION_KEYS does not hold; add it at the end"


class Vault:
    """Seals and opens JSON documents and bytes, each at its place; a place is what `SealedColumn.of` gives."""

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        derived = [derived_key(key, b"chronobridge sealed texts") for key in keys]
        self._ciphers = {key_id(key): AESGCM(key) for key in derived}
        self._newest = key_id(derived[0])
        self._unbound = [Fernet(key) for key in keys]

    def seal(self, document: Any, place: str) -> str:
        """Give a JSON document sealed under the newest key, for this place alone."""
        return self.seal_bytes(write_json(document), place)

    def seal_bytes(self, raw: bytes, place: str) -> str:
        """Give bytes sealed under the newest key, for this place alone."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._ciphers[self._newest].encrypt(nonce, raw, place.encode())
        return f"{_FORM}.{self._newest}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, place: str) -> Any:
        """Give the JSON document that lies at a place.

        Raises  Undecryptable when no key fits, or the text was not sealed for this place
        """
        return read_json(self.open_bytes(sealed, place))

    def open_bytes(self, sealed: str, place: str) -> bytes:
        """Give the bytes that lie at a place.

        Raises  Undecryptable when no key fits, or the text was not sealed for this place
        """
        form, _, rest = sealed.partition(".")
        if form != _FORM:
            return self._opened_unbound(sealed, place)
        id_, _, text = rest.partition(".")
        if id_ not in self._ciphers:
            raise Undecryptable(f"{place}: {_LACKS_KEY}")
        try:
            raw = base64.b64decode(text, altchars=b"-_", validate=True)
            return self._ciphers[id_].decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError):
            raise Displaced(
                f"{place}: this text was changed, or was moved here from another row; its key is in ENCRYPTION_KEYS"
            ) from None

    def _opened_unbound(self, sealed: str, place: str) -> bytes:
        for fernet in self._unbound:
            try:
                return fernet.decrypt(sealed)
            except InvalidToken:
                continue
        raise Undecryptable(f"{place}: {_LACKS_KEY}")

    def is_current(self, sealed: str, place: str) -> bool:
        """Say whether it is bound to this place, and the newest key alone opens it."""
        if not sealed.startswith(f"{_FORM}.{self._newest}."):
            return False
        try:
            self.open_bytes(sealed, place)
        except Undecryptable:
            return False
        return True

    def reseal(self, sealed: str, place: str, onto: str | None = None) -> str:
        """Give the same content sealed under the newest key, for its place or for the one that it goes `onto`.

        Raises  Undecryptable when no key fits, or the text was not sealed for this place
        """
        return self.seal_bytes(self.open_bytes(sealed, place), onto or place)


def derived_key(key: bytes, purpose: bytes) -> bytes:
    """Give the key that one of ENCRYPTION_KEYS yields for a purpose; of those for other purposes it tells nothing."""
    return HKDF(hashes.SHA256(), 32, salt=None, info=purpose).derive(base64.urlsafe_b64decode(key))


def key_id(derived: bytes) -> str:
    """Give the id by which a derived key is known again; it tells nothing of the key."""
    return hashlib.sha256(b"id of a key" + derived).hexdigest()[:8]
