"""Odd values in every field of every kind, from each side, beside healthy records of the same batch.

The healthy ones arrive in that very pass. An odd one arrives, or is a failure that says why; it is never what nobody
foresaw. A seeded slice is told in every run, all of it by `make long`.
"""

import json
import random
from datetime import UTC, datetime, timedelta

import pytest
import structlog

from app.store.links import mark_seen
from app.store.tables import failures, journal
from app.sync.failure_causes import CAUSES, OVERLAPS, UNEXPECTED, VALUE_NOT_STORED
from app.sync.model import Kind, Lane
from tests.flow.calendar import VISITS, books, enters, forged, points_out, records
from tests.flow.clinic import SEARCH_GAP
from workers.sync import sync

SEED, SLICE, AT_ONCE = 20261128, 30, 90
DAYS = ("0202-12-01", "1600-02-29", "9999-12-31", "10000-01-01", "2026-02-30")
ODD = (
    *("a\x00b", "\ud800", "\udfff\ud800", "\ufffe", "../users/current", "..", "   ", "\u202e", "x" * 100_000),
    *("A" + "\u0301" * 5_000, "9" * 65, "9" * 100, "340099999\x00", *DAYS, *(f"{day}T10:30:00" for day in DAYS)),
    *("1e-1000000", "1e400", 10**70, -(10**70), -1, 0.1, float("nan"), float("inf"), float("-inf")),
    *(True, False, [], {}, ["a"], {"a": 1}, [[[]]], {"Id": "x" * 100}, {"Id": "\x00"}),
)
ALL_OR_SLICE = pytest.mark.parametrize("share", ["slice", pytest.param("all", marks=pytest.mark.long)])
SAID_BY_NOBODY = {"record.unexpected", "write.unexpected", "batch.failed", "pass.failed"}

pytestmark = [pytest.mark.both, pytest.mark.timeout(600)]


def lots(fields, share):
    """The odd values of each field, in lots that fit a batch."""
    all_of_them = [(field, value) for field in fields for value in ODD]
    random.Random(SEED).shuffle(all_of_them)
    told = all_of_them if share == "all" else all_of_them[:SLICE]
    return [told[at : at + AT_ONCE] for at in range(0, len(told), AT_ONCE)]


def sources(clinic, kind):
    """What DrChrono calls the fields of a kind that are read of it, and those beside them."""
    rows = clinic.runtime.mappings[kind].rows.values()
    named = {name for row in rows for name in row.sources if "." not in name}
    return sorted(named | {"updated_at", "recurrence_instance_key", "appt_is_break"})


def answers(clinic, side, call, document):
    """A vendor's next answer to a call, as it is: JSON of Python's, which has values that no other has."""
    clinic.breaks(side, call, "error", status=200, body=json.dumps(document))


def enter_one(clinic, kind):
    """A human enters a record in Salesforce that has a counterpart nowhere; gives its Id."""
    clinic.entered = getattr(clinic, "entered", 0) + 1
    if kind is Kind.PATIENT:
        return clinic.human_ticks_contact(FirstName=f"Tess{clinic.entered}")
    start = datetime(2026, 12, 1, 12, tzinfo=UTC) + timedelta(hours=clinic.entered)
    contact = next(one["Id"] for one in clinic.contacts() if one["DrChrono_Patient_Id__c"])
    return enters(clinic, Patient__c=contact, Start__c=f"{start:%Y-%m-%dT%H:%M:%S.000+0000}")


async def one_pass(clinic, kind):
    """One pass over what is due of a kind; nothing in it is what nobody foresaw."""
    with structlog.testing.capture_logs() as lines:
        await sync(await clinic.takes(kind))
        yielded = [line for line in lines if line["event"] in SAID_BY_NOBODY]
    assert yielded == []


async def comes_to_rest(clinic, kind, arrived):
    """Workers do what is left; then each record of a kind has arrived, or is a failure of a known cause."""
    await clinic.settles()
    await clinic.time_passes(SEARCH_GAP + timedelta(seconds=1))  # whom DrChrono does not show is asked for once more
    await clinic.settles()
    ids = {row.id: row.drchrono_id or row.salesforce_id for row in await clinic.links(kind)}
    failed = {row.link_id: row.cause for row in await clinic.rows(failures)}
    assert {cause for cause in failed.values() if cause not in CAUSES and not cause.startswith(OVERLAPS)} == set()
    assert {UNEXPECTED, VALUE_NOT_STORED} & set(failed.values()) == set()
    return {record for link_id, record in ids.items() if link_id not in failed} - arrived


def without_a_word(odd, base):
    """The ids of bodies that are not believed, or are none of ours: another stamp than they had, deleted, a break."""
    said = ("updated_at", "deleted_flag", "appt_is_break")
    return {str(record["id"]) for record in odd if any(record.get(name) != base.get(name) for name in said)}


