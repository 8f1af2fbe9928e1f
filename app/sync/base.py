"""The base: what both sides last agreed on, as keyed hashes, so that no patient's value lies there.

A merge needs equality only. A stamp is `codec version . key id . hash`; one made with an unknown key or another codec
version says nothing, and a field without a stamp has no base. The hash covers the link and the field, so equal
values of two people do not look equal.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

_HASH_BYTES = 15  # 120 bits: no accidental equality, and 20 characters without padding
_DIGEST_CHARACTERS = _HASH_BYTES * 4 // 3


@dataclass(frozen=True, slots=True)
class HashKeys:
    """The keys bases are stamped with, newest first; older ones still read.

    Their own keys, not those of encryption: rotating the one leaves the other valid.
    """

    keys: tuple[tuple[str, bytes], ...] = field(repr=False)

    @classmethod
    def of(cls, keys: tuple[bytes, ...]) -> "HashKeys":
        """Take raw keys, newest first; each is known by the start of its own hash."""
        return cls(tuple((hashlib.sha256(b"key id" + key).hexdigest()[:6], key) for key in keys))

    def knows(self, stamp: str) -> bool:
        """Say whether a stamp was made with one of these keys."""
        return stamp.split(".")[1:2] in [[key_id] for key_id, _ in self.keys]

    def stamp(self, scope: str, name: str, version: int, normal: str | None) -> str:
        """Give the stamp of a field's normal form under the newest key."""
        key_id, key = self.keys[0]
        return f"{version}.{key_id}.{_digest(key, scope, name, normal)}"

    def matches(self, stamp: str, scope: str, name: str, version: int, normal: str | None) -> bool | None:
        """Say whether a stamp was made of this normal form; None when it cannot be told."""
        made_with, _, rest = stamp.partition(".")
        key_id, _, digest = rest.partition(".")
        key = dict(self.keys).get(key_id)
        if key is None or made_with != str(version) or len(digest) != _DIGEST_CHARACTERS:
            return None
        return hmac.compare_digest(digest.encode(), _digest(key, scope, name, normal).encode())

    def digest(self, *parts: bytes) -> str:
        """Give a keyed hash of some bytes, for keys of our own making (delivery keys)."""
        return self.digests(*parts)[0]

    def digests(self, *parts: bytes) -> tuple[str, ...]:
        """Give the same under every key, the newest first: what an older key made is found under it."""
        return tuple(hmac.digest(key, b"\x00".join(parts), "sha256").hex() for _, key in self.keys)


def _digest(key: bytes, scope: str, name: str, normal: str | None) -> str:
    text = f"{scope}\x1f{name}\x1f" + ("" if normal is None else f"={normal}")
    return base64.urlsafe_b64encode(hmac.digest(key, text.encode(), "sha256")[:_HASH_BYTES]).decode()


@dataclass(frozen=True, slots=True)
class Base:
    """field -> stamp of what both sides last agreed on; a field is absent when they never did."""

    stamps: Mapping[str, str] = field(default_factory=dict)
