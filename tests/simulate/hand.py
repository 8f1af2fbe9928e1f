"""The random hand: everything that may happen in a history, one small function each, and how often it does.

An action gives False where it is impossible just now. A new sort of event is one function here and a weight in `Mix`;
weight 0 is off.
"""

from dataclasses import dataclass, fields, replace

from app.store.links import waiting_kinds
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
NAMES = {
    "first_name": "FirstName", "last_name": "LastName", "date_of_birth": "Birthdate", "gender": "DrChrono_Gender__c",
    "email": "Email", "cell_phone": "MobilePhone", "home_phone": "HomePhone", "address": "MailingStreet",
    "city": "MailingCity", "state": "MailingState", "zip_code": "MailingPostalCode",
    "chart_id": "DrChrono_Chart_Id__c", "patient_status": "DrChrono_Status__c",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mix:
    """How often each action is drawn, beside the others; and how rough the world is.

    mail, calls  the share of letters, and of calls, that something happens to
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
    chart_vanished: float = 0.1
    contact_ticked: float = 0.0
    appointment_booked: float = 0.0
    letter_arrives: float = 8.0
    worker_starts: float = 6.0
    worker_goes_on: float = 20.0
    worker_dies: float = 0.5
    time_passes: float = 3.0
    tokens_expire: float = 0.1


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
    if len(world.contacts) < 2:
        return False
    winner, loser = world.rng.sample(sorted(world.contacts), 2)
    return world.person(SALESFORCE, "POST", "records/Contact/merge", winner=winner, loser=loser) is not None


async def chart_vanished(world, mix):
    chart = _any(world, world.charts)
    if not chart:
        return False
    world.vanished.add(chart)
    return world.person(DRCHRONO, "DELETE", f"patients/{chart}") is not None


async def contact_ticked(world, mix):
    """Somebody enters a person and asks for a chart. TODO when ticked Contacts get one: a weight."""
    names = ("first_name", "last_name", "date_of_birth", "gender")
    given = {NAMES[name]: world.rng.choice(POOL[name]) for name in names}
    return world.person(SALESFORCE, "POST", "records/Contact", **given, Sync_To_DrChrono__c=True) is not None


async def appointment_booked(world, mix):
    """TODO when appointments are kept the same: book, move, cancel, each a function and a weight."""
    return False


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
    waiting = await waiting_kinds(worker.database)
    if not waiting:
        return False
    worker.starts(world.rng.choice(sorted(waiting)))
    await world.turns.stand_still()
    world.tells(f"{worker.name} starts")
    return True


async def worker_goes_on(world, mix):
    """One of those who wait goes on, or one of them for several turns, as when the other one sleeps."""
    if not world.turns.waiting:
        return False
    turn = world.rng.choice(world.turns.waiting)
    for _ in range(world.rng.choice((1, 1, 3, 20))):
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


_SHAPE = ("steps", "people", "mail", "calls")
ACTIONS = {one.name: globals()[one.name] for one in fields(Mix) if one.name not in _SHAPE}


def drawn(rng, mix):
    """Give how rough this history is: some are calm, so that strictness has something to hold on to."""
    calls = rng.choice((0.0, mix.calls / 2, mix.calls, mix.calls * 3))
    dies = mix.worker_dies * rng.choice((0, 1, 2))
    return replace(mix, calls=calls, mail=mix.mail * rng.choice((0, 1, 2)), worker_dies=dies)


def weights(mix):
    return [getattr(mix, name) for name in ACTIONS]
