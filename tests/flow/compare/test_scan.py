"""A scan of both sides may be cut off at any call and goes on where it stood; nothing is lost, nothing comes twice."""

import contextlib
from io import StringIO

import pytest
from rich.console import Console

from app.cli.backfill import print_summary
from app.errors import Unavailable
from app.store import scans
from app.store.tables import conflicts
from app.sync.model import Kind, Lane, Side
from tests.flow.calendar import booked, compares, deletes_in_salesforce, forgets, has_visit, points_out
from tests.flow.clinic import SEARCH_GAP
from workers.compare.checkpoint import Phase

PATIENTS, VISITS = Kind.PATIENT, Kind.APPOINTMENT
LIST = "POST /api/patients_list"
QUERY_ALL = "GET /services/data/v67.0/queryAll"
NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eva")


@pytest.fixture
async def many(clinic):
    """Five patients nobody has heard of, one of them inactive; DrChrono's lists have pages of two."""
    clinic.drchrono.put("/_control/settings", json={"bulk_page_size": 2, "page_size": 2}).raise_for_status()
    for name in NAMES:
        await clinic.registers(first_name=name, patient_status="I" if name == "Eva" else "A")
    forgets(clinic)
    return clinic


async def causes(clinic):
    return [cause for _side, cause, _fields in await clinic.failures()]


async def due(clinic):
    return [row for row in await clinic.links() if row.due_at is not None]


def plain(clinic):
    """How many pages of the plain list were asked for."""
    return clinic.calls("drchrono", "GET /api/patients") - clinic.calls("drchrono", "GET /api/patients_list")


async def test_a_first_load_takes_the_bulk_lists(many):
    await compares(many, PATIENTS)

    assert sorted(contact["FirstName"] for contact in many.contacts()) == sorted(NAMES)
    assert (many.calls("drchrono", LIST), plain(many)) == (3, 0)


async def test_a_bulk_list_that_hides_inactive_patients_is_followed_by_the_plain_one(many):
    many.drchrono.put("/_control/settings", json={"bulk_takes_show_inactive": False}).raise_for_status()

    await compares(many, PATIENTS)

    assert sorted(contact["FirstName"] for contact in many.contacts()) == sorted(NAMES)
    assert (many.calls("drchrono", LIST), plain(many)) == (2, 3)


@pytest.mark.parametrize("status", [403, 404])
async def test_where_there_are_no_bulk_lists_the_plain_ones_do(many, status):
    many.breaks("drchrono", LIST, "error", status=status, next=None)

    await compares(many, PATIENTS)

    assert len(many.contacts()) == len(NAMES)
    assert plain(many) == 3


async def test_one_that_was_cut_off_in_drchrono_goes_on_with_the_page_it_had_not_read(many):
    many.breaks("drchrono", LIST, "slow", delay_s=0)  # the first page passes
    many.breaks("drchrono", LIST, "error", status=500)
    with pytest.raises(Unavailable):
        await points_out(many, PATIENTS)
    forgets(many)

    await compares(many, PATIENTS)

    assert many.calls("drchrono", LIST) == 2
    assert sorted(contact["FirstName"] for contact in many.contacts()) == sorted(NAMES)


@pytest.mark.parametrize("is_cut_off", [False, True])
async def test_a_chart_that_slips_between_two_pages_as_an_earlier_one_goes_is_not_missed(many, is_cut_off):
    first = min(many.charts(), key=lambda chart: chart["id"])

    async def vanishes(_kind, checkpoint):
        if checkpoint.read == {"drchrono": 2}:
            many.drchrono.delete(f"/_control/patients/{first['id']}?silent=true")
            if is_cut_off:
                raise Unavailable("drchrono", "POST")

    with contextlib.suppress(Unavailable):
        await points_out(many, PATIENTS, tell=vanishes)
    if is_cut_off:
        await points_out(many, PATIENTS)
    await many.settles()

    assert {chart["first_name"] for chart in many.charts()} <= {one["FirstName"] for one in many.contacts()}


async def test_one_that_goes_on_tells_all_that_was_gone_through(many):
    many.breaks("drchrono", LIST, "slow", delay_s=0)  # the first page passes
    many.breaks("drchrono", LIST, "error", status=500)
    with pytest.raises(Unavailable):
        await points_out(many, PATIENTS)
    told = []

    async def tell(_kind, checkpoint):
        if checkpoint.phase is Phase.DRCHRONO:
            told.append(checkpoint.read[Side.DRCHRONO])

    await points_out(many, PATIENTS, tell=tell)

    assert told == [4, 5]


async def test_one_that_was_cut_off_in_salesforce_does_not_ask_drchrono_again(many):
    many.breaks("salesforce", QUERY_ALL, "error", status=500)
    with pytest.raises(Unavailable):
        await points_out(many, PATIENTS)
    forgets(many)

    await compares(many, PATIENTS)

    assert many.calls("drchrono", LIST) == 0
    assert len(many.contacts()) == len(NAMES)


async def test_what_is_linked_is_let_go_only_when_both_sides_were_gone_through(clinic):
    patient = await clinic.has_linked()
    await clinic.edits(patient, city="Springfield")
    clinic.breaks("salesforce", QUERY_ALL, "error", status=500)

    with pytest.raises(Unavailable):
        await points_out(clinic, PATIENTS, since=None)
    held, before = await clinic.unfinished(), await due(clinic)
    await compares(clinic, PATIENTS, since=None)

    assert (len(held), before) == (1, [])
    assert clinic.contact()["MailingCity"] == "Springfield"
    assert await clinic.unfinished() == []


