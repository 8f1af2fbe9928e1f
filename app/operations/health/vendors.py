"""Health of each vendor: its connection, its token, its feed, and what is left of its quota."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from app.errors import Undecryptable
from app.operations.clinic_time import clinic_time
from app.operations.connections import connect_url
from app.operations.health.model import OK, Observation, PartState
from app.ports import Ledger, StoredToken
from app.runtime import Runtime, ledger_of
from app.store import feeds, lanes
from app.store.vendor_tokens import VendorTokens
from app.sync.failure_causes import fix
from app.sync.feed_health import Feed
from app.sync.model import Lane, Side
from app.sync.vendor_errors import refuses_only_new
from app.vendors.rate_limit import policy
from app.vendors.rate_limit.drchrono import HourStanding as Hour
from app.vendors.rate_limit.salesforce import DayStanding as Day
from app.vendors.token_broker import CUT_OFF, NOT_TAKEN

_SEALED = "its token was sealed with a key that ENCRYPTION_KEYS lacks; put that key at the end"


_REFUSES_S = 3600.0  # since the last refusal: each write that waits is tried four times in it


_NEAR = 0.1  # of a token's life; it is refreshed when a fifth is left, so by then something has not


_RENEWS: Mapping[Side, str] = {
    Side.DRCHRONO: "the next call refreshes it: see that a worker runs",
    Side.SALESFORCE: "the next call asks for a new one: see that a worker runs",
}


async def connection(runtime: Runtime, side: Side) -> Observation:
    """Look at one side's connection: whether it is set up and joined, its credential is taken, and it answers.

    Raises  StoreUnavailable
    """
    return (await connection_and_token(runtime, side))[0]


async def connection_and_token(runtime: Runtime, side: Side) -> tuple[Observation, Observation | None]:
    """Look at one side's connection, and at its token, as `connection` and `_token` say.

    Raises  StoreUnavailable
    """
    if side not in runtime.settings.connected:
        advice = f"set the {side.value.upper()}_… settings; its deliveries are kept meanwhile"
        return Observation(PartState.NOT_CONNECTED, advice), None
    try:
        stored = await VendorTokens(runtime.database, runtime.vault, side).read()
    except Undecryptable:
        sealed = Observation(PartState.DOWN, _SEALED)
        return sealed, sealed
    return await _connection(runtime, side, stored), _token(stored, side, connect_url(runtime))


async def _connection(runtime: Runtime, side: Side, stored: StoredToken) -> Observation:
    joined = _salesforce_advice(stored) if side is Side.SALESFORCE else _drchrono_advice(stored, connect_url(runtime))
    return (
        joined if joined.state in (PartState.DOWN, PartState.NOT_CONNECTED) else await _answers(runtime, side) or joined
    )


async def _answers(runtime: Runtime, side: Side) -> Observation | None:
    """Say that a vendor does not answer, as the calls of all processes have found; None while it does."""
    ledger = await ledger_of(runtime.settings, runtime.database, side).read()
    if not policy.breaker_open(ledger.failures):
        return _refuses(ledger, side) if ledger.refuses else None
    wait_s = max(ledger.closed_until - ledger.at, 0)
    says = f"{NAMES[side]} has failed {ledger.failures} calls in a row; the next is tried in {wait_s:.0f} s"
    return Observation(PartState.DOWN, f"{says}: nothing is lost, see its status page if it goes on")


def _refuses(ledger: Ledger, side: Side) -> Observation | None:
    """Say that a vendor refuses whatever it is sent; None where it last did longer ago than anybody would wait."""
    if ledger.at - ledger.refused_at > _REFUSES_S:
        return None
    what = "new records" if refuses_only_new(ledger.refuses) else "writes"
    says = f"{NAMES[side]} takes no {what} ({ledger.refuses}); they wait, and no record is to blame: "
    return Observation(
        PartState.DEGRADED, says + fix(ledger.refuses), datetime.fromtimestamp(ledger.refuses_since, UTC)
    )


def _token(stored: StoredToken, side: Side, address: str) -> Observation | None:
    """Say how a side's token is: whether it can be refreshed, and is before it ends; None where there is none."""
    if stored.token is None and side is Side.DRCHRONO:
        return None  # nobody has joined the practice, which its own part says
    if stored.refused_code is not None:
        return Observation(PartState.DOWN, f"refused ({stored.refused_code}): the part {side} says what to do")
    return None if stored.token is None else _lives(stored, stored.token, side, address)


