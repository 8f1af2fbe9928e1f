"""Lost answers, cut uploads, stale lists, two workers, odd rows: a document is there once, or says why not."""

import asyncio
from datetime import timedelta

import pytest
import structlog

from app.runtime import open_runtime
from app.store.tables import document_polls, journal, metadata, promises
from app.sync.model import Kind
from tests.flow.clinic import OPERATOR
from tests.flow.documents.folder import a_pdf, md5
from workers.sync import sync, take

POST, UPLOAD = "POST /api/documents", "POST /services/data"
LATER = timedelta(minutes=4)  # longer than a vendor goes on with a request, and than its lists lag behind


async def ends(clinic):
    for _ in range(4):
        await clinic.time_passes(LATER)
        await clinic.settles()


async def assert_there_once(clinic, folder):
    (document,), (version,) = folder.in_chart(), folder.versions()
    assert version["DrChrono_Document_Id__c"] == str(document["id"])
    assert version["Checksum"] == document["md5"]
    assert await clinic.failures() == []
    assert (await folder.link()).due_at is None


@pytest.mark.parametrize("fault", ["drop_after_commit", "drop_before"])
async def test_an_unanswered_post_is_found_or_made_once(clinic, folder, fault):
    _, contact = await folder.has_a_patient()
    clinic.breaks("drchrono", POST, fault)

    await folder.told(folder.uploads(contact))
    at_first = len(folder.in_chart())
    await ends(clinic)

    assert at_first == (1 if fault == "drop_after_commit" else 0)
    assert clinic.calls("drchrono", POST) == (1 if fault == "drop_after_commit" else 2)
    await assert_there_once(clinic, folder)


async def test_an_unanswered_post_is_not_repeated_before_two_looks_apart_have_not_found_it(clinic, folder):
    _, contact = await folder.has_a_patient()
    clinic.breaks("drchrono", POST, "drop_before")
    await folder.told(folder.uploads(contact))

    await clinic.time_passes(timedelta(seconds=31))
    await clinic.settles()
    await clinic.time_passes(timedelta(seconds=31))
    await clinic.settles()
    soon = clinic.calls("drchrono", POST)
    await ends(clinic)

    assert soon == 1, "DrChrono may go on with the request for minutes"
    assert clinic.calls("drchrono", POST) == 2
    await assert_there_once(clinic, folder)


async def test_an_unanswered_upload_is_found_by_its_patients_files(clinic, folder):
    patient, _ = await folder.has_a_patient()
    folder.files(patient)
    clinic.breaks("salesforce", UPLOAD, "drop_after_commit")

    await folder.compares()
    await ends(clinic)

    await assert_there_once(clinic, folder)


async def test_an_upload_that_is_cut_has_made_nothing_and_is_sent_again(clinic, folder):
    patient, contact = await folder.has_a_patient()
    clinic.breaks("drchrono", POST, "cut_upload")

    await folder.told(folder.uploads(contact, a_pdf("x" * 100_000)))
    await ends(clinic)

    await assert_there_once(clinic, folder)
    assert patient


async def test_two_workers_and_five_messages_make_one_document(clinic, folder, known):
    _, contact = await folder.has_a_patient()
    version = folder.uploads(contact)
    async with open_runtime(known) as other:
        for _ in range(5):
            await folder.tells(version)
        first = await take(clinic.runtime, Kind.DOCUMENT)
        second = await take(other, Kind.DOCUMENT)
        await asyncio.gather(*(sync(work) for work in (first, second) if work is not None))
        await folder.tells(version)
        first, second = await take(clinic.runtime, Kind.DOCUMENT), await take(other, Kind.DOCUMENT)
        await asyncio.gather(*(sync(work) for work in (first, second) if work is not None))
    await ends(clinic)

    assert clinic.calls("drchrono", POST) == 1
    await assert_there_once(clinic, folder)


async def test_two_files_of_one_content_that_two_workers_take_are_one_document(clinic, folder, known):
    _, contact = await folder.has_a_patient()
    versions = [folder.uploads(contact), folder.uploads(contact)]
    async with open_runtime(known) as other:
        await folder.tells(versions[0])
        first = await take(clinic.runtime, Kind.DOCUMENT)
        await folder.tells(versions[1])
        second = await take(other, Kind.DOCUMENT)
        await asyncio.gather(sync(first), sync(second))
    await ends(clinic)

    assert clinic.calls("drchrono", POST) == 1
    assert [found[1] for found in await clinic.failures()] == ["file_sent_already"]


async def test_a_list_that_lags_behind_makes_no_second_document(clinic, folder):
    _, contact = await folder.has_a_patient()
    clinic.drchrono.put("/_control/settings", json={"list_stale_s": 20})
    clinic.breaks("drchrono", POST, "drop_after_commit")

    await folder.told(folder.uploads(contact))
    at_first = clinic.calls("drchrono", POST), (await folder.link()).drchrono_id
    clinic.drchrono.put("/_control/settings", json={"list_stale_s": 0})
    await ends(clinic)

    assert at_first == (1, None)
    assert clinic.calls("drchrono", POST) == 1
    await assert_there_once(clinic, folder)


