"""The truth: every change of every field on both sides, in order, and whose it was.

Each write of ours is judged when it lands: by what it replaced, who had put that there, and what the service could
know when it decided. Nothing here asks the service what it did; only what the base said at take is taken from it,
because the promise is about what both sides last agreed on.
"""

import re
from dataclasses import dataclass, field

from tests.simulate.vendors import DRCHRONO, SALESFORCE

HUMAN = "human"
_EXTENSION = re.compile(r"(?:ext\.?|extension|x|#)\s*(\d+)\s*$", re.IGNORECASE)


def _text(value):
    return str(value).strip() or None


def _phone(value):
    found = _EXTENSION.search(value)
    digits = re.sub(r"\D", "", value[: found.start()] if found else value)
    digits = digits[1:] if len(digits) == 11 and digits[0] == "1" else digits
    return f"{digits}x{found[1]}" if found else digits


@dataclass(frozen=True, slots=True)
class Field:
    """One row of the design's mapping. `owner` is empty where it travels to Salesforce only."""

    name: str
    drchrono: str
    salesforce: str
    owner: str
    normal: object = _text

    def on(self, side):
        return self.drchrono if side == DRCHRONO else self.salesforce

    def read(self, side, raw):
        value = raw.get(self.on(side))
        return None if value is None or not str(value).strip() else self.normal(str(value).strip())


D, S = DRCHRONO, SALESFORCE
FIELDS = {
    row.name: row
    for row in (
        Field("first_name", "first_name", "FirstName", D),
        Field("last_name", "last_name", "LastName", D),
        Field("date_of_birth", "date_of_birth", "Birthdate", D),
        Field("gender", "gender", "DrChrono_Gender__c", D),
        Field("email", "email", "Email", S, str.casefold),
        Field("cell_phone", "cell_phone", "MobilePhone", S, _phone),
        Field("home_phone", "home_phone", "HomePhone", S, _phone),
        Field("address", "address", "MailingStreet", S),
        Field("city", "city", "MailingCity", S),
        Field("state", "state", "MailingState", S),
        Field("zip_code", "zip_code", "MailingPostalCode", S),
        Field("chart_id", "chart_id", "DrChrono_Chart_Id__c", ""),
        Field("patient_status", "patient_status", "DrChrono_Status__c", ""),
    )
}


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one record took another value; `by` a human, or the attempt that wrote."""

    step: int
    side: str
    id: str
    name: str
    before: str | None
    after: str | None
    by: object
    is_new: bool = False


@dataclass
class Ledger:
    """What happened. `wrong`: broken promises; `overtaken`: human edits that fell between a look and its write."""

    rules: object
    partner: object
    held: dict = field(default_factory=dict)
    changes: list = field(default_factory=list)
    last: dict = field(default_factory=dict)
    wrong: list = field(default_factory=list)
    overtaken: list = field(default_factory=list)
    decided: set = field(default_factory=set)
    writes: dict = field(default_factory=dict)
    edits: dict = field(default_factory=dict)
    values: dict = field(default_factory=dict)

    def sees(self, step, side, id_, raw, by):
        """A record is now as `raw` says; gives the names of the fields that changed."""
        known = self.held.get((side, id_))
        now = {name: row.read(side, raw) for name, row in FIELDS.items()}
        before = known or dict.fromkeys(now)
        found = [
            Change(step, side, id_, name, before[name], value, by, known is None)
            for name, value in now.items()
            if before[name] != value
        ]
        self.held[side, id_] = now
        if by is not HUMAN and known is not None:
            for change in found:
                self._judge(change)
        if by is not HUMAN and side == SALESFORCE and self.partner(side, id_) is None:
            self.wrong.append(f"{id_}: we wrote to somebody who is nobody's chart")
        for change in found:
            self.last[side, id_, change.name] = change
            self.values.setdefault((self._pair(side, id_), change.name), set()).add(change.after)
        if found:
            counts = self.edits if by is HUMAN else self.writes
            is_paid = by is HUMAN or any((side, id_, step, change.name) not in self.decided for change in found)
            pair = self._pair(side, id_)
            counts[pair] = counts.get(pair, 0) + is_paid
        self.changes += found
        return [change.name for change in found]

    def _pair(self, side, id_):
        return id_ if side == DRCHRONO else self.partner(SALESFORCE, id_) or id_

    def _judge(self, change):
        """Say whether a write of ours may replace what it replaced."""
        row, key = FIELDS[change.name], (change.side, change.id, change.name)
        edit = self.last.get(key)
        here = (change.side, change.id, change.step, change.name)
        if not row.owner:
            if change.side == DRCHRONO:
                self.wrong.append(f"{here}: a field that goes to Salesforce only was written to DrChrono")
            elif edit is not None and edit.by is HUMAN:
                self.decided.add(here)
            return
        if edit is None or edit.by is not HUMAN:
            return
        if edit.step > change.by.looked_at[change.side]:
            self.overtaken.append((edit, change))
            self.decided.add(here)
            return
        chart = change.id if change.side == DRCHRONO else self.partner(SALESFORCE, change.id)
        link = change.by.link_of(chart)
        base = link.base.stamps.get(change.name) if link else None
        if base is None:
            return  # they meet for the first time
        if self._is(link, change.name, base, edit.after):
            return  # both had agreed on what is replaced
        if self._is(link, change.name, base, change.after):
            self.wrong.append(f"{here}: {edit.after!r} was lost, {change.after!r} was agreed long ago")
        elif row.owner == change.side:
            self.wrong.append(f"{here}: {edit.after!r} of its owner lost against {change.after!r}")
        self.decided.add(here)

    def _is(self, link, name, stamp, value):
        """Say whether a base's stamp is of this value, in any of the ways people wrote it."""
        codec = self.rules.table.rows[name].codec
        return bool(self.rules.keys.matches(stamp, link.id, name, codec.version, value and codec.normal(value)))
