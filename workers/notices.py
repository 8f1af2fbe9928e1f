"""Notices: what is so now is compared with what people were told, and what is news is sent by every channel.

One worker at a time looks, every quarter of a minute, at what the database knows; no vendor is asked. A receiver that
is slow or away holds up nothing but its own notices: each is tried for a day, ever less often. Without a channel
nothing is looked at, stored or sent. What no notice can tell is that the database or every worker is away: probes do.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

from app.log import log
from app.metrics.definitions import NOTICES
from app.operations import audit
from app.operations.backfill import LoadState, some
from app.operations.backfill import states as load_states
from app.operations.health import vendors
from app.operations.health.local import FailingComparison, failing_comparisons
from app.operations.health.model import PartState
from app.operations.labels import LabelGroup, label
from app.runtime import Runtime
from app.store import activity, feeds, lanes, notices, queue_stats, schedules
from app.store.notices import ToPeople
from app.sync.brake import why_paused
from app.sync.failure_causes import CAUSES, class_of, fix
from app.sync.failure_sentences import NAMES, labels, sentence
from app.sync.feed_health import Feed
from app.sync.mappings.table import Table
from app.sync.model import Kind, Lane, Side
from app.sync.notices import NoticeCondition, NoticeEvent, digest_day
from app.vendors.notices import NoticeChannel, OutgoingNotice

LOOK_EVERY_S = 15.0
_TURN = timedelta(minutes=2)
_AUDIT_EVERY, _AUDIT = timedelta(days=1), "notices_audit"
_NEWS_FOR, _DAY = timedelta(days=1), timedelta(days=1)
_URGENT = (Lane.LIVE, Lane.RETRY, Lane.CONFIRM)
_STEPS = (10, 100, 1_000, 10_000)
_OF_HTTP = re.compile(r"HTTP_[1-5]\d\d")


async def tell_when_due(runtime: Runtime) -> None:
    """Have people told of what is news, where anybody is to be told and no other worker looks.

    Raises  StoreUnavailable
    """
    if not runtime.channels or not await schedules.try_claim(runtime.database, notices.SCHEDULE, _TURN):
        return
    await _decide(runtime, await conditions(runtime, _wanted(runtime)), {NoticeEvent.AUDIT})
    ended = await asyncio.gather(*(deliver(runtime, one) for one in runtime.channels), return_exceptions=True)
    await schedules.again_in(runtime.database, notices.SCHEDULE, timedelta(seconds=LOOK_EVERY_S))
    for error in ended:
        if error is not None:
            raise error


async def verify_audit_when_due(runtime: Runtime) -> None:
    """Follow the whole audit once a day, unhurried, where people want to be told should it not be whole.

    Raises  StoreUnavailable
    """
    if not runtime.channels or NoticeEvent.AUDIT not in _wanted(runtime):
        return
    if await schedules.try_claim(runtime.database, _AUDIT, _AUDIT_EVERY):
        verdict = await audit.verify(runtime, rests=True)
        found = [] if verdict.broken is None else [_broken_audit(verdict.broken)]
        await _decide(runtime, found, set(NoticeEvent) - {NoticeEvent.AUDIT})


def _wanted(runtime: Runtime) -> set[NoticeEvent]:
    return {NoticeEvent(name) for name in runtime.settings.notify_events}


async def _decide(runtime: Runtime, found: Collection[NoticeCondition], unseen: Collection[NoticeEvent]) -> None:
    """Store one notice of all that is news. `unseen`: events that were not looked into."""
    names, per_hour = [channel.name for channel in runtime.channels], runtime.settings.notify_per_hour
    items = await notices.decide(runtime.database, found, unseen, _wanted(runtime), names, per_hour)
    if items:
        log.info("notice.made", count=len(items), cause=", ".join(sorted({one.event.value for one in items})))


async def deliver(runtime: Runtime, channel: NoticeChannel) -> None:
    """Send what waits for a channel as one message, and keep what became of it.

    Raises  StoreUnavailable; then it is sent again
    """
    waiting = await notices.take(runtime.database, channel.name)
    if waiting is None:
        return
    result = await channel.send(OutgoingNotice(waiting.ids[-1], waiting.made_at, waiting.items))
    count = len(waiting.ids)
    if result.is_sent:
        await notices.sent(runtime.database, channel.name, waiting.ids, result.reason)
        runtime.counts.add(NOTICES, channel.name, "sent")
        log.info("notice.sent", channel=channel.name, count=count, cause=result.reason)
        return
    given_up = await notices.not_sent(runtime.database, channel.name, waiting.ids, result.reason)
    runtime.counts.add(NOTICES, channel.name, "failed")
    log.warning("notice.not_sent", channel=channel.name, count=count, cause=result.reason)
    if given_up:
        runtime.counts.add(NOTICES, channel.name, "given_up")
        says = "they were tried for a day; `chronobridge notify test` says whether the channel works"
        log.error("notice.given_up", channel=channel.name, count=given_up, cause=result.reason, advice=says)


async def conditions(runtime: Runtime, events: Collection[NoticeEvent]) -> list[NoticeCondition]:
    """Give what is so now of these events; the audit is followed elsewhere.

    Raises  StoreUnavailable
    """
    found: list[NoticeCondition] = []
    for of, look in _LOOKS:
        if of & set(events):
            found += await look(runtime)
    return found


async def _outages(runtime: Runtime) -> list[NoticeCondition]:
    found = []
    for side in sorted(runtime.settings.connected):
        seen = await vendors.connection(runtime, side)
        if seen.state in (PartState.DOWN, PartState.DEGRADED):
            what = f"The connection to {NAMES[side]} {'is down' if seen.state is PartState.DOWN else 'needs attention'}"
            how, over = f"{seen.advice}." if seen.advice else "", f"The connection to {NAMES[side]} works again"
            found.append(NoticeCondition(NoticeEvent.OUTAGE, side.value, what, how, over, "/connections"))
    return found


async def _safety_limits(runtime: Runtime) -> list[NoticeCondition]:
    paused = [(one.lane, why_paused(one.reason)) for one in await lanes.lane_states(runtime.database) if one.is_paused]
    return [_safety_limit(lane, why) for lane, why in paused if why is not None]


def _safety_limit(lane: Lane, why: str) -> NoticeCondition:
    name, command = label(lane.value, LabelGroup.QUEUE), "backfill" if lane is Lane.BACKFILL else "reconcile"
    see = f"see what it is with `chronobridge {command} --dry-run`, then resume it"
    how = f"Comparing {why}. Nothing of it was written: {see}."
    what, over = f"{name} is paused by the safety limit", f"{name} goes on"
    return NoticeCondition(NoticeEvent.SAFETY_LIMIT, lane.value, what, how, over, "/queues")


async def _stalled_feeds(runtime: Runtime) -> list[NoticeCondition]:
    known = await feeds.read(runtime.database)
    compared = [_not_compared(one) for one in await failing_comparisons(runtime)]
    is_paused = await lanes.is_paused(runtime.database, Lane.COMPARE)
    silent = [
        _stalled(known[side], runtime, is_paused=is_paused)
        for side in sorted(runtime.settings.connected)
        if side in known and known[side].silent_since is not None
    ]
    return [*silent, *compared]


def _stalled(feed: Feed, runtime: Runtime, *, is_paused: bool) -> NoticeCondition:
    name = NAMES[feed.side]
    _, says = vendors.feed_state(feed, runtime, is_paused=is_paused)
    what, over = f"No events are received from {name}", f"Events are received from {name} again"
    return NoticeCondition(NoticeEvent.STALLED_FEED, feed.side.value, what, f"{says}.", over, "/deliveries")


def _not_compared(failing: FailingComparison) -> NoticeCondition:
    kind = failing.kind
    what = f"The reconciliation of {kind}s has failed for more than an hour"
    says = f"It is the error {told_cause(failing.cause)}. How to fix: {failing.advice}"
    over = f"The reconciliation of {kind}s works again"
    return NoticeCondition(NoticeEvent.STALLED_FEED, f"reconciliation {kind}", what, says, over, "/queues")


async def _of_people(runtime: Runtime) -> list[NoticeCondition]:
    """Give what waits for people: what failed, what has needed review for long, and the morning's digest."""
    waiting = await notices.left_to_people(runtime.database)
    found = [
        one for event in (NoticeEvent.FAILURE, NoticeEvent.REVIEW) for one in by_cause(event, waiting, runtime.mappings)
    ]
    at = runtime.settings.notify_digest_at
    day = None if at is None else digest_day(at, runtime.settings.zone, runtime.now())
    return found if day is None else [*found, await _digest(runtime, day, waiting)]