async def test_what_nobody_waits_for_stays_in_its_share_of_the_hour(clinic, folder, known):
    patient, _ = await folder.has_a_patient()
    for at in range(4):
        folder.files(patient, a_pdf(f"{at}"), description=f"{at}")
    async with open_runtime(
        known.model_copy(update={"document_call_share": 0.000035})
    ) as thrifty:  # of so few no lane leaves any
        before, clinic.runtime = clinic.runtime, thrifty
        await folder.compares()
        clinic.runtime = before

    assert clinic.calls("drchrono", "GET /api/documents") == 2, "one list, and a document"
    assert len(folder.versions()) == 1
    assert {row.last_error for row in await clinic.links(Kind.DOCUMENT) if row.due_at} == {"hour_is_spent"}


async def test_the_lists_of_new_patients_wait_while_the_share_is_spent_and_promise_themselves_no_call(
    clinic, folder, known
):
    await folder.has_a_patient()
    async with open_runtime(known.model_copy(update={"document_call_share": 0.000025})) as thrifty:
        before, clinic.runtime = clinic.runtime, thrifty
        for name in ("Bea", "Cy", "Dee"):
            await folder.has_a_patient(first_name=name)
        await folder.polls()
        clinic.runtime = before

    assert clinic.calls("drchrono", "GET /api/documents") == 0, "one of them was listed when it came"
    assert [row.lane for row in await clinic.rows(document_polls) if row.due_at is not None] == ["backfill"] * 2
    assert await clinic.rows(promises) == []


async def test_a_canary_is_on_the_two_sides_and_nowhere_else(clinic, folder):
    words = ("anary", md5(a_pdf("Canary")), "Q2FuYXJ5")
    patient, contact = await folder.has_a_patient()
    with structlog.testing.capture_logs() as lines:
        folder.files(patient, a_pdf("Canary"), description="Canary letter", name="canary.pdf")
        await folder.compares()
        await folder.told(
            folder.uploads(contact, a_pdf("Canary two"), Title="Canary consent", PathOnClient="canary.pdf")
        )
        await folder.told(folder.uploads(contact, b"Canary", Title="Canary program"))
        metrics = (await clinic.web.get("/metrics")).text
        failures = (await clinic.web.get("/api/v1/failures", headers={"authorization": f"Bearer {OPERATOR}"})).text

    rows = [str(row) for table in metadata.sorted_tables for row in await clinic.rows(table)]
    said = "\n".join([*rows, metrics, failures, *map(str, lines)])
    assert [word for word in words if word in said] == []
    assert len(folder.in_chart()) == 2
    assert {row.call for row in await clinic.rows(journal)} >= {"upload"}


@pytest.mark.parametrize(
    ("fault", "left"),
    [("drop_after_commit", [("drchrono", "gone_in_drchrono", "")]), ("drop_before", []), (None, [])],
    ids=["uploaded", "not uploaded", "not tried"],
)
async def test_a_document_that_vanishes_while_it_is_on_its_way_is_waited_for_no_longer_than_two_words(
    clinic, folder, fault, left
):
    patient, _ = await folder.has_a_patient()
    document = folder.files(patient)
    await folder.finds()
    if fault:
        clinic.breaks("salesforce", UPLOAD, fault)
        await clinic.settles()
    clinic.drchrono.delete(f"/_control/documents/{document['id']}").raise_for_status()

    await clinic.settles()
    await ends(clinic)
    calls = clinic.calls("drchrono", "GET /api/documents/{id}")
    await ends(clinic)

    assert await clinic.failures() == left
    assert clinic.calls("drchrono", "GET /api/documents/{id}") == calls, "nobody asks any more"
    assert [link.due_at for link in await clinic.links(Kind.DOCUMENT)] in ([], [None])


async def test_a_refused_document_that_a_file_names_is_told_of_where_it_lies(clinic, folder):
    patient, contact = await folder.has_a_patient()
    document = folder.files(patient, b"MZ\x90\x00 a program", metatags='["Lab"]')

    await folder.told(folder.uploads(contact, DrChrono_Document_Id__c=str(document["id"])))

    assert await clinic.failures() == [("drchrono", "document_type_refused", "")]


async def test_a_folder_that_is_ticked_at_once_leaves_half_of_the_hour_to_edits(clinic, folder, known):
    patient, contact = await folder.has_a_patient()
    async with open_runtime(known.model_copy(update={"drchrono_calls_per_hour": 50})) as small:
        before, clinic.runtime = clinic.runtime, small
        for at in range(25):
            await folder.tells(folder.uploads(contact, a_pdf(f"{at}"), Title=f"{at}"))
        await clinic.settles()
        clinic.human_edits_contact(contact, MobilePhone="(212) 555-0199")
        await clinic.hears()
        await clinic.settles()
        clinic.runtime = before

    chart = next(one for one in clinic.charts() if one["id"] == patient["id"])
    assert chart["cell_phone"] == "(212) 555-0199"
    assert 0 < len(folder.in_chart()) < 25
    assert "hour_is_spent" in {row.last_error for row in await clinic.links(Kind.DOCUMENT) if row.due_at}
    assert await clinic.failures() == []
