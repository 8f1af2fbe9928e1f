"""What is odd about a rough world: records that no clinic means, beside healthy ones; charts that hide; an org that
takes no writes, or few at once, or none of some records; jobs cut off. And what both vendors do otherwise from begin to
end: their clocks are off, calls have moved, the org's own code rewrites what is written.

`world.odd` names the charts and visits it happened to; `rough.py` says what is promised of them and of the others.
"""

import json
import random
from datetime import timedelta

_DRCHRONO, _SALESFORCE = "drchrono", "salesforce"
_TEXTS = ("Ada\x00Test", "x" * 5_000, "\x0b\x1f", "\u202e\ufeff")
_PATIENT = {
    "first_name": _TEXTS, "last_name": _TEXTS, "date_of_birth": ("0202-12-01", "9999-12-31"), "gender": _TEXTS,
    "email": ("nobody", *_TEXTS), "cell_phone": ("5" * 500, "\x00"), "zip_code": _TEXTS, "doctor": (10**70,),
    "chart_id": _TEXTS, "patient_status": _TEXTS,
}  # fmt: skip
_VISIT = {
    "scheduled_time": ("0202-12-01T10:30:00", "9999-12-31T12:00:00"), "reason": ("x" * 40_000, *_TEXTS),
    "notes": ("x" * 40_000, *_TEXTS), "status": _TEXTS, "patient": (10**70,), "doctor": (10**70,),
    "office": (10**70,), "duration": (10**12, -5), "exam_room": (10**12,),
}  # fmt: skip
_MOVED = (
    ("GET /api/patients",), ("GET /api/appointments",), ("GET /api/doctors", "GET /api/offices"),
    ("PATCH /api/patients", "PATCH /api/appointments"), ("GET /api", "PATCH /api"),
)  # fmt: skip
_LINKS = ("own", "http", "inner")
_REWRITES = (
    {"Contact.LastName": "upper"}, {"Contact.FirstName": "upper", "Contact.MobilePhone": "digits"},
    {"Contact.MailingCity": "upper"}, {"Contact.HomePhone": "digits"}, {"DrChrono_Appointment__c.Reason__c": "upper"},
)  # fmt: skip
# ids that no vendor gives; some are numbers, and name nothing
IDS = ("9" * 100, 10**70, "12\x00", "\ud800", "", None, -1, True, [], {"id": 1})


def _any(world, known):
    known = list(known)
    return world.rng.choice(known) if known else None


def _drawn(rng, values):
    name = rng.choice(sorted(values))
    return {name: rng.choice(values[name])}


async def chart_turns_odd(world, mix):
    """Somebody enters into a chart what no form of DrChrono's should have let through."""
    chart = _any(world, world.charts)
    if not chart:
        return False
    world.odd.add(chart)
    path = f"patients/{chart}?unchecked=true"
    return world.person(_DRCHRONO, "PATCH", path, **_drawn(world.rng, _PATIENT)) is not None


async def visit_turns_odd(world, mix):
    visit = _any(world, world.visits)
    if not visit:
        return False
    world.odd.add(visit)
    path = f"appointments/{visit}?unchecked=true"
    return world.person(_DRCHRONO, "PATCH", path, **_drawn(world.rng, _VISIT)) is not None


async def odd_letter(world, mix):
    """A webhook whose record has an id that names nothing, or that says of a chart what cannot be written."""
    chart = _any(world, world.charts)
    if chart and world.rng.random() < 0.5:
        world.odd.add(chart)
        record = {**world.charts[chart], world.rng.choice(("first_name", "email", "id")): "\ud800"}
    else:
        record = {"id": world.rng.choice(IDS), "updated_at": "2026-01-12T12:00:00"}
    world.post.drchrono(world.rng.choice(("PATIENT_MODIFY", "APPOINTMENT_MODIFY")), record)
    return True


async def chart_hidden(world, mix):
    """The practice takes a permission away, so that DrChrono shows a chart no more."""
    chart = _any(world, world.charts)
    if not chart:
        return False
    world.odd.add(chart)
    world.hidden[chart] = world.charts.pop(chart)
    world.ledger.hides(world.steps, chart)
    return True


async def chart_shown(world, mix):
    """The permission is back; now and then somebody edits the chart then."""
    chart = _any(world, world.hidden)
    return bool(chart) and show(world, chart)


