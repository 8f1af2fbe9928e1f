"""Each side's connection, its token and its feed, by what is stored of them: no vendor is asked."""

from collections.abc import Mapping
from typing import Any

from app.doors.feeds import NAMES, said
from app.doors.health.words import OK, Found, State
from app.errors import Undecryptable
from app.joining import connect_url
from app.runtime import Runtime, calls_of
from app.store import feeds, queue_state
from app.store.connections import Connections, Stored
from app.sync.records import Lane, Side
from app.sync.silence import Feed
from app.vendors import budget
from app.vendors.tokens import CUT_OFF

_SEALED = "its token was sealed with a key that ENCRYPTION_KEYS lacks; put that key at the end"
_NEAR = 0.1  # of a token's life; it is refreshed when a fifth is left, so by then something has not
_RENEWS: Mapping[Side, str] = {
    Side.DRCHRONO: "the next call refreshes it: see that a worker runs",
    Side.SALESFORCE: "the next call asks for a new one: see that a worker runs",
}


async def connection(run: Runtime, side: Side) -> Found:
    """Look at one side's connection: whether it is set up and joined, its credential is taken, and it answers.

    Raises  StoreUnavailable
    """
    if side not in run.settings.connected:
        advice = f"set the {side.value.upper()}_… settings; its deliveries are kept meanwhile"
        return Found(State.NOT_CONNECTED, advice)
    try:
        stored = await Connections(run.database, run.vault, side).read()
    except Undecryptable:
        return Found(State.DOWN, _SEALED)
    joined = _salesforce(stored) if side is Side.SALESFORCE else _drchrono(stored, connect_url(run.settings))
    return joined if joined.state in (State.DOWN, State.NOT_CONNECTED) else await _answers(run, side) or joined


async def _answers(run: Runtime, side: Side) -> Found | None:
    """Say that a vendor does not answer, as the calls of all processes have found; None while it does."""
    ledger = await calls_of(run.settings, run.database, side).read()
    if not budget.is_out(ledger.failures):
        return None
    wait_s = max(ledger.closed_until - ledger.at, 0)
    says = f"{NAMES[side]} has failed {ledger.failures} calls in a row; the next is tried in {wait_s:.0f} s"
    return Found(State.DOWN, f"{says}: nothing is lost, see its status page if it goes on")


async def token(run: Runtime, side: Side) -> Found | None:
    """Look at a side's token: whether it can be refreshed, and is before it ends; None where there is none.

    Raises  StoreUnavailable
    """
    if side not in run.settings.connected:
        return None
    try:
        stored = await Connections(run.database, run.vault, side).read()
    except Undecryptable:
        return Found(State.DOWN, _SEALED)
    if stored.token is None and side is Side.DRCHRONO:
        return None  # nobody has joined the practice, which its own part says
    if stored.refused_code is not None:
        return Found(State.DOWN, f"refused ({stored.refused_code}): the part {side} says what to do")
    return None if stored.token is None else _lives(stored, stored.token, side, connect_url(run.settings))


def _lives(stored: Stored, held: Mapping[str, Any], side: Side, address: str) -> Found:
    again = f"connect the practice anew at {address}"
    if side is Side.DRCHRONO and not held.get("refresh_token"):
        ended = "it has ended" if stored.is_expired else "it ends"
        return Found(State.DOWN if stored.is_expired else State.DEGRADED, f"{ended} and cannot be refreshed: {again}")
    if stored.is_expired:
        return Found(State.DEGRADED, f"it has ended; {_RENEWS[side]}")
    near_s = float(held.get("expires_in") or 0) * _NEAR
    if stored.is_stale and stored.expires_in_s is not None and stored.expires_in_s < near_s:
        return Found(State.DEGRADED, f"it ends in {stored.expires_in_s / 60:.0f} minutes; {_RENEWS[side]}")
    return OK


async def feed(run: Runtime, side: Side) -> Found | None:
    """Look whether a side tells of its changes; None where it is not connected.

    Raises  StoreUnavailable
    """
    if side not in run.settings.connected:
        return None
    known = (await feeds.read(run.database)).get(side, Feed(side))
    is_paused = await queue_state.is_paused(run.database, Lane.COMPARE)
    state, advice = said(known, run.settings, is_paused=is_paused)
    return Found(State(state), advice, known.silent_since)


def _salesforce(stored: Stored) -> Found:
    if stored.refused_code is None:
        return OK
    refused = f"Salesforce refused our credential ({stored.refused_code})"
    return Found(State.DOWN, f"{refused}: `chronobridge check` says what to change")


def _drchrono(stored: Stored, address: str) -> Found:
    if stored.refused_code == CUT_OFF:
        lost = "a token refresh was cut off, and DrChrono's answer was lost with it"
        return Found(State.DOWN, f"{lost}: connect the practice anew at {address}")
    if stored.token is None:
        return Found(State.NOT_CONNECTED, f"nobody has connected the practice: open {address}")
    if stored.refused_code == "invalid_client":
        wrong = "DrChrono refused the application: correct DRCHRONO_CLIENT_ID and DRCHRONO_CLIENT_SECRET"
        return Found(State.DOWN, f"{wrong}, then connect the practice anew at {address}")
    if stored.refused_code is not None:
        refused = f"DrChrono refused our tokens ({stored.refused_code})"
        return Found(State.DOWN, f"{refused}: connect the practice anew at {address}")
    if stored.is_cut_off:
        cut = "a token refresh was cut off; the stored token is tried once more before the next call"
        return Found(State.DEGRADED, cut)
    return OK
