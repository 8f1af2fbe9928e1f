"""The base: what both sides last agreed on, as keyed hashes, so that no patient's value lies there.

A merge needs equality only. A stamp is `codec version . key id . hash . place`; one made with an unknown key or another
codec version says nothing, and a field without a stamp has no base. The hash covers the link and the field, so equal
values of two people do not look equal. The place is which fields of both sides the row joins: a row that joins others
since the stamp was made has no base, for those never agreed on anything. A stamp without one is an older version's.

The rules hold what the core needs to judge one kind: its table, the keys of its bases, and how long a doubt waits.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from app.sync.mappings.table import EXTERNAL_ID, Table
from app.sync.model import Base, Fields, Link, Snapshot

_PARTS = 3  # of a stamp before its place
_HASH_BYTES = 15  # 120 bits: no accidental equality, and 20 characters without padding
_DIGEST_CHARACTERS = _HASH_BYTES * 4 // 3
_MOST_STAMPED = 20_000  # of a batch of 200 some 8,000


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


def _placed(stamp: str) -> tuple[str, str]:
    """Give a stamp without its place, and the place; empty where an older version made it."""
    *made, place = stamp.split(".")
    return (".".join(made), place) if len(made) == _PARTS else (stamp, "")


def _made_by(stamp: str) -> tuple[str, str, int]:
    """Give all of a stamp but its hash: codec version and key id, and the place; and how long it is."""
    made, _, place = stamp.rpartition(".")
    return made[:-_DIGEST_CHARACTERS], place, len(stamp)


def _digest(key: bytes, scope: str, name: str, normal: str | None) -> str:
    text = f"{scope}\x1f{name}\x1f" + ("" if normal is None else f"={normal}")
    return base64.urlsafe_b64encode(hmac.digest(key, text.encode(), "sha256")[:_HASH_BYTES]).decode()


@dataclass(frozen=True, slots=True)
class Rules:
    """The table of a kind with the keys that stamp its bases.

    confirm_after  how long to wait before DrChrono is asked about a doubted body
    deletes        whether what DrChrono deleted is deleted in Salesforce too, or only marked there
    cancels        whether what Salesforce deleted is cancelled in DrChrono, or waits for a person
    search_gap     how far apart DrChrono is searched, at least, for what an unanswered create may have made
    defaults       DrChrono's field -> what a create says where Salesforce's record says nothing
    people         who somebody is -> the keyed hashes of that, of those whom the pass has met
    """

    table: Table
    keys: HashKeys
    confirm_after: timedelta
    deletes: bool = False
    cancels: bool = True
    search_gap: timedelta = timedelta(seconds=30)
    defaults: Mapping[str, int] = field(default_factory=dict)
    people: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _stamped: dict[tuple[str, str, str | None], str] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )  # of one pass, as the rules are: a value is compared, journalled and agreed on, and stamped once

    def stamp(self, link: Link, name: str, value: str | None) -> str:
        """Give the stamp of a field's tidy value."""
        asked = (link.id, name, value)
        known = self._stamped.get(asked)
        if known is None:
            row = self.table.rows[name]
            made = self.keys.stamp(link.id, name, row.codec.version, row.codec.normal(value))
            if len(self._stamped) >= _MOST_STAMPED:
                self._stamped.clear()
            known = self._stamped[asked] = f"{made}.{row.place}"
        return known

    def key_stamp(self, link: Link, key: str | None) -> str:
        """Give the stamp of an external id."""
        return self.keys.stamp(link.id, EXTERNAL_ID, 1, key)

    def matches(self, link: Link, name: str, stamp: str | None, value: str | None) -> bool | None:
        """Say whether a stamp was made of this value; None when there is no stamp, or it says nothing of this row."""
        if stamp is None:
            return None
        ours = self.stamp(link, name, value)
        if stamp == ours:
            return True
        if _made_by(stamp) == _made_by(ours):
            return False
        row = self.table.rows[name]
        made, place = _placed(stamp)
        if place and place != row.place:
            return None
        return self.keys.matches(made, link.id, name, row.codec.version, row.codec.normal(value))

    def moved(self, link: Link, name: str, value: str | None) -> bool | None:
        """Say whether a side's value differs from the base; None when the field has no base."""
        same = self.matches(link, name, link.base.stamps.get(name), value)
        return None if same is None else not same

    def changed(self, link: Link, fields: Fields) -> set[str]:
        """Give the names of the fields that differ from the base, or have none."""
        return {name for name, value in fields.items() if self.moved(link, name, value) is not False}

    def news(self, link: Link, snapshot: Snapshot) -> set[str]:
        """Give the names of the fields that a record holds otherwise than was agreed, one that nobody can read too.

        The zone of its times is not the record's own, and no news.
        """
        return (self.changed(link, snapshot.fields) | snapshot.unreadable.keys()) - {self.table.zoned or ""}

    def advanced(self, link: Link, base: Base, agreed: Fields) -> Base:
        """Give the base moved on to what both sides are known to hold now."""
        stamps: Mapping[str, str] = {name: self.stamp(link, name, value) for name, value in agreed.items()}
        return Base({**base.stamps, **stamps})