def by_cause(event: NoticeEvent, waiting: Collection[ToPeople], tables: Mapping[Kind, Table]) -> list[NoticeCondition]:
    """Give a condition for each error of a kind: those that an id or an unknown code tells apart are one.

    A failure of ten times as many records is one more, so that what begins small and grows is told again.
    """
    is_review = event is NoticeEvent.REVIEW
    groups = defaultdict[tuple[str, str, str], list[ToPeople]](list)
    for one in waiting:
        if one.is_held is is_review and (one.old or not is_review) and not one.is_dismissed:
            groups[one.side, one.kind, told_cause(one.cause)].append(one)
    found = []
    for (side, kind, cause), ours in sorted(groups.items()):
        condition = _of_cause(event, side, kind, cause, ours, tables.get(Kind(kind)))
        number = sum(each.records for each in ours)
        grown = [] if is_review else [step for step in _STEPS if number >= step]
        found += [condition, *(replace(condition, about=f"{condition.about} {step}", over="") for step in grown)]
    return found


def told_cause(cause: str) -> str:
    """Give the name that an error has in a notice: its own where this service knows it, else that of its class.

    A code that only a vendor knows, or one with an id in it, may be about anybody, so it stays in the console.
    """
    return cause if _is_known(cause) else class_of(cause).value


def _is_known(cause: str) -> bool:
    return cause in CAUSES or _OF_HTTP.fullmatch(cause) is not None


