"""Documents by comparison: a first load is a person's word, a preview writes nothing, what no trigger told is found."""

import json
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from app.cli.mapping_preview import preview_mapping
from app.sync.model import Kind, Lane, Side
from app.vendors.salesforce.org_description import OrgMappings
from tests.build import mapping_with_documents
from tests.flow.checked import changed
from tests.flow.clinic import opened
from tests.flow.documents.folder import Folder, a_pdf
from workers.compare.listing import EVER
from workers.compare.preview import preview


async def tell_nobody(_found):
    pass


async def test_what_was_there_before_waits_until_a_person_has_it_loaded(clinic, folder):
    patient, contact = await folder.has_a_patient()
    folder.files(patient)
    folder.uploads(contact)  # and ticks it, before any trigger was there to tell of it
    await clinic.was_never_loaded()
    await folder.compares()
    before = [one["Title"] for one in folder.versions()], len(folder.in_chart())

    folder.files(patient, a_pdf("new"), description="New")
    clinic.drchrono.put("/_control/clock", json={"offset_s": 5})
    await folder.compares()
    await folder.loads()

    assert before == (["Consent form"], 1)
    expected = ["Consent form", "New", "Referral letter"]
    assert sorted(one["Title"].partition(" (")[0] for one in folder.versions()) == expected
    assert sorted(one["description"] for one in folder.in_chart()) == expected


async def test_a_preview_counts_what_would_be_made_and_reads_no_file(clinic, folder):
    patient, contact = await folder.has_a_patient()
    folder.files(patient)
    folder.files(patient, metatags='["Lab"]')
    folder.uploads(contact)
    stranger = await clinic.registers(first_name="Bo", last_name="Sample")
    folder.files(stranger)
    clinic.drchrono.delete("/_control/calls")

    found = await preview(clinic.runtime, Kind.DOCUMENT, None, Lane.BACKFILL, tell_nobody)

    assert dict(found.counts.created) == {Side.SALESFORCE: 1, Side.DRCHRONO: 1}
    assert (folder.versions()[1:], len(folder.in_chart())) == ([], 3)
    assert clinic.calls("drchrono", "GET /api/documents") == 1
    assert await clinic.links(Kind.DOCUMENT) == []


async def test_a_mapping_that_would_share_documents_is_previewed_before_it_is_used(clinic, folder):
    patient, contact = await folder.has_a_patient()
    folder.files(patient)
    folder.uploads(contact)
    wanted = dict(clinic.runtime.mappings)
    used = {kind: table for kind, table in wanted.items() if kind is not Kind.DOCUMENT}
    before = replace(clinic.runtime, mappings=OrgMappings(used))
    clinic.drchrono.delete("/_control/calls")
    out = StringIO()

    assert await preview_mapping(before, Console(file=out), wanted, None, as_json=True)

    (said,) = json.loads(out.getvalue())["kinds"]
    assert (said["kind"], said["would_create"]) == ("document", {"drchrono": 1, "salesforce": 1})
    assert set(said["mapping"].values()) == {"added"}
    assert (clinic.calls("drchrono", "POST /api/documents"), clinic.writes()) == (0, [])


async def test_a_file_that_was_taken_off_is_found_when_all_there_is_is_gone_through(clinic, folder):
    patient, contact = await folder.has_a_patient()
    folder.files(patient)
    await folder.compares()
    folder.takes_off(folder.version(), contact)  # and no trigger tells of it

    await folder.compares()
    by_change = [one["archived"] for one in folder.in_chart()]
    await folder.compares(EVER)
    await clinic.time_passes(clinic.confirm_after)
    await clinic.settles()

    assert by_change == [False]
    assert [one["archived"] for one in folder.in_chart()] == [True]


async def test_without_a_table_of_documents_nothing_asks_for_them(clinic, folder, known, empty_vendors):
    plain = changed(known, mapping_file=None)
    async with opened(plain, empty_vendors.drchrono, empty_vendors.salesforce) as without:
        folder = Folder(without)
        patient, contact = await folder.has_a_patient(first_name="Cy", last_name="Sample")
        folder.files(patient)
        version = folder.uploads(contact)

        assert await folder.tells(version) == 200
        await without.settles()
        await folder.polls()

        assert await without.links(Kind.DOCUMENT) == []
        assert without.calls("drchrono", "GET /api/documents") == 0


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_where_patients_are_person_accounts_a_file_is_on_the_account(known, empty_vendors, tmp_path):
    types = empty_vendors.salesforce.post("/_control/person-accounts").raise_for_status().json()
    place = mapping_with_documents(tmp_path / "people.toml", "person-accounts")
    place.write_text(place.read_text() + f'\n[patient.constants]\nRecordTypeId = "{types["Patient"]}"\n')
    people = changed(known, mapping_file=place)
    async with opened(people, empty_vendors.drchrono, empty_vendors.salesforce) as clinic:
        folder = Folder(clinic)
        patient = await clinic.has_linked(first_name="Ada", last_name="Test")
        account = (await clinic.link(patient)).salesforce_id
        folder.files(patient)

        await folder.compares()
        await folder.told(folder.uploads(account))

        assert account.startswith("001")
        assert [list(folder.file_links(one)) for one in folder.versions()] == [[account]] * 2
        assert sorted(one["description"] for one in folder.in_chart()) == ["Consent form", "Referral letter"]
        assert json.loads(folder.in_chart()[0]["metatags"])
