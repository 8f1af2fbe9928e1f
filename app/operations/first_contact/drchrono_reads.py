"""What of DrChrono's open questions a read can tell; no step of these changes anything or asks anybody."""

import asyncio
import re
from datetime import timedelta
from time import monotonic
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import httpx

from app.errors import Gone, SyncError, Unauthorized
from app.operations.first_contact.context import NotToldError, RawAnswer, TrialContext
from app.operations.first_contact.model import BY_ITSELF, Means, Trial, TrialStep, seen_as, shape_of
from app.store.deliveries import Outcome
from app.store.vendor_tokens import VendorTokens
from app.sync.model import Side
from app.vendors.drchrono import answers, wire
from app.vendors.drchrono.bulk_lists import NO_BULK
from app.vendors.drchrono.client import BULK_WAITS_S, MOVED
from app.vendors.drchrono.permissions import unspoken
from app.vendors.http import Reply

_LONG_AGO = "2000-01-01"
_ASKED_ROWS = 250  # the most that any edition of the reference allows
_NOBODY = "999999999999"
_DECIMAL = re.compile(r"[0-9]+", re.ASCII)
_OCCURRENCE = re.compile(r"\d{4}-\d\d-\d\d_\w+", re.ASCII)  # of a series nobody has touched: its day, and the series
_OF_LIMITS = re.compile(r"rate|limit|quota|retry", re.IGNORECASE)
_BULK_LOOKS = 6
# events of other things, by names that begin alike
_OF_OTHERS = re.compile(r"PATIENT_(ALLERGY|FLAG|PROBLEM|MEDICATION)_", re.ASCII)
_BEFORE, _BEHIND = timedelta(days=30), timedelta(days=60)


async def _user(context: TrialContext) -> None:
    answer = await context.get("/api/users/current")
    there, base = answer.headers.get("location", ""), context.runtime.settings.drchrono_base_url
    host = urlsplit(there).netloc
    is_here = host in ("", urlsplit(base).netloc)
    leads = f", {'to the same host' if is_here else 'to another host'}" if there else ""
    context.observe("user_redirect", answer.status in MOVED and is_here, f"{answer.status}{leads}")
    assert context.drchrono is not None
    user = await context.drchrono.user()
    if not user.permissions:
        context.observe("permission_names", None, "DrChrono says nothing of permissions")
        return
    lacking = unspoken(user.permissions)
    seen = f"not spoken of: {', '.join(lacking)}" if lacking else "all that are needed are spoken of"
    context.observe("permission_names", not lacking, seen, names=sorted(user.permissions))


async def _token(context: TrialContext) -> None:
    stored = await VendorTokens(context.runtime.database, context.runtime.vault, Side.DRCHRONO).read()
    token = stored.token or {}
    names = [name for name in ("refresh_token", "expires_in", "scope") if token.get(name)]
    missing = {"refresh_token", "expires_in", "scope"} - set(names)
    seen = f"it has {', '.join(names)}" + (f"; not {', '.join(sorted(missing))}" if missing else "")
    context.observe("token_answer", not missing, seen, expires_in=token.get("expires_in"))


async def _patients(context: TrialContext) -> None:
    answer = await context.get("/api/patients", since=_LONG_AGO, page_size="1")
    document = answer.document()
    if answer.status != httpx.codes.OK or not isinstance(document, dict):
        raise NotToldError(f"the list answers {answer.status}, {answer.reply.came}")
    rows, onward = document.get("results"), document.get("next")
    context.observe(
        "list_rows", isinstance(rows, list), f"a page has {', '.join(sorted(document))}", status=answer.status
    )
    if isinstance(onward, str):
        place = urlsplit(onward)
        is_here = place.netloc in ("", urlsplit(context.runtime.settings.drchrono_base_url).netloc)
        names = [name for name, _ in parse_qsl(place.query)]
        says = f"{'the same host' if is_here else 'another host'}, by {place.scheme or 'path'}, with {', '.join(names)}"
        context.observe("list_onward", is_here, says)
    else:
        context.observe("list_onward", None, "there is no second page")
    row = next((one for one in rows or () if isinstance(one, dict)), None)
    if row is None:
        context.observe("stamps", None, "there is no patient")
        return
    stamp = row.get("updated_at")
    form = re.sub(r"\d", "9", stamp) if isinstance(stamp, str) else seen_as(stamp)
    context.observe("stamps", wire.version(row) != "", f"written as {form}", patient=shape_of(row))


