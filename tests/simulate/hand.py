"""The random hand: everything that may happen in a history, one small function each, and how often it does.

An action gives False where it is impossible just now. A new sort of event is one function here and a weight in `Mix`;
weight 0 is off.
"""

from dataclasses import dataclass, field, fields, replace

from app.operations.failures import Group, dismiss, restore
from app.ports import By
from app.store.tables import failures
from app.store.work_queue import waiting
from tests.simulate import documents, odd, scanner
from tests.simulate.fields import VISIT
from tests.simulate.ledger import HUMAN
from tests.simulate.vendors import DRCHRONO, SALESFORCE

# A process that is stopped and goes on is told so by its own clock, which moves with the machine's and not with ours.
# What it does next from these places asks the database whether its lease still holds.
_HARMLESS = ("before a commit", "before GET drchrono", "after GET drchrono")
_SURELY_LEASED_MS = 6_000
# few values, so that equal edits, conflicts and ways back happen; blanks and other spellings among them
POOL = {
    "first_name": ("Ada", "Bea", "Cleo"),
    "last_name": ("Test", "Fixture", "Sample"),
    "date_of_birth": ("1987-04-09", "1990-12-31"),
    "gender": ("Female", "Male", "Other"),
    "email": ("", "ada@example.com", "ADA@example.com", "bea@example.com"),
    "cell_phone": ("", "(555) 010-0142", "555-010-0142", "+1 555 010 0143"),
    "home_phone": ("", "(555) 010-0199", "5550100199 x7"),
    "address": ("", "1 First St", "2 Second St"),
    "city": ("", "Testville", "Newtown"),
    "state": ("", "NY", "CA"),
    "zip_code": ("", "12345", "54321"),
    "chart_id": ("TEFI000001", "TEFI000002"),
    "patient_status": ("A", "I"),
}
VISITS = {
    "exam_room": (1, 2), "scheduled_time": ("10:30:00", "14:00:00"), "duration": (15, 30),
    "status": ("", "Confirmed", "Rescheduled"), "reason": ("", "Check-up", "Flu"), "notes": ("", "Late", "Alone"),
}  # fmt: skip
_DAYS = 20
HAND = By("operator", "somebody")
NAMES = {
    "first_name": "FirstName", "last_name": "LastName", "date_of_birth": "Birthdate", "gender": "DrChrono_Gender__c",
    "email": "Email", "cell_phone": "MobilePhone", "home_phone": "HomePhone", "address": "MailingStreet",
    "city": "MailingCity", "state": "MailingState", "zip_code": "MailingPostalCode",
    "chart_id": "DrChrono_Chart_Id__c", "patient_status": "DrChrono_Status__c",
}  # fmt: skip


def _of_documents():
    return field(default=0.0, repr=False, metadata={"has": "documents"})


