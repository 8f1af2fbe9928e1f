"""What the core needs to judge one kind: its table, the keys of its bases, and how long a doubt waits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from app.sync.base import Base, HashKeys
from app.sync.mapping import EXTERNAL_ID, Table
from app.sync.records import Fields, Link


@dataclass(frozen=True, slots=True)
class Rules:
    """The table of a kind with the keys that stamp its bases.

    confirm_after  how long to wait before DrChrono is asked about a doubted body
    deletes        whether what DrChrono deleted is deleted in Salesforce too, or only marked there
    cancels        whether what Salesforce deleted is cancelled in DrChrono, or waits for a person
    search_gap     how far apart DrChrono is searched, at least, for what an unanswered create may have made
    defaults       DrChrono's field -> what a create says where Salesforce's record says nothing
    """

    table: Table
    keys: HashKeys
    confirm_after: timedelta
    deletes: bool = False
    cancels: bool = True
    search_gap: timedelta = timedelta(seconds=30)
    defaults: Mapping[str, int] = field(default_factory=dict)
    _stamped: dict[tuple[str, str, str | None], str] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )  # of one pass, as the rules are: what is written is stamped for the journal, and again for the base

    def stamp(self, link: Link, name: str, value: str | None) -> str:
        """Give the stamp of a field's tidy value."""
        known = self._stamped.get((link.id, name, value))
        if known is None:
            codec = self.table.rows[name].codec
            known = self.keys.stamp(link.id, name, codec.version, codec.normal(value))
            self._stamped[link.id, name, value] = known
        return known

    def key_stamp(self, link: Link, key: str | None) -> str:
        """Give the stamp of an external id."""
        return self.keys.stamp(link.id, EXTERNAL_ID, 1, key)

    def matches(self, link: Link, name: str, stamp: str | None, value: str | None) -> bool | None:
        """Say whether a stamp was made of this value; None when there is no stamp or it cannot be read."""
        if stamp is None:
            return None
        codec = self.table.rows[name].codec
        return self.keys.matches(stamp, link.id, name, codec.version, codec.normal(value))

    def moved(self, link: Link, name: str, value: str | None) -> bool | None:
        """Say whether a side's value differs from the base; None when the field has no base."""
        same = self.matches(link, name, link.base.stamps.get(name), value)
        return None if same is None else not same

    def changed(self, link: Link, fields: Fields) -> set[str]:
        """Give the names of the fields that differ from the base, or have none."""
        return {name for name, value in fields.items() if self.moved(link, name, value) is not False}

    def advanced(self, link: Link, base: Base, agreed: Fields) -> Base:
        """Give the base moved on to what both sides are known to hold now."""
        stamps: Mapping[str, str] = {name: self.stamp(link, name, value) for name, value in agreed.items()}
        return Base({**base.stamps, **stamps})