async def _page_sizes(context: TrialContext) -> None:
    found, is_cut = [], []
    for verbose in ("false", "true"):
        answer = await context.get(
            "/api/appointments", since=_LONG_AGO, page_size=str(_ASKED_ROWS), ignore_virtual="true", verbose=verbose
        )
        rows, onward = answer.means("GET /api/appointments", answers.LIST)
        found.append(len(rows))
        is_cut.append(onward is not None)
    seen = f"{found[0]} of {_ASKED_ROWS} that were asked for, {found[1]} verbose ones"
    if not any(is_cut) and max(found) < _ASKED_ROWS:
        context.observe("page_size", None, f"{seen}: there are no more")
        return
    context.observe("page_size", max(found) <= _ASKED_ROWS, seen, rows=found[0], verbose_rows=found[1])


async def _window(context: TrialContext) -> None:
    answer = await context.get("/api/appointments")
    document = answer.document()
    context.observe("window", answer.status == httpx.codes.BAD_REQUEST, f"{answer.status}", body=seen_as(document))


async def _refusals(context: TrialContext) -> None:
    answer = await context.get(f"/api/patients/{_NOBODY}", "/api/patients/{id}")
    context.observe("gone", _meant(answer) is Gone, _told_by(answer))
    assert context.drchrono is not None
    response = await context.drchrono.raw("GET", "/api/doctors", "GET /api/doctors", token="no-token-at-all")  # noqa: S106
    refused = RawAnswer(Reply.of(response), response.headers, 0.0)
    context.observe("refused_token", _meant(refused) is Unauthorized, _told_by(refused))


def _meant(answer: RawAnswer) -> type[Exception] | None:
    try:
        answer.means("GET", answers.RECORD)
    except SyncError as error:
        return type(error)
    return None


def _told_by(answer: RawAnswer) -> str:
    document = answer.document()
    names = f" with {', '.join(sorted(map(str, document)))}" if isinstance(document, dict) else ""
    return f"{answer.status}, {answer.reply.media or 'of no type'}{names}"


async def _staff(context: TrialContext) -> None:
    offices, _ = (await context.get("/api/offices")).means("GET /api/offices", answers.LIST)
    if offices:
        rooms = [room for office in offices for room in (office.get("exam_rooms") or ())]
        is_fit = all(isinstance(one.get("exam_rooms"), list) for one in offices) and all(
            isinstance(room, dict) and isinstance(room.get("index"), int) for room in rooms
        )
        zones = [name for name in offices[0] if "zone" in name]
        seen = f"exam_rooms is a {seen_as(offices[0].get('exam_rooms'))}, a zone is {', '.join(zones) or 'not there'}"
        context.observe("office_rooms", is_fit and not zones, seen, office=shape_of(offices[0]))
    else:
        context.observe("office_rooms", None, "there is no office")
    doctors, _ = (await context.get("/api/doctors")).means("GET /api/doctors", answers.LIST)
    zones = sorted({str(one.get("timezone")) for one in doctors})
    if not zones:
        context.observe("doctor_zones", None, "there is no doctor")
        return
    context.observe("doctor_zones", all(map(_loads, zones)), ", ".join(zones))


def _loads(zone: str) -> bool:
    try:
        return bool(ZoneInfo(zone))
    except (ValueError, OSError, LookupError):
        return False