def show(world, chart):
    record = world.charts[chart] = world.hidden.pop(chart)
    world.ledger.shows(world.steps, chart)
    if world.rng.random() < 0.5:
        world.vendors.practice.dispatcher.raise_event("PATIENT_MODIFY", record)
    return True


async def org_closes(world, mix):
    """Salesforce takes no writes for a while: a maintenance, or its storage is full; people at the screen go on."""
    known = world.vendors.org.settings
    known.read_only = world.rng.random() < 0.5
    known.storage_full = not known.read_only
    return True


async def org_opens(world, mix):
    """It takes them again; now and then its own code copes with few records at once only from now on."""
    opens(world)
    world.vendors.org.settings.most_in_transaction = world.rng.choice((0, 0, 1, 2))
    return True


def opens(world):
    world.vendors.org.settings.read_only = world.vendors.org.settings.storage_full = False


def frees(world):
    """Approvals are over, and an admin has given an active owner to every record."""
    world.vendors.org.settings.under_approval.clear()
    world.vendors.org.settings.owner_left.clear()


async def record_locked(world, mix):
    """Somebody submits a record of Salesforce's for approval: nobody writes to it by API until that is over."""
    return _kept_from(world, world.vendors.org.settings.under_approval)


async def owner_leaves(world, mix):
    """The owner of a record is made inactive: nobody writes to it by API until an admin gives it another one."""
    return _kept_from(world, world.vendors.org.settings.owner_left)


def _kept_from(world, kept):
    record = _any(world, [*world.contacts, *world.booked])
    if not record:
        return False
    kept.append(record)
    world.tells(f"nobody may write to {record[9:15]}")
    return True


async def record_freed(world, mix):
    known = world.vendors.org.settings
    kept = known.under_approval or known.owner_left
    return bool(kept) and bool(kept.pop(0))


async def workflow_touches(world, mix):
    """An automation saves a record and changes nothing that we know of: its stamps move, and Salesforce tells of it."""
    contact = _any(world, world.contacts)
    return bool(contact) and world.person(_SALESFORCE, "PATCH", f"records/Contact/{contact}") is not None


def makes_unkind(world, seed, share):
    """Have both vendors do things otherwise, from begin to end; each of them is as likely as that."""
    rng = random.Random(f"{seed} is unkind")
    for side in world.vendors.off:
        if rng.random() < share:
            world.vendors.off[side] = timedelta(seconds=rng.choice((-120, 120)))
    if rng.random() < share:
        world.vendors.practice.turn({"moved": rng.choice(_MOVED), "next_links": rng.choice(_LINKS)})
    if rng.random() < share:
        world.vendors.org.settings.rewrites = rng.choice(_REWRITES)


async def job_cancelled(world, mix):
    """A job is cut off in mid-flight, and its process lives on; a call in a thread goes on without it."""
    busy = [worker for worker in world.workers if worker.is_busy]
    if not busy:
        return False
    worker = world.rng.choice(busy)
    where = [turn.where for turn in world.turns.waiting if turn.worker is worker]
    world.tells(f"{worker.name} is cut off, {where}")
    worker.task.cancel()
    await world.turns.stand_still()
    return True


async def sides_compared(world, mix):
    """A worker goes through the lists of both sides, whatever they hold."""
    idle = [worker for worker in world.workers if not worker.is_busy]
    if not idle:
        return False
    worker = world.rng.choice(idle)
    worker.compares(world.web.app.state.inbox, world.rng.choice(world.kinds), world.clock.first)
    await world.turns.stand_still()
    world.tells(f"{worker.name} compares")
    return True


def spoiled(content, rng):
    """Give the answer of a list with a row more that has no usable id; None where it is no list's."""
    answer = json.loads(content)
    if not isinstance(answer, dict) or not isinstance(answer.get("results"), list):
        return None
    rows = answer["results"]
    like = {**rng.choice(rows)} if rows else {}
    id_ = rng.choice(IDS)
    nameless = {name: like[name] for name in like if name != "id"}
    row = rng.choice(({**like, "id": id_}, {**like, "id": id_}, nameless, None))
    rows.insert(rng.randint(0, len(rows)), row)
    return json.dumps(answer).encode()
