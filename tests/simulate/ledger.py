"""The truth: every change of every field on both sides, in order, and whose it was.

Each write of ours is judged when it lands: by what it replaced, who had put that there, and what the service could
know when it decided. Nothing here asks the service what it did; only what the base said at take is taken from it,
because the promise is about what both sides last agreed on.
"""

from dataclasses import dataclass, field, replace

from tests.simulate.fields import is_visit, rows_of
from tests.simulate.vendors import DRCHRONO, SALESFORCE

HUMAN = "human"
_WHO = ("first_name", "last_name", "date_of_birth")


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one record took another value; `by` a human, or the attempt that wrote.

    is_late  long after the attempt had given it up
    """

    step: int
    side: str
    id: str
    name: str
    before: str | None
    after: str | None
    by: object
    is_new: bool = False
    is_late: bool = False


@dataclass
class Ledger:
    """What happened. `wrong`: broken promises; `overtaken`: human edits that fell between a look and its write."""

    rules: object
    partner: object
    key_of: object
    held: dict = field(default_factory=dict)
    changes: list = field(default_factory=list)
    last: dict = field(default_factory=dict)
    wrong: list = field(default_factory=list)
    overtaken: list = field(default_factory=list)
    decided: set = field(default_factory=set)
    writes: dict = field(default_factory=dict)
    edits: dict = field(default_factory=dict)
    values: dict = field(default_factory=dict)
    showed: dict = field(default_factory=dict)
    partners: dict = field(default_factory=dict)
    made: list = field(default_factory=list)
    vanished: set = field(default_factory=set)
    hidden: dict = field(default_factory=dict)
    came: dict = field(default_factory=dict)
    told: list = field(default_factory=list)
    learned: dict = field(default_factory=dict)

    def read(self, side, id_, raw):
        return {name: row.read(side, raw, self.key_of) for name, row in rows_of(side, id_).items()}

    def sees(self, step, side, id_, raw, by, is_late=False, rewritten=()):
        """A record is now as `raw` says; gives the names of the fields that changed.

        What lands late is nobody's doing any more, and so is taking it back: neither is to be paid for.

        rewritten  what was sent, raw, of those that an automation has made something else of
        """
        known = self.held.get((side, id_))
        now = self.read(side, id_, raw)
        sent = self.read(side, id_, {**raw, **rewritten}) if rewritten else now
        before = known or dict.fromkeys(now)
        found = [
            Change(step, side, id_, name, before[name], value, by, known is None, is_late)
            for name, value in now.items()
            if before[name] != value
        ]
        if by is not HUMAN and known is None and side == DRCHRONO and not is_visit(side, id_):
            self._judge_create(step, id_, now, by)
        if side == SALESFORCE:
            self.partners.setdefault(self.partner(side, id_), set()).add(id_)
        self.held[side, id_] = now
        self.comes(side, id_)
        if by is not HUMAN and known is not None:
            for change in found:
                self._judge(replace(change, after=sent[change.name]), known)
        if by is not HUMAN and side == SALESFORCE and self.partner(side, id_) is None:
            self.wrong.append(f"{id_}: we wrote to somebody who is nobody's chart")
        unpaid = {one.name for one in found if self._is_of_late_ones(one)}
        for change in found:
            self.last[side, id_, change.name] = change
            self.showed.setdefault((side, id_, change.name), set()).add(change.after)
            self.values.setdefault((self._pair(side, id_), change.name), set()).add(change.after)
        if found:
            is_paid = by is HUMAN or not all(
                (side, id_, step, one.name) in self.decided or self._follows(one) or one.name in unpaid for one in found
            )
            self._counts(self.edits if by is HUMAN else self.writes, side, id_, is_paid)
        if rewritten and by is not HUMAN:
            self._rewrites(side, id_, sent)
        self.changes += found
        return [change.name for change in found]

    def _is_of_late_ones(self, change):
        """Say whether a change came late, takes back what did, or carries it across as the field's rule has it."""
        across = SALESFORCE if change.side == DRCHRONO else DRCHRONO
        here = self.last.get((change.side, change.id, change.name))
        there = self.last.get((across, self.partner(change.side, change.id), change.name))
        is_carried = there is not None and there.is_late and there.after == change.after
        return change.is_late or is_carried or (here is not None and here.is_late)

    def deletes(self, side, id_):
        """A person has deleted a record: an edit, though no field of it changed."""
        self._counts(self.edits, side, id_, 1)

    def _rewrites(self, side, id_, sent):
        """An automation has made something else of what we sent: an edit, of what was there for a moment."""
        for name, value in sent.items():
            self.showed.setdefault((side, id_, name), set()).add(value)
        self._counts(self.edits, side, id_, 1)

    def _counts(self, counts, side, id_, more):
        whose = (side, id_, self.partner(side, id_) if side == SALESFORCE else id_)  # the chart's of that moment
        counts[whose] = counts.get(whose, 0) + more

    def comes(self, *one):
        """A record of a side is there, or one of Salesforce's tables has what bears a DrChrono id."""
        self.came.setdefault(one, len(self.came))

    def _follows(self, change):
        """Say whether a field refers to what came to Salesforce after the record: it could not be written with it."""
        to = rows_of(change.side, change.id)[change.name].to
        there = self.came.get((to, change.after), -1) if change.side == SALESFORCE and change.before is None else -1
        return there > self.came[change.side, change.id]

    def _pair(self, side, id_):
        return id_ if side == DRCHRONO else self.partner(SALESFORCE, id_) or id_

    def hears(self, step, chart, raw):
        """A delivery says who a chart is."""
        self.told.append((step, str(chart), self._who(self.read(DRCHRONO, chart, raw))))

    def learns(self, since, charts):
        """A pass that took these charts at a step has ended: whom it was told of by then is known."""
        for step, chart, who in self.told:
            if step <= since and chart in charts:
                self.learned.setdefault(chart, set()).add(who)

    def hides(self, step, chart):
        """DrChrono shows a chart no more, until it `shows` it."""
        self.hidden.setdefault(chart, []).append((step, None))

    def shows(self, step, chart):
        since, _ = self.hidden[chart].pop()
        self.hidden[chart].append((since, step))

    def _is_shown(self, step, chart):
        spans = self.hidden.get(chart, ())
        return chart not in self.vanished and not any(a <= step and (b is None or step < b) for a, b in spans)

    def _judge_create(self, step, id_, now, by):
        """Say whether there was a chart of this person already when we looked for one.

        One that has vanished, or was hidden when it was looked for, is found by nobody, so it counts as whom it was
        known to be by then.
        """
        self.made.append(id_)
        for (side, other), held in self.held.items():
            if side != DRCHRONO or is_visit(side, other) or other == id_:
                continue
            is_known = self._is_shown(by.searched_at, other) or self._who(held) in self.learned.get(str(other), ())
            is_twin = is_known and self._who(held) == self._who(now)
            if is_twin and max(self.last[side, other, name].step for name in _WHO) <= by.looked_at[DRCHRONO]:
                self.wrong.append(f"{id_} at {step}: a second chart of whom {other} is the chart")

    def _who(self, held):
        return tuple(held[name] and held[name].casefold() for name in _WHO)

    def _judge(self, change, before):
        """Say whether a write of ours may replace what it replaced."""
        row, key = rows_of(change.side, change.id)[change.name], (change.side, change.id, change.name)
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
        if edit.step > change.by.saw(change.side, change.id):
            self.overtaken.append((edit, change))
            self.decided.add(here)
            return
        chart = change.id if change.side == DRCHRONO else self.partner(SALESFORCE, change.id)
        link = change.by.link_of(chart)
        base = link.base.stamps.get(change.name) if link else None
        if base is None and change.after is None:
            self.wrong.append(f"{here}: {edit.after!r} was blanked, though nothing was agreed before")
        if base is None or not row.is_plain:
            if row.owner != change.side:
                self.decided.add(here)
            return  # they meet for the first time, where the owner's counts; or the base is not in our words
        rules = self.rules("appointment" if is_visit(change.side, change.id) else "patient")
        if _is(rules, link, change.name, base, edit.after):
            across = SALESFORCE if change.side == DRCHRONO else DRCHRONO
            others = {*self.partners.get(change.id, ()), self.partner(change.side, change.id), link.id_on(across)}
            if edit.after is not None and not any(
                edit.after in self.showed.get((across, other, change.name), ()) for other in others
            ):
                self.wrong.append(f"{here}: {edit.after!r} was lost, and never agreed: the other side never held it")
            return  # both had agreed on what is replaced
        ours = [write.stamps[change.name][1] for write in link.own_writes if change.name in write.stamps]
        if any(_is(rules, link, change.name, stamp, edit.after) for stamp in ours):
            return  # a write of ours had set out with that very value: nobody can tell whose it is
        if row.owner != change.side and self._seems_landed(rules, link, change, before):
            self.decided.add(here)
            return  # by what a write of ours seems to have brought, the owner's side has moved since
        if _is(rules, link, change.name, base, change.after):
            self.wrong.append(f"{here}: {edit.after!r} was lost, {change.after!r} was agreed long ago")
        elif row.owner == change.side:
            self.wrong.append(f"{here}: {edit.after!r} of its owner lost against {change.after!r}")
        self.decided.add(here)

    def _seems_landed(self, rules, link, change, before):
        """Say whether a person's hand made it look as if a write of ours had landed before, with another value.

        What a person enters may be what a write of ours, not answered yet, has set out with for that field; then nobody
        can tell whether its other fields were written too, and edited since.
        """
        shown = self._shown(change, before)
        for write in link.own_writes:
            pairs = {name: pair for name, pair in write.stamps.items() if name in shown}
            if write.side != change.side or change.name not in pairs:
                continue
            told = {(_is(rules, link, name, old, shown[name]), _is(rules, link, name, new, shown[name]))
                    for name, (old, new) in pairs.items()}  # fmt: skip
            is_new = (False, True) in told and (True, False) not in told
            if is_new and not _is(rules, link, change.name, pairs[change.name][1], change.after):
                return True
        return False

    def _shown(self, change, before):
        """Give what a record of a side held when it was looked at, before a write of ours."""
        shown = dict(before)
        for one in reversed(self.changes):
            if (one.side, one.id) == (change.side, change.id) and one.step > change.by.saw(change.side, change.id):
                shown[one.name] = one.before
        return shown


def _is(rules, link, name, stamp, value):
    """Say whether a base's stamp is of this value."""
    if stamp is None:
        return False
    codec, made = rules.table.rows[name].codec, ".".join(stamp.split(".")[:3])  # which fields it is of aside
    return bool(rules.keys.matches(made, link.id, name, codec.version, value and codec.normal(value)))
