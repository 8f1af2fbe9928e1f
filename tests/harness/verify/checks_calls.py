"""The checkers of the calls we made: no loops (4), no vendor limit crossed (6), thrift (7). Pure, as the others."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from app.sync.model import Kind, Side
from tests.harness.verify.seen import Act, Call, Found, History
from tests.standins.calls import templated

CALLS_PER_SECOND = 10
CALLS_PER_HOUR = 500
_TOO_MANY = {Side.DRCHRONO: 429, Side.SALESFORCE: 403}
_HUNDRED = 100
# of what we made in DrChrono the id is written back, and where its answer was missed, what else DrChrono made of it
# once that was read; doctors and offices were there before anybody edited anything, and are brought over once
_LINKS_BACK = 2
_FIRST = 3  # calls that a burst costs however small it is: a look, a match, a write of the first that come


def no_loops(history: History) -> Found:
    """Writes that change something are paid for by edits, links made and conflicts; and then there is silence."""
    trials = 0
    wrong: list[str] = []
    for act in history.acts:
        if act.broken:
            continue
        trials += sum(one.changes for one in act.writes) + 1
        if act.after and not act.left:
            calls = Counter(f"{one.method} {one.side} {templated(one.path)}" for one in act.after)
            told = ", ".join(f"{count} {name}" for name, count in calls.items())
            wrong.append(f"calls went on after {act.name}, when nothing was left to do: {told}")
    return Found(trials, (*_unpaid(history.acts), *wrong))


def _unpaid(acts: Sequence[Act]) -> Iterator[str]:
    """Give what was written more often than all of the history pays for: what one act lost, a later one may write."""
    keys = {(one.side, one.kind, one.id): one.key or one.id for act in acts for one in act.records}
    writes, put_backs, paid = (Counter[tuple[Kind, str]]() for _ in range(3))
    for write in (one for act in acts for one in act.writes):
        thing = write.kind, keys.get((write.side, write.kind, write.id), write.id)
        (put_backs if write.is_put_back else writes)[thing] += write.changes
        if write.is_new:
            paid[thing] += _LINKS_BACK if write.side is Side.DRCHRONO else write.kind in (Kind.DOCTOR, Kind.OFFICE)
    edits = Counter((one.kind, keys.get((one.side, one.kind, one.id), one.id)) for act in acts for one in act.edits)
    paid += edits
    paid.update((one.kind, one.key) for act in acts for one in act.conflicts)
    for (kind, key), count in writes.items():
        if count > paid[kind, key]:
            yield f"{kind} {key}: {count} writes for {paid[kind, key]} edits, links and conflicts"
    for (kind, key), count in put_backs.items():
        if count > edits[kind, key]:
            yield f"{kind} {key}: what only DrChrono may say was put back {count} times for {edits[kind, key]} edits"


def no_limit_crossed(history: History) -> Found:
    """No vendor says "too many calls" of its own accord, and DrChrono's log shows why it need not."""
    calls = [one for act in history.acts for one in act.calls]
    wrong = []
    for side, status in _TOO_MANY.items():
        refused = [one for one in calls if one.side is side and one.status == status and not one.fault]
        if refused:
            wrong.append(f"{side} answered {status} to {len(refused)} calls by itself")
    counted = sorted(one.at for one in calls if one.side is Side.DRCHRONO)
    most = _most_within(counted, 1.0)
    if most > CALLS_PER_SECOND:
        wrong.append(f"{most} calls to DrChrono in one second; {CALLS_PER_SECOND} are allowed")
    for hour, count in Counter(int(at // 3600) for at in counted).items():
        if count > CALLS_PER_HOUR:
            wrong.append(f"{count} calls to DrChrono in hour {hour % 24} UTC; {CALLS_PER_HOUR} are allowed")
    return Found(len(calls), tuple(wrong))


def _most_within(ordered: Sequence[float], span_s: float) -> int:
    most = first = 0
    for last, at in enumerate(ordered):
        while at - ordered[first] >= span_s:
            first += 1
        most = max(most, last - first + 1)
    return most


def thrift(history: History) -> Found:
    """A burst of n records costs about n/100 calls of Salesforce, and of DrChrono one write each at most."""
    wrong = []
    for burst in history.bursts:
        allowed = calls_allowed(burst.records)
        if burst.calls is not None and burst.calls > allowed:
            wrong.append(f"{burst.records} {burst.what}: {burst.calls} Salesforce calls, {allowed} are allowed")
        if burst.writes > 1:
            wrong.append(f"{burst.records} {burst.what}: {burst.writes} DrChrono writes for one of them")
    return Found(sum(burst.records for burst in history.bursts), tuple(wrong))


def calls_allowed(records: int) -> int:
    """Give how many Salesforce calls a burst may cost: n/100, and those of the first that come."""
    return -(-records // _HUNDRED) + _FIRST


def api(calls: Iterable[Call], side: Side) -> list[Call]:
    """Give a side's calls without those for a token."""
    return [one for one in calls if one.side is side and "/o/" not in one.path and "/oauth2/" not in one.path]
