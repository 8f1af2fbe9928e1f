"""What of DrChrono's open questions only somebody at DrChrono can bring about: by a button, a booking, a merge.

Whoever runs this is asked to do it there; what comes of it is read from DrChrono, or from what the running service has
kept. And what is never tried, each with the reason.
"""

import asyncio
import re
from datetime import timedelta
from time import monotonic
from typing import Any

import httpx

from app.metrics.definitions import DELIVERIES
from app.operations import connections
from app.operations.first_contact.context import NotToldError, TrialContext
from app.operations.first_contact.model import BY_ITSELF, Means, Trial, TrialStep
from app.store import counters
from app.store.counters import JOINT
from app.sync.model import Kind, Side
from app.vendors.drchrono import answers, wire
from app.vendors.rate_limit.policy import QUESTIONS_SHARE

_TIME = "10:30"
_LATE = timedelta(days=120)
_EARLY = timedelta(days=30)
_CLOCK = re.compile(r"T(\d\d:\d\d)")


async def _counts(context: TrialContext, outcome: str) -> int:
    """Give how many of DrChrono's deliveries ended so, as far as the running service has saved its counts."""
    saved = await counters.everything(context.runtime.database)
    return saved.get(JOINT.join((DELIVERIES.name, Side.DRCHRONO.value, outcome)), 0)


async def _await_count(context: TrialContext, what: str, outcome: str, before: int) -> bool:
    deadline = monotonic() + context.waits.delivery_s
    while await _counts(context, outcome) <= before:
        if (left_s := deadline - monotonic()) <= 0:
            return False
        context.operator.count_down(what, left_s)
        await asyncio.sleep(min(context.waits.look_s, left_s))
    return True


async def _must_be_done(context: TrialContext, what: str) -> None:
    if not await context.operator.is_done(what):
        raise NotToldError("nobody has done it")


async def _ping(context: TrialContext) -> None:
    before = await _counts(context, "ping")
    await _must_be_done(context, "Press Ping at DrChrono: Account, API, the application, Webhooks.")
    if not await _await_count(context, "DrChrono's ping", "ping", before):
        context.observe("ping", None, "none came: does the service run, is the webhook registered?")
        return
    is_shown = await context.operator.says("Does DrChrono's page say that the ping was delivered?")
    says = {True: "it came, and is shown as delivered", False: "it came, and is shown as failed", None: "it came"}
    context.observe("ping", True if is_shown is None else is_shown, says[is_shown])


async def _redelivery(context: TrialContext) -> None:
    latest, before = await context.latest_delivery(Side.DRCHRONO), await _counts(context, "kept")
    if not latest:
        raise NotToldError("no delivery ever came that could come again")
    known = await context.kept(Side.DRCHRONO)
    await _must_be_done(context, "Press Redeliver beside the newest delivery of a patient or a visit at DrChrono.")
    if not await _await_count(context, "DrChrono's redelivery", "kept", before):
        context.observe("redelivery", None, "none came in time")
        return
    new = [row for row in await context.kept(Side.DRCHRONO) if row.id > latest]
    if not new:
        context.observe("redelivery", True, "the same id and the same body: it was known already")
        return
    is_other = all(row.vendor_id not in {one.vendor_id for one in known} for row in new)
    says = "another id" if is_other else "the same id with another body, as the record is now"
    context.observe("redelivery", not is_other, says)


async def _visit_at(context: TrialContext) -> None:
    known = {str(row.get("id")) for row in await _visits(context)}
    await _must_be_done(context, f"Book a visit of the test patient at DrChrono, at {_TIME} by the doctor's own clock.")
    await asyncio.sleep(context.waits.list_s[1])
    new = [row for row in await _visits(context) if str(row.get("id")) not in known]
    if not new:
        context.observe("wall_clock", None, "no new visit is listed")
        return
    times = [found[1] for row in new if (found := _CLOCK.search(str(row.get("scheduled_time"))))]
    context.observe("wall_clock", _TIME in times, f"it is listed at {', '.join(times) or 'no time'}")
    is_naive = all(len(str(row.get("scheduled_time"))) == len("2026-01-12T10:30:00") for row in new)
    context.observe("wall_clock_form", is_naive, "without a zone" if is_naive else "with more than day and time")


async def _visits(context: TrialContext) -> list[dict[str, Any]]:
    today = context.runtime.now().date()
    span = f"{today - _EARLY}/{today + _LATE}"
    answer = await context.get("/api/appointments", date_range=span, patient=str(context.patient))
    rows, _ = answer.means("GET /api/appointments", answers.LIST)
    return [row for row in rows if isinstance(row, dict)]


async def _occurrence(context: TrialContext) -> None:
    before = {str(row.get("id")): row for row in await _visits(context)}
    untouched = {one: row for one, row in before.items() if not one.isdecimal()}
    if not untouched:
        raise NotToldError("the test patient has no series with occurrences that nobody has touched: book one first")
    latest = await context.latest_delivery(Side.DRCHRONO)
    await _must_be_done(context, "Move one occurrence of the test patient's series at DrChrono to another hour.")
    arrived = await context.await_delivery("DrChrono's delivery of it", Side.DRCHRONO, latest, Kind.APPOINTMENT)
    after = {str(row.get("id")): row for row in await _visits(context)}
    gone, new = untouched.keys() - after.keys(), after.keys() - before.keys()
    keys = {untouched[one].get("recurrence_instance_key") for one in gone} - {None}
    kept = keys & {after[one].get("recurrence_instance_key") for one in new}
    says = f"{len(gone)} ids went, {len(new)} came, {len(kept)} with the same recurrence_instance_key"
    context.observe("occurrence_key", bool(kept) if keys else None, says)
    told = arrived and f"{arrived.event} of the {'new' if await _is_of(context, arrived.id, new) else 'old'} id"
    context.observe("occurrence_event", None if arrived is None else True, told or "no delivery came in time")


