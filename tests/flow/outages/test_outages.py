"""While the door was closed both sides were edited; when it is open again both are equal, for few calls, at once."""

import math
from datetime import timedelta

import pytest

from app.store.tables import darkness
from app.sync.model import Kind
from tests.flow.calendar import (
    VISITS,
    a_second_passes,
    books,
    compares,
    deletes,
    deletes_in_salesforce,
    forgets,
    moves,
    records,
    visit_of,
)
from tests.flow.clinic import CONFIRM_AFTER, SEARCH_GAP, opened, settings_of
from tests.flow.patience import (
    EVENTS,
    HOUR,
    Mail,
    ages,
    compares_when_due,
    drchrono_tries,
    event,
    event_tries,
    salesforce_tries,
)

DAY = 24 * HOUR
PATIENCE, TOLD_OF = 7 * HOUR, 14 * DAY
NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn")
# how long it was dark -> how many of the seven letters each vendor sends about it never arrive
SPANS = {
    timedelta(minutes=5): 0,
    6 * HOUR: 0,
    8 * HOUR: 2,
    30 * HOUR: 5,
    4 * DAY: 8,
}


@pytest.fixture
def known(database, empty_vendors):
    """The settings of a clinic that compares once a day: what is found in between, a darkness has found."""
    it = empty_vendors
    urls = str(it.drchrono.base_url).rstrip("/"), str(it.salesforce.base_url).rstrip("/")
    return settings_of(database, *urls, it.ca_file, reconcile_every="P1D", salesforce_event_tokens=EVENTS)


class Life:
    """Six patients, three with a visit, known to both sides; what people do to them, and what the vendors send."""

    def __init__(self, clinic, span):
        self.clinic, self.span, self.mail = clinic, span, Mail(span)
        self.patients, self.visits = {}, {}

    async def begins(self):
        for name in NAMES:
            self.patients[name] = await self.clinic.registers(
                first_name=name, last_name="Fixture", email=f"{name}@example.com", cell_phone="(555) 010-0142"
            )
        for number, name in enumerate(("Ada", "Ben", "Cleo")):
            at = f"2030-12-0{2 + number}T10:30:00"
            self.visits[name] = await books(self.clinic, self.patients[name], scheduled_time=at)
        await compares_when_due(self.clinic)
        await self.clinic.settles()
        await self.clinic.app.state.health.look()
        a_second_passes(self.clinic)
        forgets(self.clinic)

    def contact(self, name):
        key = str(self.patients[name]["id"])
        return next(one for one in self.clinic.contacts() if one["DrChrono_Patient_Id__c"] == key)

    def booked(self, name):
        key = self.visits[name]["id"]
        found = [one for one in records(self.clinic, VISITS) if one["DrChrono_Id__c"] == key]
        return found[0] if found else None

    def drchrono_sends(self, part, record, kind):
        self.mail.sends(drchrono_tries(self.span * part), lambda: self.clinic.delivers(record, event=kind))

    def salesforce_sends(self, part, contact_id):
        self.mail.sends(salesforce_tries(self.span * part), lambda: self.clinic.hears_of(contact_id))

    async def goes_on_in_the_dark(self):
        """People edit, book, delete and register on both sides; `part`: how much of the darkness has passed."""
        at, ours = self.patients, self.clinic
        self.drchrono_sends(0.01, await ours.edits(at["Ada"], city="Springfield"), "PATIENT_MODIFY")
        self.drchrono_sends(0.02, await moves(ours, self.visits["Ada"], duration=45), "APPOINTMENT_MODIFY")
        deletes(ours, self.visits["Ben"])
        self.drchrono_sends(0.3, visit_of(ours, self.visits["Ben"]), "APPOINTMENT_DELETE")
        ours.human_edits_contact(self.contact("Ben")["Id"], Email="moved@example.com")
        self.salesforce_sends(0.01, self.contact("Ben")["Id"])
        gone = self.booked("Cleo")
        deletes_in_salesforce(ours, gone)
        self.mail.sends(event_tries(self.span * 0.02), lambda: event(ours, gone, "DELETE"))
        self.drchrono_sends(0.6, await ours.edits(at["Cleo"], city="Shelbyville"), "PATIENT_MODIFY")
        ours.human_edits_contact(self.contact("Cleo")["Id"], MobilePhone="(555) 010-0177")
        self.salesforce_sends(0.6, self.contact("Cleo")["Id"])
        new = await ours.registers(first_name="Gwen", last_name="Fixture", date_of_birth="1991-05-06")
        self.patients["Gwen"] = new
        self.drchrono_sends(0.9, new, "PATIENT_CREATE")
        ticked = ours.human_ticks_contact()
        self.salesforce_sends(0.95, ticked)

    async def vanishes(self):
        """A chart goes, of which DrChrono tells nobody, and a Contact."""
        self.clinic.drchrono.delete(f"/_control/patients/{self.patients['Dan']['id']}?silent=true").raise_for_status()
        self.clinic.salesforce.delete(f"/_control/records/Contact/{self.contact('Eva')['Id']}").raise_for_status()

    async def rests(self):
        for span in (CONFIRM_AFTER, SEARCH_GAP, CONFIRM_AFTER):
            await self.clinic.settles()
            await self.clinic.time_passes(span + timedelta(seconds=1))
        await self.clinic.settles()