@dataclass(frozen=True, slots=True)
class Mix:
    """How often each action is drawn, beside the others; and how rough the world is.

    mail, calls      the share of letters, and of calls, that something happens to
    pages, odd_rows  the share of calls that a gateway answers, and of lists that hold a row nobody can read
    unkind           how likely each thing is that both vendors do otherwise from begin to end (`odd.py`)
    document_pages   as pages, where there are documents
    document_deletes  how likely ON_DRCHRONO_DELETE=delete is

    What only rough histories have, and those with documents, comes last, and is off: so it changes no history that has
    none of it.
    """

    steps: int = 60
    people: int = 2
    mail: float = 0.2
    calls: float = 0.1
    chart_created: float = 0.4
    chart_edited: float = 4.0
    contact_edited: float = 4.0
    contact_entered: float = 0.3
    contact_named: float = 0.3
    contact_deleted: float = 0.2
    contact_undeleted: float = 0.4
    contacts_merged: float = 0.1
    contact_merged_away: float = 0.1
    chart_vanished: float = 0.1
    contact_ticked: float = 0.3
    visit_booked: float = 0.4
    visit_edited: float = 1.0
    booked_edited: float = 1.0
    visit_deleted: float = 0.1
    booked_deleted: float = 0.1
    letter_arrives: float = 8.0
    worker_starts: float = 8.0
    worker_goes_on: float = 10.0
    worker_dies: float = 0.7
    time_passes: float = 3.0
    tokens_expire: float = 0.1
    pages: float = field(default=0.0, repr=False)
    odd_rows: float = field(default=0.0, repr=False)
    chart_turns_odd: float = field(default=0.0, repr=False)
    visit_turns_odd: float = field(default=0.0, repr=False)
    odd_letter: float = field(default=0.0, repr=False)
    chart_hidden: float = field(default=0.0, repr=False)
    chart_shown: float = field(default=0.0, repr=False)
    org_closes: float = field(default=0.0, repr=False)
    org_opens: float = field(default=0.0, repr=False)
    job_cancelled: float = field(default=0.0, repr=False)
    sides_compared: float = field(default=0.0, repr=False)
    unkind: float = field(default=0.0, repr=False)
    record_locked: float = field(default=0.0, repr=False)
    owner_leaves: float = field(default=0.0, repr=False)
    record_freed: float = field(default=0.0, repr=False)
    workflow_touches: float = field(default=0.0, repr=False)
    failure_dismissed: float = field(default=0.0, repr=False)
    dismissal_undone: float = field(default=0.0, repr=False)
    document_filed: float = _of_documents()
    document_edited: float = _of_documents()
    document_archived: float = _of_documents()
    document_restored: float = _of_documents()
    document_refiled: float = _of_documents()
    document_vanished: float = _of_documents()
    file_uploaded: float = _of_documents()
    file_versioned: float = _of_documents()
    file_ticked: float = _of_documents()
    file_edited: float = _of_documents()
    file_taken_off: float = _of_documents()
    file_put_on: float = _of_documents()
    file_deleted: float = _of_documents()
    file_undeleted: float = _of_documents()
    files_refused: float = _of_documents()
    files_taken: float = _of_documents()
    documents_compared: float = _of_documents()
    documents_polled: float = _of_documents()
    hour_spent: float = _of_documents()
    document_pages: float = _of_documents()
    document_deletes: float = _of_documents()
    document_replaced: float = _of_documents()
    scanner_fails: float = _of_documents()
    scanner_recovers: float = _of_documents()

    @property
    def is_rough(self):
        return any(getattr(self, one.name) for one in fields(self) if not one.repr and not one.metadata)

    @property
    def has_documents(self):
        return any(getattr(self, one.name) for one in fields(self) if one.metadata)


DOCUMENTED = Mix(
    steps=80, chart_edited=1.0, contact_edited=1.0, contact_named=0.05, chart_vanished=0.02, visit_booked=0.0,
    document_filed=2.0, document_edited=1.0, document_archived=0.2, document_restored=0.1,
    document_refiled=0.2, document_vanished=0.05, file_uploaded=2.0, file_versioned=0.7, file_ticked=0.4,
    file_edited=1.0, file_taken_off=0.2, file_put_on=0.3, file_deleted=0.1, file_undeleted=0.1, files_refused=0.1,
    files_taken=0.5, documents_compared=2.0, documents_polled=1.0, hour_spent=0.15, document_pages=0.03,
    document_deletes=0.25, document_replaced=0.3, scanner_fails=0.3, scanner_recovers=0.7,
)  # fmt: skip
KEPT_DOCUMENTED = replace(
    DOCUMENTED, document_replaced=0.0, scanner_fails=0.0, scanner_recovers=0.0
)  # what seeds that failed before were told with
KINDER_DOCUMENTED = replace(KEPT_DOCUMENTED, hour_spent=0.0, document_pages=0.0, document_deletes=0.0)


async def chart_created(world, mix):
    given = {name: world.rng.choice(POOL[name]) for name in ("first_name", "last_name", "date_of_birth", "email")}
    phone = world.rng.choice(POOL["cell_phone"])
    return world.person(DRCHRONO, "POST", "patients?silent=false", **given, cell_phone=phone) is not None


async def chart_edited(world, mix):
    chart = _any(world, world.charts)
    return (
        chart
        and world.person(DRCHRONO, "PATCH", f"patients/{chart}", **_edit(world.rng, world.hot, DRCHRONO)) is not None
    )


async def contact_edited(world, mix):
    contact = _any(world, world.contacts)
    edit = _edit(world.rng, world.hot, SALESFORCE)
    return contact and world.person(SALESFORCE, "PATCH", f"records/Contact/{contact}", **edit) is not None


async def contact_entered(world, mix):
    """Somebody who is nobody's patient."""
    return world.person(SALESFORCE, "POST", "records/Contact", LastName="Stranger", Email="s@example.com") is not None


