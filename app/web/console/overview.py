"""The first page: the two systems, what flows between them over time, what happened last, and what needs a person."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import Response

from app.operations import backfill
from app.operations.activity import activity_of
from app.operations.backfill import LoadState
from app.operations.connections import was_connected
from app.operations.labels import LabelGroup, in_words, label
from app.operations.overview import Picture, picture
from app.operations.recent_activity import recent_activity
from app.operations.sign_in import Caller
from app.ports import Action
from app.runtime import Runtime
from app.sync.model import Side
from app.web import charts, moments
from app.web.pages import page, pages_router, reader
from app.web.ranges import read_range

router = pages_router()
_LIVE = "live"  # the part of the page that asks again every three seconds; charts need not
_ATTENTION = "/attention"
_DID = {
    Action.SIGN_IN: "signed in",
    Action.SIGN_IN_REFUSED: "was refused at sign-in",
    Action.SIGN_OUT: "signed out",
    Action.PAUSE: "paused",
    Action.RESUME: "resumed",
    Action.CONNECT: "connected",
    Action.DISCONNECT: "disconnected",
    Action.REVEAL: "revealed values of",
    Action.REPLAY: "replayed",
    Action.LOOK: "checked again",
    Action.RETRY: "retried",
    Action.DISCARD: "dismissed",
    Action.RESTORE: "restored",
    Action.NOTE: "noted something on",
    Action.SETTLE: "decided",
    Action.MERGE: "merged",
    Action.UNDO: "restored a value of",
    Action.RECONCILE: "started the reconciliation of",
    Action.BACKFILL: "started the initial sync of",
    Action.TRY_OUT: "tested the connection of",
    Action.ROTATE_KEYS: "re-encrypted",
    Action.EXPORT: "exported",
}


@dataclass(frozen=True, slots=True)
class Headline:
    """The state of everything in one sentence; `tone`: good, busy, warn or bad; `path`: where it is seen in full."""

    text: str
    tone: str
    path: str = ""


@router.get("/")
async def show(request: Request, caller: Annotated[Caller, Depends(reader)]) -> Response:
    """Show how everything stands; the page asks again by itself."""
    parts: Any = request.app.state.health.report()["parts"]
    runtime: Runtime = request.app.state.runtime
    clinic = moments.here()
    chosen = read_range(request.query_params, clinic)
    seen, found = await picture(runtime), await backfill.states(runtime)
    flowed = await activity_of(runtime, chosen.since, chosen.until)
    loads = [one for one in found if one.state is not LoadState.LOADED] if backfill.may_load(runtime) else []
    left = {side for side in Side if _is_unconnected(parts, side) and await was_connected(runtime, side)}
    says = headline(seen, parts, is_loaded=not loads, left=left)
    words = chosen.words(clinic, flowed)
    is_poll = request.headers.get("hx-target") == _LIVE
    return page(
        "overview",
        caller,
        seen=seen,
        parts=parts,
        unwell={name: part for name, part in parts.items() if part["state"] != "ok"},
        says=says,
        loads=loads,
        Side=Side,
        site=runtime.settings.public_url,
        clinic=clinic,
        chosen=chosen,
        words=words,
        flowed=flowed,
        charts=() if is_poll else charts.of_activity(flowed, words, clinic),
        did=_DID,
        happened=() if is_poll else await recent_activity(runtime),
    )


def headline(
    seen: Picture, parts: dict[str, dict[str, Any]], *, is_loaded: bool = True, left: set[Side] | None = None
) -> Headline:
    """Give the state of everything in one sentence; `left`: sides that were connected before."""
    if away := [name for name, part in parts.items() if part["state"] == "down"]:
        return Headline(f"Something is down: {', '.join(in_words(name) for name in away)}.", "bad", "#needs")
    if unconnected := [name for name, part in parts.items() if part["state"] == "not_connected"]:
        return Headline(_unconnected(unconnected, left or set()), "warn", "/connections")
    if seen.paused:
        return Headline(
            f"Paused: {', '.join(label(name, LabelGroup.QUEUE) for name in seen.paused)}. Nothing is lost; it waits.",
            "warn",
            "/queues",
        )
    if seen.failed or seen.held or seen.dismissed:
        return _to_look_at(seen, is_quiet=is_loaded and not seen.due)
    if seen.due:
        return Headline(f"{seen.due:,} change{'' if seen.due == 1 else 's'} pending.", "busy", "/queues")
    if not is_loaded:
        return Headline("New changes are synced. Records from before are not loaded yet.", "busy", "#first-load")
    return Headline("Both systems agree.", "good")


def _to_look_at(seen: Picture, *, is_quiet: bool) -> Headline:
    """Say how many records need a person, and in how many the systems differ because a person said so."""
    said = []
    if people := seen.failed + seen.held:
        said.append("1 record needs attention" if people == 1 else f"{people:,} records need attention")
    if seen.dismissed:
        said.append(
            "1 record differs, dismissed" if seen.dismissed == 1 else f"{seen.dismissed:,} records differ, dismissed"
        )
    rest = " Everything else is synced." if is_quiet else ""
    return Headline(f"{'; '.join(said)}.{rest}", "warn", _ATTENTION if people else f"{_ATTENTION}?state=dismissed")


def _is_unconnected(parts: dict[str, dict[str, Any]], side: Side) -> bool:
    return side in parts and parts[side]["state"] == "not_connected"


def _unconnected(names: list[str], left: set[Side]) -> str:
    if len(names) > 1:
        return f"{' and '.join(in_words(name) for name in names)} have not been connected yet."
    return f"{in_words(names[0])} {'was disconnected' if names[0] in left else 'has not been connected yet'}."
