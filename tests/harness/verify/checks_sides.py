"""The checkers of what both sides hold: nothing lost (1), effect once (2), both agree (3), outages repaired (10).

Pure: a history in, the count of what could have been wrong and one line for each thing that was. No line names a
patient's value.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from app.sync.model import Kind, Side
from tests.harness.verify.seen import Act, Edit, Found, History, Poison, Record

Pair = tuple[Record | None, Record | None]


def nothing_lost(history: History) -> Found:
    """Every acknowledged change is on the other side when the world is quiet."""
    trials, wrong = 0, []
    for act in history.acts:
        trials += sum(one.is_acknowledged for one in act.deliveries)
        if act.broken:
            wrong.append(f"the history broke off: {act.broken}")
        elif act.is_heard:
            wrong += _lost(history, act)
    return Found(trials, tuple(wrong))


def _lost(history: History, act: Act) -> Iterator[str]:
    states = defaultdict(set)
    for one in act.deliveries:
        states[one.side, one.kind, one.id].add(one.is_acknowledged)
    known = {(one.side, one.kind, one.id): one for one in act.records}
    pairs = paired(act)
    for (side, kind, record_id), acknowledged in states.items():
        record = known.get((side, kind, record_id))
        if record is None or acknowledged != {True} or _is_poisoned(history, record) or not record.is_wanted:
            continue
        there = pairs[kind, record.key][side is Side.DRCHRONO] if record.key else None
        if there is None:
            if not record.is_deleted:
                yield f"{kind} {record_id} of {side} was acknowledged, and is not on the other side"
            continue
        edited = {name for one in act.edits if one.side is side and one.id == record_id for name in one.fields}
        if lost := sorted(edited & _differing(record, there)):
            yield f"{kind} {record_id} of {side} was acknowledged, and its {', '.join(lost)} did not arrive"


def effect_once(history: History) -> Found:
    """Nobody and nothing is there twice, and no external id is borne twice."""
    trials = 0
    wrong: dict[tuple[Side, Kind, str | None], str] = {}
    for act in history.acts:
        trials += sum(one.is_new for one in act.writes) + sum(one.sends > 1 for one in act.deliveries)
        who = Counter((one.side, one.kind, one.who) for one in act.records if one.who)
        for (side, kind, name), count in who.items():
            if count > 1:
                ids = [one.id for one in act.of(side, kind) if one.who == name]
                wrong[side, kind, name] = f"{count} of one {kind} in {side}: {', '.join(ids)}"
        keys = Counter((one.kind, one.key) for one in act.records if one.side is Side.SALESFORCE and one.key)
        for (kind, key), count in keys.items():
            if count > 1:
                wrong[Side.SALESFORCE, kind, key] = f"{count} records bear {kind} {key}"
    return Found(trials, tuple(wrong.values()))


def both_agree(history: History) -> Found:
    """What one side alone edited is on both; where both did, the owner's is, and the conflict is told of."""
    trials, wrong = 0, []
    for act in history.acts:
        if act.left:
            wrong.append(f"it never came to rest after {act.name}: {act.left}")
        elif not act.broken:
            compared, differing = _compared(history, act) if act.is_heard else (0, [])
            judged, overwritten = _judged(history, act)
            trials += compared + judged
            wrong += [*differing, *overwritten]
    return Found(trials, tuple(wrong))


def outages_repaired(history: History) -> Found:
    """What no notice told of was found by comparing."""
    trials, wrong = 0, []
    for act in history.acts:
        if not act.is_heard and not act.broken:
            trials += len(act.edits)
            wrong += _compared(history, act)[1]
    return Found(trials, tuple(wrong))


def is_repaired(records: Iterable[Record], poison: Poison | None) -> bool:
    """Say whether both sides hold the same, but for what is poisoned."""
    act = Act("now", 0.0, 0.0, records=tuple(records))
    return not _compared(History(0, {}, poison=poison), act)[1]


def paired(act: Act) -> dict[tuple[Kind, str], Pair]:
    """Give DrChrono's record and Salesforce's by kind and DrChrono id."""
    pairs: dict[tuple[Kind, str], Pair] = defaultdict(lambda: (None, None))
    for one in act.records:
        if one.key:
            left, right = pairs[one.kind, one.key]
            pairs[one.kind, one.key] = (one, right) if one.side is Side.DRCHRONO else (left, one)
    return pairs


