"""A row of a vendor's list that is no record is passed over and counted; every other row is read, and nothing ends."""

from app.metrics.definitions import UNREADABLE_ROWS
from app.store import counters
from app.sync.model import Kind
from tests.flow.calendar import compares

PATIENTS = Kind.PATIENT
ODD = [None, 7, "row", [], {}, {"id": None}, {"id": True}, {"id": "9" * 65}, {"id": "1\x00"}, {"id": ".."}, {"id": [1]}]
ODD_CONTACTS = [None, 7, {}, {"Id": None}, {"Id": "003"}, {"Id": "9" * 100}, {"Id": {"a": 1}}, {"Id": "003SYN\x00"}]


def lists(clinic, rows, of=None):
    """DrChrono's plain list of patients shows these rows, and has no bulk list."""
    clinic.breaks("drchrono", "POST /api/patients_list", "error", status=404, next=None)
    clinic.breaks("drchrono", "GET /api/patients", "error", status=200, body={"results": rows, "next": None}, next=of)


async def counted(clinic):
    """How many rows were passed over, as everybody is told."""
    await clinic.runtime.counts.save(clinic.runtime.database)
    whole = await counters.everything(clinic.runtime.database)
    return {name.split(counters.JOINT)[1]: n for name, n in whole.items() if name.startswith(UNREADABLE_ROWS.name)}


async def test_odd_rows_of_a_list_of_drchronos_end_nothing(clinic, capsys):
    patients = [await clinic.registers(first_name=name) for name in ("Ada", "Ben")]
    lists(clinic, [*ODD[:5], patients[0], *ODD[5:], patients[1]], of=1)

    await compares(clinic, PATIENTS)

    assert sorted(contact["FirstName"] for contact in clinic.contacts()) == ["Ada", "Ben"]
    assert await counted(clinic) == {"drchrono": len(ODD)}
    said = [line for line in capsys.readouterr().out.splitlines() if "list.rows_unreadable" in line]
    assert (len(said), f"records={len(ODD)}" in said[0]) == (1, True)


async def test_odd_rows_of_a_bulk_list_end_nothing_and_have_it_gone_through_once(clinic):
    patients = [await clinic.registers(first_name=name) for name in ("Ada", "Ben")]
    inactive = await clinic.registers(first_name="Eva", patient_status="I")
    rows = [*patients, *ODD, inactive]
    page = {"status": "Complete", "results": rows, "pagination": {"pages": 1, "count": len(rows)}}
    clinic.breaks("drchrono", "GET /api/patients_list", "error", status=200, body=page, next=1)

    await compares(clinic, PATIENTS)

    assert sorted(contact["FirstName"] for contact in clinic.contacts()) == ["Ada", "Ben", "Eva"]
    assert clinic.calls("drchrono", "POST /api/patients_list") == 1
    assert await counted(clinic) == {"drchrono": len(ODD)}


async def test_odd_rows_of_a_page_of_salesforces_end_nothing(clinic):
    contact = clinic.human_ticks_contact()
    (whole,) = clinic.contacts()
    rows = [*ODD_CONTACTS, whole]
    query = "GET /services/data/v67.0/queryAll"
    clinic.breaks("salesforce", query, "error", status=200, body={"records": rows, "done": True}, next=1)

    await compares(clinic, PATIENTS)

    assert [chart["first_name"] for chart in clinic.charts()] == ["Tess"]
    assert contact in {link.salesforce_id for link in await clinic.links()}
    assert await counted(clinic) == {"salesforce": len(ODD_CONTACTS)}


async def test_a_page_of_nothing_but_odd_rows_is_the_last_one(clinic):
    query = "GET /services/data/v67.0/queryAll"
    clinic.breaks("salesforce", query, "error", status=200, body={"records": ODD_CONTACTS, "done": True}, next=None)

    await compares(clinic, PATIENTS)

    assert clinic.calls("salesforce", query) == 1


async def test_a_row_without_an_id_that_may_be_a_contacts_chart_holds_up_that_contact_alone(clinic):
    row = {"id": None, "first_name": "TESS", "last_name": "Sample", "date_of_birth": "1990-02-03"}
    for name in ("Tess", "Zoe"):
        clinic.human_ticks_contact(FirstName=name)
    clinic.breaks("drchrono", "GET /api/patients", "error", status=200, body={"results": [row], "next": None})

    assert await clinic.hears() == 200
    await clinic.settles()

    assert [chart["first_name"] for chart in clinic.charts()] == ["Zoe"]
    assert await clinic.failures() == [("drchrono", "NO_ID", "")]