async def _appointments(context: TrialContext) -> None:
    today = context.runtime.now().date()
    span = f"{today - _BEFORE}/{today + _BEHIND}"
    answer = await context.get("/api/appointments", date_range=span, page_size=str(_ASKED_ROWS))
    found, _ = answer.means("GET /api/appointments", answers.LIST)
    rows = [row for row in found if isinstance(row, dict)]
    trials = ("appointment_ids", "occurrences", "series_keys", "breaks")
    if not rows:
        for trial_id in trials:
            context.observe(trial_id, None, "no appointment is there, from a month ago to two months ahead")
        return
    kinds = sorted({seen_as(row.get("id")).partition(" ")[0] for row in rows})
    shape = shape_of(rows[0])
    context.observe("appointment_ids", kinds == ["text"], f"ids are {' and '.join(kinds)}", appointment=shape)
    odd = [str(row.get("id")) for row in rows if not _DECIMAL.fullmatch(str(row.get("id")))]
    forms = sorted({re.sub(r"\d", "9", one) for one in odd})
    context.observe(
        "occurrences",
        all(map(_OCCURRENCE.fullmatch, odd)) if odd else None,
        f"ids of the form {', '.join(forms)}" if forms else "no appointment has an id that is no number",
    )
    keys = [
        row.get("recurrence_instance_key") for row in rows if row.get("recurring_appointment") or row.get("id") in odd
    ]
    says = f"{sum(map(bool, keys))} of {len(keys)} appointments of series have one" if keys else "there is no series"
    context.observe("series_keys", all(keys) if keys else None, says)
    breaks = [row for row in rows if row.get("appt_is_break") or row.get("patient") is None]
    is_fit = all(row.get("patient") is None and row.get("exam_room") == 0 for row in breaks)
    seen = f"{len(breaks)}: without patient, in room 0" if is_fit else "some have a patient or a room"
    context.observe("breaks", is_fit if breaks else None, seen if breaks else "there is none")


async def _bulk(context: TrialContext) -> None:
    call, began = "POST /api/patients_list", monotonic()
    query = "since=2000-01-01&show_inactive=true&page=1&page_size=1"
    answer = await context.send("POST", f"/api/patients_list?{query}", call)
    if answer.status in NO_BULK:
        context.observe("bulk", False, f"not for us: {answer.status}")
        return
    uuid = answer.means(call, answers.BULK_BEGUN)
    assert context.drchrono is not None
    for wait_s in tuple(context.drchrono.bulk_waits_s)[:_BULK_LOOKS]:
        await asyncio.sleep(wait_s)
        looked = await context.get("/api/patients_list", uuid=uuid)
        page = looked.means("GET /api/patients_list", answers.bulk_page(1, 1))
        if page is not None:
            context.observe("bulk", True, f"made in {monotonic() - began:.0f} s, {page.of} patients in all")
            return
    context.observe("bulk", None, f"not made in {monotonic() - began:.0f} s")


async def _deliveries(context: TrialContext) -> None:
    rows = [row for row in await context.kept(Side.DRCHRONO) if row.outcome != Outcome.UNREADABLE.value]
    if not rows:
        for trial_id in ("delivery_ids", "events"):
            context.observe(trial_id, None, "no delivery has come yet")
        return
    forms = sorted({re.sub(r"[0-9a-f]", "9", str(row.vendor_id or "none")) for row in rows})
    context.observe("delivery_ids", all(row.vendor_id for row in rows), f"of the form {', '.join(forms[:3])}")
    names = sorted({row.event for row in rows})
    told = [name for name in names if name.startswith(("PATIENT_", "APPOINTMENT_")) and name not in wire.EVENT_KINDS]
    context.observe("events", not [name for name in told if not _OF_OTHERS.match(name)], ", ".join(names))


async def _leftovers(context: TrialContext) -> None:
    """Tell what all answers before have shown."""
    named = sorted(name for name in context.heads if _OF_LIMITS.search(name))
    if not context.heads:
        await _user(context)
    context.observe("limit_headers", not named, f"{', '.join(named) or 'none'}")
    moved = sorted(context.moved - {"GET /api/users/current"})
    context.observe("moved", True, f"answered with a redirect: {', '.join(moved) or 'none'}")


def _read(id_: str, calls: int, does: str, try_out: Any, *trials: Trial) -> TrialStep:
    return TrialStep(id_, Side.DRCHRONO, Means.READ, does, trials, calls, try_out)


