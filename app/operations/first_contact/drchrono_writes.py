"""What of DrChrono's open questions a write tells: on the test patient, which is put back, and by a visit far ahead.

No step of these makes a patient: DrChrono's cannot be taken back.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

import httpx

from app.errors import Gone, Rejected, SyncError
from app.operations.first_contact.context import NotToldError, RawAnswer, TrialContext, to_its_end
from app.operations.first_contact.model import BY_ITSELF, Means, Trial, TrialStep, seen_as, shape_of
from app.store.vendor_tokens import VendorTokens
from app.sync.failure_causes import OVERLAPS
from app.sync.model import Kind, Side
from app.vendors.drchrono import answers, wire
from app.vendors.drchrono.oauth import SCOPES

_PHONES = ("(555) 010-0177", "(555) 010-0178")  # fictional, in the form that the service writes
_FIELD = "home_phone"
_QUARTER_S = 900
_FAR = timedelta(days=400)  # the visit: on a day that no practice has planned
_VISITS = "POST /api/appointments"
_INACTIVE = "I"


async def _edit(context: TrialContext) -> None:
    before = await context.test_patient()
    if _FIELD not in before:
        raise NotToldError(f"the test patient has no field {_FIELD}")
    phone = next(one for one in _PHONES if one != before.get(_FIELD))
    latest = await context.latest_delivery(Side.DRCHRONO)
    async with context.altered(before, {_FIELD: phone}) as answer:
        written_at, began = context.runtime.now(), monotonic()
        is_empty = not answer.reply.body
        says = f"{answer.status}, {'without a body' if is_empty else answer.reply.came}"
        context.observe("patch_answer", answer.status == answers.CHANGED.status and is_empty, says)
        now = await context.test_patient()
        await _look_at(context, before, now, phone, written_at)
        await _look_in_list(context, now, phone, began)
        await _since_a_time(context, now)
        arrived = await context.await_delivery(
            "DrChrono's delivery of our own edit", Side.DRCHRONO, latest, Kind.PATIENT, context.patient
        )
    if arrived is not None:
        context.observe(
            "own_edit", True, f"{arrived.event}, {(arrived.received_at - written_at).total_seconds():.0f} s later"
        )
    elif latest:
        context.observe("own_edit", False, f"no delivery in {monotonic() - began:.0f} s, though others came before")
    else:
        context.observe("own_edit", None, "no delivery ever came: does the service run, is the webhook registered?")


async def _look_at(
    context: TrialContext, before: Mapping[str, Any], now: Mapping[str, Any], phone: str, written_at: datetime
) -> None:
    """Tell what a read right after a write shows."""
    is_new = now.get(_FIELD) != before.get(_FIELD)
    context.observe("read_own_write", is_new, "it shows the write" if is_new else "it shows what was there before")
    if not is_new:
        context.observe("phone_form", None, "the write was not shown yet")
        context.observe("stamp_zone", None, "the write was not shown yet")
        return
    shown = str(now.get(_FIELD))
    same = "as it was written" if shown == phone else f"in the form {re.sub(r'[0-9]', '9', shown)}"
    context.observe("phone_form", re.sub(r"\D", "", shown) == re.sub(r"\D", "", phone), same)
    stamp = wire.version(now)
    if not stamp:
        context.observe("stamp_zone", False, "updated_at has another form than that of the lists' stamps")
        return
    apart_s = (datetime.fromisoformat(stamp) - written_at.replace(tzinfo=None)).total_seconds()
    hours = round(apart_s / _QUARTER_S) * _QUARTER_S / 3600
    context.observe(
        "stamp_zone", stamp >= wire.version(before), f"UTC{hours:+g} h, later than the stamp before", hours=hours
    )


async def _look_in_list(context: TrialContext, now: Mapping[str, Any], phone: str, began: float) -> None:
    """Tell how long a list goes without a write."""
    gap_s, digits = context.runtime.settings.drchrono_search_gap.total_seconds(), re.sub(r"\D", "", phone)
    chart_id = now.get("chart_id")
    if not chart_id:
        context.observe("list_lag", None, "the test patient has no chart_id to be listed by")
        return
    for at_s in context.waits.list_s:
        await context.sleep_until(began + at_s, "DrChrono's list to show the write")
        asked_s = monotonic() - began
        rows = await _listed(context, str(chart_id))
        if any(re.sub(r"\D", "", str(row.get(_FIELD))) == digits for row in rows):
            context.observe(
                "list_lag", asked_s <= gap_s, f"it shows the write after {asked_s:.0f} s", seconds=round(asked_s)
            )
            return
    context.observe("list_lag", False, f"it did not show the write in {monotonic() - began:.0f} s")


async def _listed(context: TrialContext, chart_id: str, **more: str) -> list[dict[str, Any]]:
    answer = await context.get("/api/patients", chart_id=chart_id, **more)
    rows, _ = answer.means("GET /api/patients", answers.LIST)
    return [row for row in rows if isinstance(row, dict) and str(row.get("id")) == context.patient]


async def _since_a_time(context: TrialContext, now: Mapping[str, Any]) -> None:
    """Tell whether `since` counts a time of day: of a patient that changed today, earlier than the end of its day."""
    stamp, chart_id = wire.version(now), now.get("chart_id")
    if not stamp or not chart_id:
        context.observe("since_time", None, "the test patient has no stamp or no chart_id")
        return
    answer = await context.get("/api/patients", chart_id=str(chart_id), since=f"{stamp[:10]}T23:59:59")
    if answer.status == httpx.codes.BAD_REQUEST:
        context.observe("since_time", True, "a time of day is refused with 400: days alone count")
        return
    rows, _ = answer.means("GET /api/patients", answers.LIST)
    context.observe("since_time", bool(rows), f"a time of day {'does not count' if rows else 'counts'}")


async def _inactive(context: TrialContext) -> None:
    before = await context.test_patient()
    chart_id = before.get("chart_id")
    if not chart_id or before.get("patient_status") == _INACTIVE:
        raise NotToldError("the test patient is inactive already, or has no chart_id to be listed by")
    async with context.altered(before, {"patient_status": _INACTIVE}) as answer:
        answer.means("PATCH", answers.CHANGED, writes=True)
        await asyncio.sleep(context.waits.list_s[1])
        plain = await _listed(context, str(chart_id))
        shown = await _listed(context, str(chart_id), show_inactive="true")
    says = f"{'shown' if plain else 'not shown'} by itself, {'shown' if shown else 'not shown'} with show_inactive"
    context.observe("inactive", bool(shown), says)


async def _visit(context: TrialContext) -> None:
    patient = await context.test_patient()
    offices, _ = (await context.get("/api/offices")).means("GET /api/offices", answers.LIST)
    office = next(
        (one for one in offices if one.get("doctor") == patient.get("doctor") and one.get("exam_rooms")), None
    )
    if office is None:
        raise NotToldError("the test patient's doctor has no office with a room")
    day = (context.runtime.now() + _FAR).date()
    fields = {
        "doctor": patient.get("doctor"),
        "patient": patient.get("id"),
        "office": office.get("id"),
        "exam_room": (office.get("exam_rooms") or [{}])[0].get("index"),
        "scheduled_time": f"{day}T05:30:00",
        "duration": 15,
        "reason": "First contact, may be deleted",
    }
    latest, booking = await context.latest_delivery(Side.DRCHRONO), _Booking(context, fields)
    async with context.restored(f"DrChrono: a visit of the test patient on {day}", booking.delete):
        await to_its_end(booking.book())
        kept = booking.visit.get("scheduled_time") == fields["scheduled_time"]
        says = f"{booking.status}, with an id that is {seen_as(booking.visit['id'])}"
        shape = shape_of(booking.visit)
        context.observe("visit_made", kept, f"{says}, its time {'kept' if kept else 'changed'}", appointment=shape)
        await _overlap(context, fields)
    await _look_for_deleted(context, booking.path, wire.record_id(booking.visit), str(day), latest)


@dataclass(slots=True)
class _Booking:
    """A visit that is booked and deleted; empty until DrChrono has answered, also where it refused."""

    context: TrialContext
    fields: dict[str, Any]
    status: int = 0
    visit: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"/api/appointments/{wire.record_id(self.visit)}"

    async def book(self) -> None:
        answer = await self.context.send("POST", "/api/appointments", _VISITS, self.fields)
        self.status = answer.status
        self.visit = answer.means(_VISITS, answers.CREATED, writes=True)

    async def delete(self) -> bool:
        """Say whether there is none of it any more."""
        client = self.context.runtime.drchrono  # whatever is left of our own part of the hour
        assert client is not None
        if not self.visit:
            return True
        answer = await client.raw("DELETE", self.path, "DELETE /api/appointments/{id}")
        return answer.status_code in (httpx.codes.NO_CONTENT, httpx.codes.OK, httpx.codes.NOT_FOUND, httpx.codes.GONE)


async def _overlap(context: TrialContext, fields: dict[str, Any]) -> None:
    second = _Booking(context, fields)
    try:
        async with context.restored("DrChrono: a second visit of the test patient at that time", second.delete):
            await to_its_end(second.book())
    except Rejected as error:
        says = "and names the other" if error.code.startswith(OVERLAPS) else "in other words"
        context.observe("overlap", error.code.startswith(OVERLAPS), f"{second.status}, {says}")
    else:
        context.observe("overlap", False, f"{second.status}: it was made")


async def _look_for_deleted(context: TrialContext, path: str, visit_id: str, day: str, latest: str) -> None:
    answer = await context.get(path, "/api/appointments/{id}")
    meant = _meaning(answer)
    context.observe("deleted_read", meant in (Gone, "marked"), f"{answer.status}{'' if meant is Gone else ', marked'}")
    listed = await context.get("/api/appointments", date=day, show_archived="true")
    rows, _ = listed.means("GET /api/appointments", answers.LIST)
    found = [row for row in rows if isinstance(row, dict) and str(row.get("id")) == visit_id]
    is_marked = bool(found) and found[0].get("deleted_flag") is True
    context.observe(
        "deleted_listed", is_marked, "listed and marked" if is_marked else f"listed {len(found)} times, unmarked"
    )
    while row := await context.await_delivery(
        "DrChrono's delivery of the deletion", Side.DRCHRONO, latest, Kind.APPOINTMENT, visit_id
    ):
        latest = row.id
        if row.event != "APPOINTMENT_CREATE":
            context.observe("deleted_event", row.event == "APPOINTMENT_DELETE", row.event)
            return
    context.observe("deleted_event", None, "no delivery came: does the service run, is the webhook registered?")


def _meaning(answer: RawAnswer) -> Any:
    try:
        record = answer.means("GET /api/appointments/{id}", answers.RECORD)
    except SyncError as error:
        return type(error)
    return "marked" if record.get("deleted_flag") is True else "unmarked"


async def _refresh(context: TrialContext) -> None:
    client = context.drchrono
    assert client is not None
    store = VendorTokens(context.runtime.database, context.runtime.vault, Side.DRCHRONO)
    old = await client.broker.current()
    pair = (await store.read()).token or {}
    await client.broker.renewed(old)
    new = (await store.read()).token or {}
    rotates = new.get("refresh_token") != pair.get("refresh_token")
    context.observe("rotation", rotates, f"the refresh token is {'another one' if rotates else 'the same'} afterwards")
    response = await client.raw("GET", "/api/doctors", "GET /api/doctors", token=old.value)
    is_dead = response.status_code == httpx.codes.UNAUTHORIZED
    context.observe("old_token", is_dead, f"{response.status_code} with the access token before")


def _write(id_: str, calls: int, does: str, try_out: Any, *trials: Trial, is_patients: bool = True) -> TrialStep:
    return TrialStep(id_, Side.DRCHRONO, Means.WRITE, does, trials, calls, try_out, is_patients)


_DELETED = "APPOINTMENT_DELETE"
STEPS = (
    _write(
        "patient_edit",
        6 + 7,
        f"changes {_FIELD} of the test patient to a fictional number, and puts the old one back",
        _edit,
        Trial("patch_answer", "How is a change answered?", f"{int(answers.CHANGED.status)}, without a body"),
        Trial(
            "read_own_write",
            "Does a read show a write at once?",
            "yes",
            "CONFIRM_AFTER, to be longer than that takes",
        ),
        Trial("phone_form", "In which form does DrChrono keep a phone number?", "any, with the same digits", BY_ITSELF),
        Trial(
            "stamp_zone", "Of which zone is updated_at?", "of any: it grows with each change, and meets no other clock"
        ),
        Trial(
            "list_lag",
            "How long does a list go without a write?",
            lambda runtime: f"{runtime.settings.drchrono_search_gap.total_seconds():g} s at most",
            "DRCHRONO_SEARCH_GAP, to be longer than that takes",
        ),
        Trial("since_time", "Does `since` count a time of day?", "no: days alone", "nothing: two days more are read"),
        Trial("own_edit", "Does our own write come back as a delivery?", "yes, and it changes nothing", BY_ITSELF),
    ),
    _write(
        "patient_inactive",
        7,
        "makes the test patient inactive, and active again",
        _inactive,
        Trial("inactive", "Does a list show an inactive patient?", "with show_inactive"),
    ),
    _write(
        "visit",
        8,
        f"books a visit of the test patient {_FAR.days} days ahead, tries a second one at that time, and deletes it",
        _visit,
        Trial("visit_made", "How is a new visit answered?", f"{int(answers.CREATED.status)}, with the visit"),
        Trial("overlap", "How is a visit that overlaps another refused?", "409, and it names the other"),
        Trial("deleted_read", "What is a deleted visit read as?", "gone (404), or marked", BY_ITSELF),
        Trial("deleted_listed", "Is a deleted visit listed with show_archived?", "yes, with deleted_flag"),
        Trial("deleted_event", "Which event tells of a deletion?", _DELETED, f"{BY_ITSELF}: a marked visit counts too"),
    ),
    _write(
        "refresh",
        3,
        f"renews the token ({len(SCOPES)} scopes), and calls with the one before",
        _refresh,
        Trial("rotation", "Does a refresh give another refresh token?", "yes: each works once", BY_ITSELF),
        Trial("old_token", "Does the access token before end with a refresh?", "yes, with 401", BY_ITSELF),
        is_patients=False,
    ),
)