def _compared(history: History, act: Act) -> tuple[int, list[str]]:
    """Give how many fields were compared, and what is missing or differs."""
    count, wrong, unheard = 0, [], _unheard(act)
    for (kind, key), (left, right) in paired(act).items():
        one = left or right
        if one is None or _is_poisoned(history, one) or (kind, key) in unheard:
            continue
        if left is None or right is None:
            count += 1
            if not one.is_deleted:
                wrong.append(f"{kind} {key} is in {one.side} only")
            continue
        count += len(left.fields.keys() & right.fields.keys())
        if names := sorted(_differing(left, right)):
            wrong.append(f"{kind} {key} differs in {', '.join(names)}")
    alone = [one for one in act.records if one.key is None and one.is_wanted]
    return count + len(alone), wrong + [
        f"{one.kind} {one.id} of {one.side} was to travel, and did not" for one in alone
    ]


def _unheard(act: Act) -> set[tuple[Kind, str | None]]:
    """Give what a vendor gave up telling of, in an act in which it should have been heard: comparing finds it later."""
    keys = {(one.side, one.kind, one.id): one.key for one in act.records}
    silent = [one for one in act.deliveries if not one.is_acknowledged] if act.is_heard else []
    return {(one.kind, keys.get((one.side, one.kind, one.id))) for one in silent}


def _judged(history: History, act: Act) -> tuple[int, list[str]]:
    """Give how many edits were judged, and which did not end as they should."""
    keys = {(one.side, one.kind, one.id): one.key for one in act.records}
    last: dict[tuple[Kind, str, str], dict[Side, Edit]] = defaultdict(dict)
    for edit in sorted(act.edits, key=lambda one: one.at):
        key = keys.get((edit.side, edit.kind, edit.id))
        for name in edit.fields if key else ():
            last[edit.kind, str(key), name][edit.side] = edit
    told = {(one.kind, one.key, one.field) for one in act.conflicts}
    before = [one for one in history.acts if one.ended <= act.ended]
    unheard = {one for earlier in before for one in _unheard(earlier)}
    pairs, count, wrong = paired(act), 0, []
    for (kind, key, name), edits in last.items():
        left, right = pairs[kind, key]
        if (
            name not in history.owners[kind]
            or (kind, key) in unheard
            or left is None
            or right is None
            or left.is_deleted
            or _is_poisoned(history, left)
        ):
            continue
        count += 1
        why = _why_wrong(history, act, (kind, key, name), (left, right), edits, is_told=(kind, key, name) in told)
        if why:
            wrong.append(f"{kind} {key}, {name}: {why}")
    return count, wrong


def _why_wrong(
    history: History,
    act: Act,
    field: tuple[Kind, str, str],
    pair: tuple[Record, Record],
    edits: dict[Side, Edit],
    *,
    is_told: bool,
) -> str:
    kind, _, name = field
    owner = history.owners[kind][name]
    wanted = {side: edit.fields[name] for side, edit in edits.items()}
    held = pair[0].fields.get(name)
    if owner is None:  # it goes to Salesforce only: what somebody edits there is put back
        return "" if Side.DRCHRONO not in wanted or held == wanted[Side.DRCHRONO] else "an edit of one side was lost"
    if len(wanted) == 1:
        side, value = next(iter(wanted.items()))
        return "" if pair[0].fields.get(name) == value == pair[1].fields.get(name) else f"an edit of {side} was lost"
    if held not in wanted.values():
        return "it holds what nobody entered last"
    if act.is_heard or len(set(wanted.values())) == 1:
        return ""  # one edit may have travelled before the other was made
    if held != wanted[owner]:
        return f"both sides changed it, and the value of {owner}, who owns it, is gone"
    return "" if is_told else "both sides changed it, and /api/v1/conflicts does not tell"


def _differing(one: Record, other: Record) -> set[str]:
    names = {"deleted"} if one.is_deleted or other.is_deleted else one.fields.keys() & other.fields.keys()
    return {name for name in names if one.fields.get(name) != other.fields.get(name)}


def _is_poisoned(history: History, record: Record) -> bool:
    return history.poison is not None and record.kind is Kind.PATIENT and record.key == history.poison.key