STEPS = (
    _read(
        "drchrono_user",
        3,
        "asks whose consent the service holds",
        _user,
        Trial(
            "user_redirect",
            "How does /api/users/current lead to the user?",
            f"a redirect, {int(MOVED[0])}, to the same host",
            f"{BY_ITSELF}; a redirect to another host: DRCHRONO_BASE_URL names that one",
        ),
        Trial(
            "permission_names",
            "By which names does DrChrono speak of a user's permissions?",
            lambda _runtime: ", ".join(unspoken({})),
            "report this: a permission it does not speak of is not held against anybody",
        ),
    ),
    _read(
        "drchrono_token",
        0,
        "looks at the stored token, without its value",
        _token,
        Trial(
            "token_answer",
            "What comes with a token?",
            "a refresh token, expires_in and scope",
            f"{BY_ITSELF}: without expires_in a token is renewed once it is refused",
        ),
    ),
    _read(
        "drchrono_lists",
        1,
        "asks for a page of one patient",
        _patients,
        Trial("list_rows", "Under which name are the rows of a list?", "results", f"{BY_ITSELF}: data too"),
        Trial(
            "list_onward",
            "Where does a list go on?",
            lambda runtime: f"at {urlsplit(runtime.settings.drchrono_base_url).netloc}, as `next` says it",
            f"{BY_ITSELF}: path and query count; or DRCHRONO_BASE_URL",
        ),
        Trial("stamps", "How are updated_at and created_at written?", "as 9999-99-99T99:99:99, without a zone"),
    ),
    _read(
        "appointment_pages",
        2,
        f"asks for {_ASKED_ROWS} appointments at once, plain and verbose",
        _page_sizes,
        Trial(
            "page_size",
            "How many appointments does a page have?",
            f"any number up to {_ASKED_ROWS}",
            f"{BY_ITSELF}; many small pages: ask DrChrono for more calls, then DRCHRONO_CALLS_PER_HOUR",
        ),
    ),
    _read(
        "appointment_window",
        1,
        "asks for appointments without any dates",
        _window,
        Trial(
            "window", "Is a list of appointments without dates refused?", "yes, with 400", "nothing: none is asked for"
        ),
    ),
    _read(
        "drchrono_refusals",
        2,
        "asks for a patient that nobody has, and with a token that is none",
        _refusals,
        Trial("gone", "How does a record that is not there answer?", "404 or 410, as JSON with `detail`"),
        Trial("refused_token", "How does a refused token answer?", "401, as JSON with `detail`"),
    ),
    _read(
        "drchrono_staff",
        2,
        "lists offices and doctors",
        _staff,
        Trial(
            "office_rooms",
            "What does an office say of its rooms and its zone?",
            "a list of rooms with `index`, and no zone",
            "OFFICE_TIME_ZONES, for an office in another zone than its doctor",
        ),
        Trial(
            "doctor_zones",
            "Which time zones do doctors have?",
            "names that the zone database knows",
            "correct the doctor's zone in DrChrono, or OFFICE_TIME_ZONES",
        ),
    ),
    _read(
        "appointments",
        1,
        "lists the appointments of three months, a page of them",
        _appointments,
        Trial("appointment_ids", "Of which type are appointments' ids?", "text", f"{BY_ITSELF}: numbers too"),
        Trial(
            "occurrences",
            "Which ids do untouched occurrences of a series have?",
            "9999-99-99_ and the series' id",
            "nothing: they are not asked for",
        ),
        Trial(
            "series_keys",
            "Do appointments of a series have recurrence_instance_key?",
            "yes, each",
            "ask DrChrono for consistent_recurrence_id; without, an occurrence that gets a new id is another one",
        ),
        Trial("breaks", "What marks a break?", "no patient, and room 0"),
    ),
    _read(
        "bulk_lists",
        1 + _BULK_LOOKS,
        "asks for a bulk list of one patient",
        _bulk,
        Trial(
            "bulk",
            "May this application use the bulk lists?",
            f"yes, and a page is made within {sum(BULK_WAITS_S[:_BULK_LOOKS]):.0f} s",
            f"{BY_ITSELF}: without them the plain lists, which take more calls: DRCHRONO_CALLS_PER_HOUR",
        ),
    ),
    _read(
        "drchrono_deliveries",
        0,
        "looks through the deliveries that the service has kept, without their bodies",
        _deliveries,
        Trial("delivery_ids", "Has each delivery an id, and of which form?", "yes, of any form", BY_ITSELF),
        Trial("events", "Which events come?", f"of what is synced: {', '.join(wire.EVENT_KINDS)}"),
    ),
    _read(
        "drchrono_headers",
        2,
        "looks through the names of all headers that came",
        _leftovers,
        Trial("limit_headers", "Do answers say how many calls are left?", "none"),
        Trial(
            "moved", "Which calls have moved elsewhere?", "any: one that has is followed at the same host", BY_ITSELF
        ),
    ),
)