async def _is_of(context: TrialContext, delivery_id: str, ids: set[str]) -> bool:
    return any(row.record_id in ids for row in await context.events_of(delivery_id))


async def _consent(context: TrialContext) -> None:
    client, runtime = context.drchrono, context.runtime
    assert client is not None
    old, known = await client.broker.current(), await connections.consent_of(runtime)
    await _must_be_done(context, f"Connect again as the same DrChrono user: {connections.connect_url(runtime)}")
    if await connections.await_consent(runtime, known, context.waits.delivery_s) is None:
        raise NotToldError("nobody has connected the practice again")
    response = await client.raw("GET", "/api/doctors", "GET /api/doctors", token=old.value)
    is_dead = response.status_code == httpx.codes.UNAUTHORIZED
    context.observe("consent_again", is_dead, f"{response.status_code} with the access token before")


async def _merge(context: TrialContext) -> None:
    await context.test_patient()
    await _must_be_done(context, "Merge the test patient into another test patient at DrChrono; it is gone by that.")
    answer = await context.get(context.patient_path, "/api/patients/{id}")
    if answer.status == httpx.codes.OK:
        record = answer.means("GET /api/patients/{id}", answers.RECORD)
        is_same = wire.record_id(record) == context.patient
        context.observe("merged", False, f"{answer.status}, {'the same patient' if is_same else 'the other patient'}")
        return
    context.observe("merged", answer.status in (httpx.codes.NOT_FOUND, httpx.codes.GONE), f"{answer.status}")


def _deed(id_: str, calls: int, does: str, try_out: Any, *trials: Trial, is_patients: bool = False) -> TrialStep:
    return TrialStep(id_, Side.DRCHRONO, Means.DELIVERY, does, trials, calls, try_out, is_patients)


def _never(id_: str, question: str, assumes: str, why: str) -> TrialStep:
    return TrialStep(id_, Side.DRCHRONO, Means.NEVER, why, (Trial(id_, question, assumes),))


STEPS = (
    _deed(
        "ping",
        0,
        "waits for a ping",
        _ping,
        Trial(
            "ping", "Is a ping delivered, and is an empty 200 enough?", "yes", "DRCHRONO_WEBHOOK_SECRETS, PUBLIC_URL"
        ),
    ),
    _deed(
        "redelivery",
        0,
        "waits for a delivery that comes once more",
        _redelivery,
        Trial("redelivery", "Does a redelivery have the id it had?", "yes", BY_ITSELF),
    ),
    _deed(
        "visit_at",
        2,
        f"looks for a visit of the test patient that somebody books at {_TIME}",
        _visit_at,
        Trial(
            "wall_clock", "Whose time is scheduled_time?", "the wall clock of the visit's doctor", "OFFICE_TIME_ZONES"
        ),
        Trial("wall_clock_form", "How is scheduled_time written?", "day and time, without a zone"),
        is_patients=True,
    ),
    _deed(
        "occurrence",
        2,
        "looks at the test patient's series before and after somebody moves one occurrence",
        _occurrence,
        Trial("occurrence_key", "Does a moved occurrence keep recurrence_instance_key?", "yes, with an id of its own"),
        Trial("occurrence_event", "Which event tells of it?", "any of a visit", BY_ITSELF),
        is_patients=True,
    ),
    _deed(
        "consent_again",
        1,
        "calls with the token before, once somebody has connected the practice again",
        _consent,
        Trial(
            "consent_again",
            "Does a new consent of the same user end the tokens before?",
            "yes",
            "nothing: let no other system use this API application",
        ),
    ),
    _deed(
        "merge",
        2,
        "reads the test patient after somebody has merged it into another one",
        _merge,
        Trial("merged", "What is a merged patient read as?", "gone (404); its link is then held for a person"),
        is_patients=True,
    ),
    _never(
        "throttled",
        "Which headers has a 429?",
        "none: the wait is in its text",
        f"it would mean to cross DrChrono's limit, and no more than {QUESTIONS_SHARE:.0%} of the hour is spent here",
    ),
    _never(
        "refresh_twice",
        "What does a refresh token do that is used twice?",
        "it is refused, and may end the connection",
        "it may end the connection",
    ),
    _never(
        "duplicate",
        "How is a second patient of the same name refused?",
        "400 or 409, with `Potential duplicate`",
        "where DrChrono does not refuse it, it makes a patient that nobody can take back",
    ),
    _never(
        "receiver",
        "What do a ping and a delivery say of their receiver?",
        "nothing that matters",
        "the service keeps nothing of it: it may hold the webhook's secret",
    ),
    _never(
        "demographics",
        "Does a change of custom_demographics merge or replace?",
        "either",
        "the service writes none",
    ),
    _never("uploads", "How large may a document be?", "either", "the service uploads none"),
)