async def test_a_page_that_is_read_twice_is_kept_once(many):
    await points_out(many, PATIENTS)
    kept = len(await many.unfinished())
    many.drchrono.put("/_control/settings", json={"bulk_fails": True}).raise_for_status()
    with pytest.raises(Unavailable):
        await points_out(many, PATIENTS)
    many.drchrono.put("/_control/settings", json={"bulk_fails": False}).raise_for_status()

    scan, goes_on = await scans.acquire(many.runtime.database, "compare_patient")

    assert (kept, goes_on, scan.at) == (len(NAMES), True, {})


async def test_a_bulk_page_that_was_not_made_is_asked_for_later(many):
    many.drchrono.put("/_control/settings", json={"bulk_polls": 50}).raise_for_status()

    with pytest.raises(Unavailable) as caught:
        await points_out(many, PATIENTS)

    assert caught.value.cause == "BULK_NOT_MADE"


async def test_a_chart_that_is_not_listed_any_more_is_asked_for_and_held(clinic):
    patient, other = await clinic.has_linked(), await clinic.registers(first_name="Other", last_name="Person")
    await clinic.arrives(other, event="PATIENT_CREATE")
    clinic.drchrono.delete(f"/_control/patients/{patient['id']}?silent=true").raise_for_status()

    await compares(clinic, PATIENTS)
    await clinic.time_passes(SEARCH_GAP)
    await clinic.settles()

    assert await causes(clinic) == ["gone_in_drchrono"]
    assert clinic.calls("drchrono", "GET /api/patients/") == 2, "only about the one that is missing, and twice"


async def test_a_contact_that_was_deleted_for_good_long_ago_is_missed(clinic):
    await clinic.has_linked()
    clinic.salesforce.delete(f"/_control/records/Contact/{clinic.contact()['Id']}").raise_for_status()
    clinic.salesforce.post("/_control/purge").raise_for_status()

    await compares(clinic, PATIENTS)

    assert await causes(clinic) == ["gone_in_salesforce"]


async def test_a_visit_that_was_purged_since_the_last_compare_is_told_by_the_list_of_the_deleted(clinic):
    await has_visit(clinic)
    await compares(clinic, VISITS, since=None)
    deletes_in_salesforce(clinic, booked(clinic))
    clinic.salesforce.post("/_control/purge").raise_for_status()

    await compares(clinic, VISITS, since=None)

    assert await causes(clinic) == ["gone_in_salesforce"]


async def test_a_record_that_both_sides_edited_is_looked_at_once(clinic):
    patient = await clinic.has_linked()
    await clinic.edits(patient, city="Springfield")
    clinic.human_edits_contact(Email="moved@example.com")

    await points_out(clinic, PATIENTS, since=None)
    work = await clinic.takes()
    await clinic.carries_on(work)
    await clinic.settles()

    assert len(work.leased.due) == 1
    assert work.leased.lane is Lane.COMPARE
    assert clinic.contact()["MailingCity"] == "Springfield"
    assert clinic.chart(patient)["email"] == "moved@example.com"


@pytest.mark.parametrize("is_listed", [False, True])
async def test_what_one_that_goes_on_finds_in_salesforce_asks_drchrono_before_it_is_patched_there(clinic, is_listed):
    patient = await clinic.has_linked()
    if is_listed:
        await clinic.edits(patient, city="Springfield")
    clinic.breaks("salesforce", QUERY_ALL, "error", status=500)
    with pytest.raises(Unavailable):
        await points_out(clinic, PATIENTS, since=None)
    await clinic.edits(patient, email="desk@example.com")
    clinic.human_edits_contact(Email="moved@example.com")

    await compares(clinic, PATIENTS, since=None)

    assert (clinic.chart(patient)["email"], clinic.contact()["Email"]) == ("moved@example.com",) * 2
    assert [row.field for row in await clinic.rows(conflicts)] == ["email"]
    assert clinic.calls("drchrono", "GET /api/patients/") == 1


async def test_what_one_that_has_just_listed_drchrono_finds_in_salesforce_needs_no_question(clinic):
    patient = await clinic.has_linked()
    clinic.human_edits_contact(Email="moved@example.com")

    await compares(clinic, PATIENTS, since=None)

    assert clinic.chart(patient)["email"] == "moved@example.com"
    assert clinic.calls("drchrono", "GET /api/patients/") == 0


async def test_a_contact_whose_chart_is_due_is_not_taken_up_beside_it(clinic):
    """As while a first load is under way: workers create what the scan comes to afterwards."""
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    named = {"FirstName": "Ada", "LastName": "Test", "DrChrono_Patient_Id__c": str(patient["id"])}
    contact = clinic.human_enters_contact(**named)
    await points_out(clinic, PATIENTS)

    marked = await clinic.links()
    await clinic.settles()

    assert [(one.drchrono_id, one.salesforce_id) for one in marked] == [(str(patient["id"]), None)]
    assert [(one.drchrono_id, one.salesforce_id) for one in await clinic.links()] == [(str(patient["id"]), contact)]


async def test_ten_thousand_that_are_equal_cost_few_calls(clinic):
    """A page is a call to ask for it and one or two to fetch it, so ten pages stay below 45 calls."""
    clinic.drchrono.put("/_control/settings", json={"bulk_page_size": 1}).raise_for_status()
    for name in NAMES:
        await clinic.registers(first_name=name)
    await compares(clinic, PATIENTS)
    forgets(clinic)

    await compares(clinic, PATIENTS)

    assert clinic.calls("drchrono", "") / len(NAMES) <= 4.5
    assert clinic.writes() == []


async def test_the_summary_says_what_became_of_all(clinic):
    await clinic.registers(first_name="Created")
    began, out = clinic.runtime.now(), StringIO()
    await compares(clinic, PATIENTS)

    await print_summary(clinic.runtime, Console(file=out, width=200), [PATIENTS], {}, began)

    assert out.getvalue() == "patients: 1 created in Salesforce\n"