async def contact_named(world, mix):
    """Somebody enters a Contact and says whose chart it is; Salesforce refuses where another one says so."""
    chart = _any(world, world.charts)
    given = {"LastName": world.rng.choice(POOL["last_name"]), "DrChrono_Patient_Id__c": str(chart)}
    made = chart and world.person(SALESFORCE, "POST", "records/Contact", **given)
    if made:
        world.named.add(made["Id"])
    return bool(made)


async def contact_deleted(world, mix):
    contact = _any(world, world.contacts)
    return contact and world.person(SALESFORCE, "DELETE", f"records/Contact/{contact}") is not None


async def contact_undeleted(world, mix):
    contact = _any(world, [row["Id"] for row in world.gone if not row["MasterRecordId"]])
    return contact and world.person(SALESFORCE, "POST", f"records/Contact/{contact}/undelete") is not None


async def contacts_merged(world, mix):
    """Two that are both somebody's chart, or a stranger into one."""
    return _merged(world, lambda row: row["DrChrono_Patient_Id__c"])


async def contact_merged_away(world, mix):
    """Somebody's chart into a stranger."""
    return _merged(world, lambda row: not row["DrChrono_Patient_Id__c"])


def _merged(world, may_win):
    winner = _any(world, [id_ for id_, row in world.contacts.items() if may_win(row)])
    loser = _any(world, [id_ for id_ in world.contacts if id_ != winner])
    given = {"winner": winner, "loser": loser}
    if not (winner and loser) or world.person(SALESFORCE, "POST", "records/Contact/merge", **given) is None:
        return False
    if world.partner(SALESFORCE, winner) is not None:  # its visits are another chart's now, by a person's word
        for booked in [id_ for id_, row in world.booked.items() if row["Patient__c"] == winner]:
            world.ledger.sees(world.steps, SALESFORCE, booked, world.booked[booked], HUMAN)
    return True


async def chart_vanished(world, mix):
    chart = _any(world, world.charts)
    if not chart:
        return False
    world.vanished.add(chart)
    return world.person(DRCHRONO, "DELETE", f"patients/{chart}") is not None


async def contact_ticked(world, mix):
    """Somebody enters a person and asks for a chart."""
    names = ("first_name", "last_name", "date_of_birth", "gender")
    given = {NAMES[name]: world.rng.choice(POOL[name]) for name in names}
    return world.person(SALESFORCE, "POST", "records/Contact", **given, Sync_To_DrChrono__c=True) is not None


async def visit_booked(world, mix):
    """Everybody has days of their own, so that no two visits are in one room at one time."""
    chart = _any(world, world.charts)
    given = {"patient": chart, "scheduled_time": f"2026-02-{len(world.days) + 1:02}T10:30:00", "exam_room": 1}
    if not chart or len(world.days) == _DAYS:
        return False
    made = world.person(DRCHRONO, "POST", "appointments", **given)
    if made:
        world.days[made["id"]] = given["scheduled_time"][:10]
    return bool(made)


async def visit_edited(world, mix):
    visit = _any(world, world.visits)
    edit = visit and _visit_edit(world, visit, ("exam_room", "scheduled_time", "duration", "status", "reason", "notes"))
    return bool(visit) and world.person(DRCHRONO, "PATCH", f"appointments/{visit}", **edit) is not None


async def booked_edited(world, mix):
    booked = _any(world, world.booked)
    visit = booked and world.booked[booked]["DrChrono_Id__c"]
    if visit not in world.days:
        return False
    edit = {VISIT[name].salesforce: value for name, value in _visit_edit(world, visit, sorted(VISITS)).items()}
    if "Start__c" in edit:
        edit["Start__c"] = edit["Start__c"] + "-05:00"
    return world.person(SALESFORCE, "PATCH", f"records/DrChrono_Appointment__c/{booked}", **edit) is not None


async def visit_deleted(world, mix):
    visit = _any(world, world.visits)
    return bool(visit) and world.person(DRCHRONO, "DELETE", f"appointments/{visit}") is not None


async def booked_deleted(world, mix):
    booked = _any(world, world.booked)
    return bool(booked) and world.person(SALESFORCE, "DELETE", f"records/DrChrono_Appointment__c/{booked}") is not None


def _visit_edit(world, visit, names):
    name = world.rng.choice(names)
    value = world.rng.choice(VISITS[name])
    return {name: f"{world.days[visit]}T{value}" if name == "scheduled_time" else value}