def _lives(stored: StoredToken, held: Mapping[str, Any], side: Side, address: str) -> Observation:
    again = f"connect the practice anew at {address}"
    if side is Side.DRCHRONO and not held.get("refresh_token"):
        ended = "it has ended" if stored.is_expired else "it ends"
        return Observation(
            PartState.DOWN if stored.is_expired else PartState.DEGRADED, f"{ended} and cannot be refreshed: {again}"
        )
    if stored.is_expired:
        return Observation(PartState.DEGRADED, f"it has ended; {_RENEWS[side]}")
    near_s = float(held.get("expires_in") or 0) * _NEAR
    if stored.is_stale and stored.expires_in_s is not None and stored.expires_in_s < near_s:
        return Observation(PartState.DEGRADED, f"it ends in {stored.expires_in_s / 60:.0f} minutes; {_RENEWS[side]}")
    return OK


async def feed_parts(runtime: Runtime, sides: Sequence[Side]) -> list[Observation]:
    """Look whether each of these sides tells of its changes.

    Raises  StoreUnavailable
    """
    known = await feeds.read(runtime.database)
    is_paused = await lanes.is_paused(runtime.database, Lane.COMPARE)
    return [_feed_part(known.get(side, Feed(side)), runtime, is_paused=is_paused) for side in sides]


def _feed_part(feed: Feed, runtime: Runtime, *, is_paused: bool) -> Observation:
    state, advice = feed_state(feed, runtime, is_paused=is_paused)
    return Observation(PartState(state), advice, feed.silent_since)


def _not_taken(side: Side) -> Observation:
    """Say that a side does not take the token it gave: that passes, or its token endpoint says otherwise in the end."""
    says = f"{NAMES[side]} does not take the token that it gave ({NOT_TAKEN})"
    return Observation(
        PartState.DOWN, f"{says}; it is tried again by itself, and nothing is lost: ask {NAMES[side]} if it lasts hours"
    )


def _salesforce_advice(stored: StoredToken) -> Observation:
    if stored.refused_code is None:
        return OK
    if stored.refused_code == NOT_TAKEN:
        return _not_taken(Side.SALESFORCE)
    refused = f"Salesforce refused our credential ({stored.refused_code})"
    return Observation(PartState.DOWN, f"{refused}: `chronobridge check` says what to change")


def _drchrono_advice(stored: StoredToken, address: str) -> Observation:
    if stored.refused_code == CUT_OFF:
        lost = "a token refresh was cut off, and DrChrono's answer was lost with it"
        return Observation(PartState.DOWN, f"{lost}: connect the practice anew at {address}")
    if stored.token is None:
        before = "nobody has connected the practice" if stored.practice is None else "the practice was disconnected"
        return Observation(PartState.NOT_CONNECTED, f"{before}: open {address}")
    if stored.refused_code == NOT_TAKEN:
        return _not_taken(Side.DRCHRONO)
    if stored.refused_code == "invalid_client":
        wrong = "DrChrono refused the application: correct DRCHRONO_CLIENT_ID and DRCHRONO_CLIENT_SECRET"
        return Observation(PartState.DOWN, f"{wrong}, then connect the practice anew at {address}")
    if stored.refused_code is not None:
        refused = f"DrChrono refused our tokens ({stored.refused_code})"
        return Observation(PartState.DOWN, f"{refused}: connect the practice anew at {address}")
    if stored.is_cut_off:
        cut = "a token refresh was cut off; the stored token is tried once more before the next call"
        return Observation(PartState.DEGRADED, cut)
    return OK