@pytest.fixture
async def lived(request, known, empty_vendors):
    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce, from_memory=True) as clinic:
        life = Life(clinic, request.param)
        await life.begins()
        yield life


def most_calls(life, span):
    """What `workers/compare/outages.py` says a compare after a darkness costs at most: (of DrChrono, of Salesforce)."""
    pages = math.ceil(len(life.patients) / 250)
    drchrono = 3 + 5 * math.ceil(len(life.patients) / 1000) if span > PATIENCE else 3 + pages
    return drchrono, (4 if span > TOLD_OF else 3) * len(Kind)


def compared(clinic):
    """How many calls were made by now: (of DrChrono, of Salesforce)."""
    return clinic.calls("drchrono", ""), clinic.calls("salesforce", "GET")


@pytest.mark.parametrize("lived", SPANS, indirect=True, ids=str)
async def test_after_a_darkness_both_sides_are_equal_and_nothing_is_lost_or_doubled(lived):
    clinic, span = lived.clinic, lived.span
    await lived.goes_on_in_the_dark()
    assert lived.mail.lost == SPANS[span]
    await ages(clinic, span)
    clinic.salesforce.delete("/_control/calls")

    await clinic.app.state.health.look()
    await compares_when_due(clinic)
    spent = compared(clinic)
    await lived.rests()
    found = {name: lived.contact(name) for name in ("Ada", "Ben", "Cleo", "Gwen")}
    written = len(await clinic.journal("drchrono")), len(await clinic.journal("salesforce"))
    await lived.mail.arrives()
    await lived.rests()

    assert all(made <= most for made, most in zip(spent, most_calls(lived, span), strict=True)), spent
    assert found["Ada"]["MailingCity"] == "Springfield"
    assert lived.booked("Ada")["Duration_Minutes__c"] == 45
    assert lived.booked("Ben")["Deleted__c"] is True
    assert clinic.chart(lived.patients["Ben"])["email"] == "moved@example.com"
    assert visit_of(clinic, lived.visits["Cleo"])["status"] == "Cancelled"
    assert found["Cleo"]["MailingCity"] == "Shelbyville"
    assert clinic.chart(lived.patients["Cleo"])["cell_phone"] == "(555) 010-0177"
    assert len(clinic.charts()) == len(clinic.contacts()) == len(NAMES) + 2
    assert (len(await clinic.journal("drchrono")), len(await clinic.journal("salesforce"))) == written
    assert await clinic.failures() == []
    assert await clinic.unfinished() == []
    assert await clinic.rows(darkness) == []
    forgets(clinic)
    await compares(clinic, *clinic.runtime.mappings)
    assert clinic.writes() == []
    assert clinic.calls("drchrono", "PATCH") == 0


@pytest.mark.parametrize("lived", [8 * HOUR, 4 * DAY], indirect=True, ids=str)
async def test_who_vanished_in_a_long_darkness_is_held_for_a_person_whichever_side_it_was(lived):
    await lived.vanishes()
    await ages(lived.clinic, lived.span)

    await lived.clinic.app.state.health.look()
    await compares_when_due(lived.clinic)
    await lived.rests()

    causes = sorted(cause for _side, cause, _fields in await lived.clinic.failures())
    assert causes == ["gone_in_drchrono", "gone_in_salesforce"]


@pytest.mark.parametrize("lived", [20 * DAY], indirect=True, ids=str)
async def test_deletions_are_found_that_salesforce_has_forgotten(lived):
    clinic = lived.clinic
    for name in ("Eva", "Finn"):
        clinic.salesforce.delete(f"/_control/records/Contact/{lived.contact(name)['Id']}").raise_for_status()
    clinic.salesforce.post("/_control/purge").raise_for_status()
    await ages(clinic, lived.span)
    clinic.salesforce.delete("/_control/calls")

    await clinic.app.state.health.look()
    await compares_when_due(clinic)
    spent = compared(clinic)
    await lived.rests()

    assert all(made <= most for made, most in zip(spent, most_calls(lived, lived.span), strict=True)), spent
    assert clinic.calls("salesforce", "GET /services/data/v67.0/sobjects/Contact/deleted") == 0
    assert [cause for _side, cause, _fields in await clinic.failures()] == ["gone_in_salesforce"] * 2