async def failure_dismissed(world, mix):
    """Somebody dismisses a record that waits for a person."""
    link = _any(world, sorted(row.link_id for row in await world.rows(failures) if row.dismissed_at is None))
    return bool(link) and await dismiss(
        world.web.app.state.runtime, Group(ids=frozenset([link])), None, HAND, "so be it"
    )


async def dismissal_undone(world, mix):
    link = _any(world, sorted(row.link_id for row in await world.rows(failures) if row.dismissed_at is not None))
    return bool(link) and await restore(world.web.app.state.runtime, Group(ids=frozenset([link])), HAND)


async def letter_arrives(world, mix):
    if not world.post.bag:
        return False
    letter, is_lost = world.post.draws(mix.mail)
    world.tells(f"{'lost' if is_lost else 'arrives'}: {letter.about}")
    if not is_lost:
        assert await world.delivers(letter) == 200, letter
    return True


async def worker_starts(world, mix):
    idle = [worker for worker in world.workers if not worker.is_busy]
    if not idle:
        return False
    worker = world.rng.choice(idle)
    kinds = {kind for kind, _lane in await waiting(worker.database)}
    if not kinds:
        return False
    worker.starts(world.rng.choice(sorted(kinds)))
    await world.turns.stand_still()
    world.tells(f"{worker.name} starts")
    return True


async def worker_goes_on(world, mix):
    """One of those who wait goes on, or one of them for several turns, as when the other one sleeps."""
    if not world.turns.waiting:
        return False
    turn = world.rng.choice(world.turns.waiting)
    for _ in range(world.rng.choice((1, 2, 4, 40, 40))):
        world.tells(f"{turn.worker.name} goes on, {turn.where}")
        await world.turns.lets(turn)
        of_it = [other for other in world.turns.waiting if other.worker is turn.worker]
        if not of_it:
            break
        turn = of_it[0]
    return True


async def worker_dies(world, mix):
    busy = [worker for worker in world.workers if worker.is_busy]
    if not busy:
        return False
    worker = world.rng.choice(busy)
    where = [turn.where for turn in world.turns.waiting if turn.worker is worker]
    world.tells(f"{worker.name} dies, {where}")
    world.kills(worker)
    world.hires()
    return True


async def time_passes(world, mix):
    """Seconds, or minutes where no worker is about to write: one that stands still would not know how long it did."""
    ms = world.rng.choice((200, 1_000, 6_000, 25_000, 70_000, 700_000))
    since = min((one.since for one in world.workers if one.is_busy), default=world.clock.ms)
    may_stand = all(turn.where in _HARMLESS for turn in world.turns.waiting)
    if not may_stand and world.clock.ms + ms - since > _SURELY_LEASED_MS:
        return False
    world.passes(ms)
    world.tells(f"{ms / 1000} s pass")
    return True


async def tokens_expire(world, mix):
    side, path = world.rng.choice(((DRCHRONO, "tokens/expire"), (SALESFORCE, "sessions/expire")))
    world.tells(f"tokens of {side} expire")
    return world.person(side, "POST", path) is not None


def _any(world, ids):
    known = list(ids)
    return world.rng.choice(known) if known else None


def _edit(rng, hot, side):
    """Some fields, mostly one, take other values."""
    names = rng.sample(hot, min(len(hot), rng.choice((1, 1, 1, 2, 3))))
    values = {name: rng.choice(POOL[name]) for name in names}
    if side == DRCHRONO:
        return values
    return {NAMES[name]: value or None for name, value in values.items()}


_SHAPE = ("steps", "people", "mail", "calls", "pages", "odd_rows", "unkind", "document_pages", "document_deletes")
_FUNCTIONS = {**vars(documents), **vars(odd), **vars(scanner), **globals()}
ACTIONS = {one.name: _FUNCTIONS[one.name] for one in fields(Mix) if one.name not in _SHAPE}


def drawn(rng, mix):
    """Give how rough this history is: some are calm, so that strictness has something to hold on to."""
    calls = rng.choice((0.0, mix.calls / 2, mix.calls, mix.calls * 3))
    dies = mix.worker_dies * rng.choice((0, 1, 2))
    return replace(mix, calls=calls, mail=mix.mail * rng.choice((0, 1, 2)), worker_dies=dies)


def weights(mix):
    return [getattr(mix, name) for name in ACTIONS]
