"""The chain of the audit: what each row vouches for, and which row is the first that cannot be believed.

A row's digest is the SHA-256 of its content, its position and the digest before it, so it stands for every row up to
itself; its MAC is an HMAC of that digest under a key derived from one of ENCRYPTION_KEYS. So one row whose key is
configured vouches for all before it, those of keys that are gone included. Nothing here reads or writes anything.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.store.clock import millis
from app.store.encryption import derived_key, key_id

_COUNTED = ("id", "role", "name", "who", "action", "about", "records", "reason", "ids")


@dataclass(frozen=True, slots=True)
class AuditKeys:
    """The keys that rows are signed with: key id -> key; `newest` signs."""

    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    newest: str = ""

    @classmethod
    def of(cls, encryption_keys: Sequence[bytes]) -> "AuditKeys":
        """Give the keys that ENCRYPTION_KEYS yield, newest first."""
        derived = [derived_key(key, b"chronobridge audit chain") for key in encryption_keys]
        return cls({key_id(key): key for key in derived}, key_id(derived[0]))

    def sign(self, digest: str) -> tuple[str, str]:
        """Give the id of the newest key, and the MAC of a digest under it; both empty where there is no key."""
        return (self.newest, self._mac(self.newest, digest)) if self.newest else ("", "")

    def vouches(self, digest: str, id_: str, mac: str) -> bool | None:
        """Say whether a MAC is right; None where its key is not configured, so that nobody can say."""
        if id_ not in self.keys:
            return None if id_ else not self.keys
        return hmac.compare_digest(self._mac(id_, digest), mac)

    def _mac(self, id_: str, digest: str) -> str:
        return hmac.new(self.keys[id_], digest.encode(), hashlib.sha256).hexdigest()


NO_KEYS = AuditKeys()


def content(row: Any) -> bytes:
    """Give what a digest counts of a row, as the database gives it."""
    return json.dumps([millis(row["at"]), *(row[name] for name in _COUNTED)], separators=(",", ":")).encode()


def digest_of(before: str, position: int, row: Any) -> str:
    """Give a row's digest; `before`: the digest of the row before it, empty for the first."""
    return hashlib.sha256(f"{position} {before} ".encode() + content(row)).hexdigest()


def sum_of_earlier(so_far: str, row: Any) -> str:
    """Give the sum over the rows of before the chain, with one more of them."""
    return hashlib.sha256(so_far.encode() + content(row)).hexdigest()


@dataclass(frozen=True, slots=True)
class AuditBreak:
    """The first row that cannot be believed: where it stands or should, its id where it is there, and what is wrong."""

    position: int | None
    id: str | None
    says: str

    def __str__(self) -> str:
        place = "a row outside of the chain" if self.position is None else f"row {self.position}"
        return f"{place}{f' ({self.id})' if self.id else ''} {self.says}"


@dataclass(frozen=True, slots=True)
class AuditAnchor:
    """A row as somebody noted it elsewhere: its position and its digest."""

    position: int
    digest: str

    def __str__(self) -> str:
        return f"{self.position}:{self.digest}"


class ChainReader:
    """Follows the chain row by row, from its first row or from where retention cut it off."""

    def __init__(self, keys: AuditKeys, dropped: AuditAnchor | None) -> None:
        self._keys = keys
        self.at = dropped or AuditAnchor(0, "")
        self.rows, self.vouched = 0, self.at.position

    def read(self, row: Any) -> AuditBreak | None:
        """Take the next row; gives what is wrong with it."""
        expected = self.at.position + 1
        if row["position"] != expected:
            gone = row["position"] - expected
            return AuditBreak(expected, None, "is missing" if gone == 1 else f"and {gone - 1} after it are missing")
        digest = digest_of(self.at.digest, expected, row)
        if digest != row["digest"]:
            return AuditBreak(expected, row["id"], "was changed, or stands in another row's place")
        is_right = self._keys.vouches(digest, row["key_id"] or "", row["mac"] or "")
        if is_right is False:
            return AuditBreak(expected, row["id"], "was not written by this service: it is not signed with its key")
        self.at, self.rows = AuditAnchor(expected, digest), self.rows + 1
        if is_right:
            self.vouched = expected
        return None

    def end(self, head: AuditAnchor) -> AuditBreak | None:
        """Compare the last row with the head, which is kept beside the rows; gives what is wrong."""
        if self.at.position < head.position:
            gone = head.position - self.at.position
            says = "is missing at the end" if gone == 1 else f"and {gone - 1} after it are missing at the end"
            return AuditBreak(self.at.position + 1, None, says)
        if self.at != head:
            return AuditBreak(self.at.position, None, "is not the one that was noted last")
        if self.vouched < self.at.position:
            says = "and those after it are signed with a key that ENCRYPTION_KEYS does not hold; add it at the end"
            return AuditBreak(self.vouched + 1, None, says)
        return None


def checkpoint_of(row: Any) -> AuditAnchor:
    """Give up to where rows were dropped, as the row says that noted it."""
    return AuditAnchor(row["records"], row["reason"])
