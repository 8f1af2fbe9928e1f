"""A first contact run whole: both vendors as they are thought to be, and a person who does all that is asked for."""

from datetime import timedelta

import pytest

from app.main import create_app
from app.operations.first_contact.context import Waits
from app.operations.first_contact.model import Means
from app.operations.first_contact.run import STEPS, TRIALS, calls_of
from app.sync.model import Side
from tests.flow.calendar import DOCTOR, OFFICE, books
from tests.flow.clinic import OUTBOUND, SECRET
from tests.flow.first_contact.person import tried, verdicts
from tests.standins.serve import running

CANARY = {"last_name": "Canaryfixture", "email": "canary@example.com", "home_phone": "(555) 010-0199"}
PUT_BACK = 2 * 2 + 1 + 2  # of two fields, each looked at; a visit's; what connecting again takes
PATIENT = Waits(delivery_s=8.0, look_s=0.02, list_s=(0.0, 0.0, 0.3))


@pytest.fixture
async def told(clinic, known):
    """The clinic, and both vendors tell a service of it that listens."""
    with running(create_app(known)) as url:
        clinic.drchrono.post("/_control/webhook", json={"url": f"{url}/webhooks/drchrono", "secret": SECRET})
        messages = {"url": f"{url}/webhooks/salesforce/outbound/{OUTBOUND}", "objects": {"Contact": ["LastName"]}}
        messages["silence_integration_user"] = False
        clinic.salesforce.put("/_control/outbound", json=messages).raise_for_status()
        yield clinic
        clinic.salesforce.post("/_control/reset")
        clinic.drchrono.post("/_control/reset")


class FrontDesk:
    """Does what a first contact asks for, at the vendors' own doors."""

    def __init__(self, clinic, patient):
        self.clinic, self.patient, self.today = clinic, patient, clinic.runtime.now().date()

    def has_a_series(self):
        begins = self.today + timedelta(days=7)
        weekly = {
            "patient": self.patient["id"],
            "doctor": DOCTOR,
            "office": OFFICE,
            "exam_room": 1,
            "duration": 30,
            "scheduled_time": f"{begins}T09:00:00",
            "recurring_days": [f"{begins:%A}"],
            "recurs_every": 1,
            "recur_end_date": str(begins + timedelta(days=30)),
        }
        self.clinic.drchrono.post("/_control/appointments/series?silent=true", json=weekly).raise_for_status()

    async def __call__(self, what):
        clinic, counts = self.clinic, self.clinic.app.state.runtime.counts
        match what.split()[:2]:
            case ["Press", "Ping"]:
                await clinic.delivers({"id": None}, event="PING")
                await counts.save(clinic.runtime.database)
            case ["Press", "Redeliver"]:
                await clinic.delivers(self.patient, delivery="once")
                await counts.save(clinic.runtime.database)
            case ["Book", "a"]:
                day = self.today + timedelta(days=3)
                await books(clinic, self.patient, scheduled_time=f"{day}T10:30:00")
            case ["Move", "one"]:
                shown = clinic.drchrono.get("/_control/appointments").json()["appointments"]
                untouched = next(one for one in shown if "_" in one)
                moved = {"scheduled_time": f"{untouched[:10]}T14:00:00"}
                clinic.drchrono.patch(f"/_control/appointments/{untouched}", json=moved).raise_for_status()
            case ["Connect", "again"]:
                await clinic.connects()
            case ["Merge", "the"]:
                clinic.drchrono.delete(f"/_control/patients/{self.patient['id']}").raise_for_status()
            case ["Edit", "the"]:
                clinic.human_edits_contact(HomePhone="(555) 010-0123")
                clinic.human_edits_contact(HomePhone="(555) 010-0199")
            case _:
                raise AssertionError(what)