_NEARLY = 0.9


async def quota_part(runtime: Runtime, side: Side) -> Observation | None:
    """Look at the budget of a side; None where it is not connected.

    Raises  StoreUnavailable
    """
    if side is Side.DRCHRONO:
        return None if runtime.drchrono is None else _drchrono_hour(await runtime.drchrono.grant.budget.stands({}))
    return None if runtime.salesforce is None else _salesforce_day(await runtime.salesforce.budget.stands())


def _drchrono_hour(stands: Hour) -> Observation:
    if stands.paused_for_s > 0:
        return _paused(Side.DRCHRONO, stands.paused_for_s)
    minutes = f"in {stands.resets_in_s / 60:.0f} minutes"
    if stands.left <= 0:
        return Observation(
            PartState.DEGRADED, f"the hour's {stands.per_hour:,} calls are spent; edits wait, and go on {minutes}"
        )
    if stands.left < stands.per_hour * (1 - _NEARLY):
        by = max(Lane, key=lambda lane: stands.made.get(lane, 0))
        spent = f"{stands.left:,} of the hour's {stands.per_hour:,} calls are left, most went to the lane {by}"
        return Observation(PartState.DEGRADED, f"{spent}; a new hour begins {minutes}")
    return OK


def _salesforce_day(stands: Day) -> Observation:
    if stands.paused_for_s > 0:
        return _paused(Side.SALESFORCE, stands.paused_for_s)
    if not stands.most:
        return OK  # Salesforce has not said yet what its day allows
    used, ours = f"{stands.used:,} of the day's {stands.most:,} calls are used", int(stands.most * stands.share)
    if stands.used >= ours:
        return Observation(PartState.DEGRADED, f"{used}, ours and those of others: only live edits go on")
    if stands.used >= ours * _NEARLY:
        return Observation(
            PartState.DEGRADED, f"{used}; from {ours:,} on only live edits go on (SALESFORCE_DAILY_CALL_SHARE)"
        )
    return OK


def _paused(side: Side, span_s: float) -> Observation:
    return Observation(
        PartState.DEGRADED, f"{NAMES[side]} is left alone for {span_s:.0f} s more, then calls go on by themselves"
    )


NAMES: Mapping[Side, str] = {Side.DRCHRONO: "DrChrono", Side.SALESFORCE: "Salesforce"}


_SET_UP: Mapping[Side, str] = {
    Side.DRCHRONO: "register {}/webhooks/drchrono on its API management page and verify it there",
    Side.SALESFORCE: "send outbound messages to {}/webhooks/salesforce/outbound/ and one of SALESFORCE_OUTBOUND_TOKENS",
}


_SEE: Mapping[Side, str] = {
    Side.DRCHRONO: "see on its API management page that the webhook is still active and verified",
    Side.SALESFORCE: "see in its Setup, Outbound Messages, what it says of those that failed",
}


def feed_state(feed: Feed, runtime: Runtime, *, is_paused: bool) -> tuple[str, str | None]:
    """Give the state of a feed, and advice; a feed that never delivered is well, and says what is to be done."""
    name = NAMES[feed.side]
    if feed.heard_at is None:
        return "ok", f"{name} has never called: {_SET_UP[feed.side].format(runtime.settings.public_url)}"
    if feed.silent_since is not None:
        changes = f"{feed.found} change{'' if feed.found == 1 else 's'} found by comparing"
        paused = "; the lane compare is paused, so nobody compares now" if is_paused else ""
        return (
            "degraded",
            f"{name} stopped calling at {_silent_since(feed, runtime)}; {changes}{paused}; {_SEE[feed.side]}",
        )
    return "ok", None


def _silent_since(feed: Feed, runtime: Runtime) -> str:
    """Give when a feed was last heard, by the clinic's clock; with the day where that was not today."""
    assert feed.silent_since is not None
    return f"{clinic_time(runtime).day_and_clock(feed.silent_since)} ({runtime.settings.zone.key})"