def _of_cause(
    event: NoticeEvent, side: str, kind: str, cause: str, ours: Sequence[ToPeople], table: Table | None
) -> NoticeCondition:
    mapped = {name for row in table.rows.values() for name in row.called(Side(side))} if table is not None else set()
    fields = sorted({name for one in ours for name in one.fields} & mapped)  # any other is a vendor's own word
    wrong = sentence(ours[0].cause, Side(side), Kind(kind), labels(table, Side(side), fields)).removesuffix(".")
    error, path, how = f"the error {cause} ({NAMES[Side(side)]})", "/attention", ""
    if _is_known(cause):
        how, path = f"How to fix: {fix(cause)}", f"{path}?{urlencode({'cause': cause, 'kind': kind, 'side': side})}"
    if event is NoticeEvent.REVIEW:
        number = sum(one.old for one in ours)
        what = f"{some(number, kind)} {'has' if number == 1 else 'have'} needed review for more than a day: {wrong}"
        over = f"No {kind} has needed review for more than a day any more, for {error}"
    else:
        what = f"{some(sum(one.records for one in ours), kind)} failed: {wrong}"
        over = f"No {kind} needs attention any more for {error}"
    return NoticeCondition(event, f"{side} {kind} {cause}", what, f"It is {error}. {how}".strip(), over, path)


async def _digest(runtime: Runtime, day: str, waiting: Collection[ToPeople]) -> NoticeCondition:
    held = sum(one.records for one in waiting if one.is_held and not one.is_dismissed)
    failed = sum(one.records for one in waiting if not one.is_held and not one.is_dismissed)
    dismissed = sum(one.records for one in waiting if one.is_dismissed)
    pending = sum(one.count for one in await queue_stats.due_counts(runtime.database))
    until = activity.slot_of(runtime.now())
    found = await activity.counts(runtime.database, until - _DAY, until, _DAY)
    written = sum(one.count for one in found if one.measure is activity.Measure.APPLIED)
    more = f", {dismissed:,} dismissed" if dismissed else ""
    what = f"{held:,} to review, {failed:,} failed{more}; nothing lost"
    stored = f"Pending: {pending:,}. Written in 24 hours: {written:,}. Every change that was received is stored."
    return NoticeCondition(NoticeEvent.DIGEST, day, what, stored, path="/attention")


async def _quotas(runtime: Runtime) -> list[NoticeCondition]:
    found = []
    if runtime.drchrono is not None:
        waiting = await queue_stats.waiting_for_drchrono(runtime.database)
        hour, need = await runtime.drchrono.grant.budget.stands(waiting), sum(waiting.get(lane, 0) for lane in _URGENT)
        if need > hour.left:
            how = f"Edits wait, none is lost, and a new hour begins in {hour.resets_in_s / 60:.0f} minutes."
            waits = f"{some(need, 'edit')} {'waits' if need == 1 else 'wait'} for one"
            what = f"DrChrono allows {some(max(hour.left, 0), 'more call')} this hour, and {waits}"
            found.append(_quota(Side.DRCHRONO, what, how))
    if runtime.salesforce is not None:
        day = await runtime.salesforce.budget.stands()
        if day.most and day.used >= int(day.most * day.share):
            how = "Only live edits go on, and the rest waits; SALESFORCE_DAILY_CALL_SHARE is the share."
            what = f"{day.used:,} of Salesforce's {day.most:,} calls of the day are used"
            found.append(_quota(Side.SALESFORCE, what, how))
    return found


def _quota(side: Side, what: str, how: str) -> NoticeCondition:
    over = f"{NAMES[side]} allows enough calls again"
    return NoticeCondition(NoticeEvent.QUOTA, side.value, what, how, over, "/")


async def _initial_syncs(runtime: Runtime) -> list[NoticeCondition]:
    now = runtime.now()
    return [
        NoticeCondition(
            NoticeEvent.INITIAL_SYNC,
            one.kind.value,
            f"The initial sync of {one.kind}s is done",
            path=f"/{one.kind}s",
        )
        for one in await load_states(runtime)
        if one.state is LoadState.LOADED
        and one.known.load_asked_at is not None
        and one.known.loaded_at is not None
        and now - one.known.loaded_at < _NEWS_FOR
    ]


def _broken_audit(broken: str) -> NoticeCondition:
    how = f"{broken}. Run `chronobridge audit verify`, and keep a copy of the database as it is."
    what, over = "The audit is not whole: somebody changed it", "The audit is whole again"
    return NoticeCondition(NoticeEvent.AUDIT, "chain", what, how, over, "/audit")


_LOOKS: Sequence[tuple[set[NoticeEvent], Callable[[Runtime], Awaitable[list[NoticeCondition]]]]] = (
    ({NoticeEvent.OUTAGE}, _outages),
    ({NoticeEvent.SAFETY_LIMIT}, _safety_limits),
    ({NoticeEvent.STALLED_FEED}, _stalled_feeds),
    ({NoticeEvent.FAILURE, NoticeEvent.REVIEW, NoticeEvent.DIGEST}, _of_people),
    ({NoticeEvent.QUOTA}, _quotas),
    ({NoticeEvent.INITIAL_SYNC}, _initial_syncs),
)