async def test_a_whole_first_contact_finds_the_vendors_as_assumed_and_the_patient_as_it_was(told, tmp_path, capsys):
    clinic, path = told, tmp_path / "first-contact.json"
    await clinic.registers()
    patient = await clinic.has_linked(**CANARY)
    for hour in range(21):  # more than a page
        await books(clinic, patient, scheduled_time=f"2020-01-06T{hour:02}:00:00")
    await clinic.delivers(patient, delivery="once")
    desk = FrontDesk(clinic, patient)
    desk.has_a_series()
    clinic.drchrono.post("/_control/breaks", json={"scheduled_time": f"{desk.today}T12:00:00"})
    before = clinic.chart(patient), clinic.contact()
    clinic.drchrono.delete("/_control/calls")

    steps = [step.id for step in STEPS if step.id != "merge"]
    report, person = await tried(clinic, path, *steps, patient=patient, deed=desk, word=True, waits=PATIENT)
    after = clinic.chart(patient), clinic.contact()
    made = api_calls(clinic)
    await tried(clinic, path, patient=patient)
    again_made = api_calls(clinic) - made
    report, _ = await tried(clinic, path, "merge", patient=patient, deed=desk)

    found = verdicts(report)
    unmapped = {step for step in STEPS if step.of is not None}
    never = {trial.id for step in STEPS if step.means is Means.NEVER or step in unmapped for trial in step.trials}
    assert {one: found[one] for one in found if found[one] != "as assumed"} == dict.fromkeys(never, "not tried")
    assert found.keys() == TRIALS.keys()
    assert report.altered == []
    assert _without_stamps(after) == _without_stamps(before)
    assert made <= calls_of(STEPS, Side.DRCHRONO) + PUT_BACK
    assert again_made == 0, "what is settled is not tried again"
    shown = report.write_for_people(STEPS, clinic.runtime).read_text() + path.read_text() + "\n".join(person.lines)
    told = {str(value) for record in before for value in record.values() if isinstance(value, str) and len(value) > 5}
    logged = capsys.readouterr().out
    assert [value for value in CANARY.values() if value in logged] == [], "nor in any log"
    assert [value for value in told | {str(patient["id"])} if value in shown] == []
    assert path.stat().st_mode & 0o077 == 0


class OddDesk(FrontDesk):
    """Does the same where vendors are otherwise: another id comes again, visits move, a merge does nothing."""

    async def __call__(self, what):
        match what.split()[:2]:
            case ["Press", "Redeliver"]:
                await self.clinic.delivers(self.patient, delivery="twice")
                await self.clinic.app.state.runtime.counts.save(self.clinic.runtime.database)
            case ["Book", "a"]:
                day = self.today + timedelta(days=3)
                await books(self.clinic, self.patient, scheduled_time=f"{day}T07:30:00")
            case ["Merge", "the"]:
                pass
            case _:
                await super().__call__(what)


async def test_what_people_bring_about_otherwise_is_told_apart(told, tmp_path):
    clinic, odd = told, {"delete_event": "APPOINTMENT_MODIFY", "reauthorize_revokes": False}
    clinic.drchrono.put("/_control/settings", json=odd).raise_for_status()
    patient = await clinic.has_linked(**CANARY)
    steps = ("visit", "ping", "redelivery", "visit_at", "consent_again", "merge")

    report, _ = await tried(
        clinic, tmp_path / "odd.json", *steps, patient=patient, deed=OddDesk(clinic, patient), word=False, waits=PATIENT
    )

    found = {one for one, verdict in verdicts(report).items() if verdict == "differs"}
    assert found == {"deleted_event", "ping", "redelivery", "wall_clock", "consent_again", "merged"}


def api_calls(clinic):
    counts = clinic.drchrono.get("/_control/calls").json()["counts"]
    return sum(count for name, count in counts.items() if "/api/" in name or "/o/token" in name)


def _without_stamps(records):
    unlike = ("updated_at", "SystemModstamp", "LastModifiedDate", "LastModifiedById")
    return [{name: value for name, value in one.items() if name not in unlike} for one in records]