@ALL_OR_SLICE
async def test_odd_patients_of_drchronos(clinic, share):
    base, unsure = await clinic.registers(first_name="Healthy"), set()
    for n, lot in enumerate(lots(sources(clinic, Kind.PATIENT), share)):
        good = [{**base, "id": 900_000 + 2 * n + at, "first_name": f"Good{n}x{at}"} for at in (0, 1)]
        odd = [
            {**base, "id": 500_000 + 1_000 * n + at, "first_name": f"Odd{n}x{at}", field: value}
            for at, (field, value) in enumerate(lot)
        ]
        for patient in (good[0], *odd, good[1]):
            assert await forged(clinic, patient, event="PATIENT_CREATE") == 200

        await one_pass(clinic, Kind.PATIENT)

        there = {contact["DrChrono_Patient_Id__c"] for contact in clinic.contacts()}
        assert {str(patient["id"]) for patient in good} <= there
        unsure |= without_a_word(odd, base)
        await clinic.settles()
    there = {contact["DrChrono_Patient_Id__c"] for contact in clinic.contacts()}
    assert await comes_to_rest(clinic, Kind.PATIENT, there) <= unsure


@ALL_OR_SLICE
async def test_odd_visits_of_drchronos(clinic, share):
    patient = await clinic.has_linked()
    base, unsure = await books(clinic, patient), set()
    for n, lot in enumerate(lots(sources(clinic, Kind.APPOINTMENT), share)):
        good = [{**base, "id": str(900_000 + 2 * n + at)} for at in (0, 1)]
        odd = [{**base, "id": str(500_000 + 1_000 * n + at), field: value} for at, (field, value) in enumerate(lot)]
        for visit in (good[0], *odd, good[1]):
            assert await forged(clinic, visit, event="APPOINTMENT_CREATE") == 200

        await one_pass(clinic, Kind.APPOINTMENT)

        assert {visit["id"] for visit in good} <= {there["DrChrono_Id__c"] for there in records(clinic, VISITS)}
        unsure |= without_a_word(odd, base)
        await clinic.settles()
    there = {visit["DrChrono_Id__c"] for visit in records(clinic, VISITS)}
    assert await comes_to_rest(clinic, Kind.APPOINTMENT, there) <= unsure


@ALL_OR_SLICE
@pytest.mark.parametrize(
    ("kind", "object_"), [(Kind.DOCTOR, "DrChrono_Doctor__c"), (Kind.OFFICE, "DrChrono_Office__c")]
)
async def test_odd_staff_and_offices_of_drchronos(clinic, kind, object_, share):
    path, lot = clinic.runtime.mappings[kind].path, lots(sources(clinic, kind), share)[0]  # more at once is braked
    base = (await clinic.runtime.drchrono.listed(path))[0]
    good = [{**base, "id": 900_000 + at} for at in (0, 1)]
    odd = [{**base, "id": 500_000 + at, field: value} for at, (field, value) in enumerate(lot)]
    answers(clinic, "drchrono", f"GET {path}", {"results": [good[0], None, *odd, good[1]], "next": None})
    await points_out(clinic, kind)

    await one_pass(clinic, kind)

    assert {"900000", "900001"} <= {record["DrChrono_Id__c"] for record in records(clinic, object_)}
    there = {record["DrChrono_Id__c"] for record in records(clinic, object_)}
    assert await comes_to_rest(clinic, kind, there) <= {str(base["id"])}


async def read(clinic, kind, ids):
    """Records of Salesforce's as it answers that they are."""
    table = clinic.runtime.mappings[kind]
    found = await clinic.runtime.salesforce.read(table.object, table.fields, table.external_id, ids, [])
    return sorted(found, key=lambda record: ids.index(record["Id"]))


@ALL_OR_SLICE
@pytest.mark.parametrize("kind", [Kind.PATIENT, Kind.APPOINTMENT])
async def test_odd_records_of_salesforces(clinic, kind, share):
    await clinic.has_linked()
    clinic.drchrono.put("/_control/settings", json={"calls_per_hour": 0})  # `all` needs more of them than an hour has
    fields = {name.partition(".")[0] for name in clinic.runtime.mappings[kind].fields} - {"Sync_To_DrChrono__c"}
    fields |= {clinic.runtime.mappings[kind].external_id, "SystemModstamp"}
    for lot in lots(sorted(fields), share):
        ids = [enter_one(clinic, kind) for _ in range(len(lot) + 2)]
        before, *rest, behind = await read(clinic, kind, ids)
        odd = [{**record, field: value} for record, (field, value) in zip(rest, lot, strict=True)]
        await mark_seen(clinic.runtime.database, kind, ids, ids, Lane.LIVE)
        answers(
            clinic, "salesforce", "GET /services/data/v67.0/query", {"records": [before, *odd, behind], "done": True}
        )

        await one_pass(clinic, kind)

        assert {before["Id"], behind["Id"]} <= await arrived(clinic, kind)
        await clinic.settles()
    assert await comes_to_rest(clinic, kind, await arrived(clinic, kind)) == set()


async def arrived(clinic, kind):
    """The ids, on both sides, of what is on both."""
    pairs = [row for row in await clinic.links(kind) if row.drchrono_id and row.salesforce_id]
    made = [row.link_id for row in await clinic.rows(journal) if row.record_id]
    lone = [row.salesforce_id for row in await clinic.links(kind) if row.id in made]
    return {id_ for row in pairs for id_ in (row.drchrono_id, row.salesforce_id)} | set(lone)
