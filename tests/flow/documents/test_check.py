"""What the check says of documents: settings nobody uses, a scanner that scans, and what the org still takes."""

import pytest

from app.operations.document_checks import check_documents, check_file_rights, check_files
from app.runtime import open_runtime
from app.sync.model import Lane
from tests.flow.checked import changed, found
from tests.standins.scanners import Engine, clamd, icap

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # its kind makes no difference here


async def said(settings, name):
    """The state and the words of the lines of that name."""
    async with open_runtime(settings) as runtime:
        found = [one async for one in check_documents(runtime)]
    return [(one.state.value, f"{one.says}; {one.fix}") for one in found if one.name == name]


async def files(known, vendors, check=check_files, **settings):
    """The state and the words of what an org with these settings takes, or lets us do, by name."""
    vendors.salesforce.put("/_control/settings", json=settings).raise_for_status()
    async with open_runtime(known) as runtime:
        found = [one async for one in check(runtime, runtime.salesforce.on(Lane.CONFIRM))]
    return {one.name: (one.state.value, one.says) for one in found}


async def mapped(known):
    """The state and the words of what the check says of the mapping of documents."""
    return [
        (one.state.value, f"{one.says}; {one.fix}") for one in await found(known) if one.name == "mapping: document"
    ]


async def test_settings_of_documents_are_told_as_unused_where_the_mapping_shares_none(known):
    unused = changed(known, mapping_file=None, document_max_mb=20, document_call_share=1)
    ((state, words),) = await said(unused, "documents")

    assert state == "warning"
    assert "DOCUMENT_MAX_MB, DOCUMENT_CALL_SHARE set, and the mapping has no [document] table" in words
    as_shipped = changed(known, mapping_file=None, document_max_mb=10, document_call_share=0.1)
    assert await said(as_shipped, "documents") == []


@pytest.mark.parametrize(
    ("engine", "state", "words"),
    [
        (Engine(), "ok", "answers, and finds the EICAR test file"),
        (Engine(knows=()), "red", "does not find the EICAR test file"),
        (Engine(most=10), "red", "answers, and scans nothing"),
    ],
    ids=["finds", "passes", "refuses"],
)
async def test_a_clamd_is_tried_with_the_file_that_every_scanner_finds(known, engine, state, words):
    async with clamd(engine) as url:
        ((is_, says),) = await said(changed(known, document_scanner=url), "document scanner")

    assert (is_, words in says) == (state, True)


async def test_a_service_behind_icap_is_asked_and_sent_nothing_and_one_that_is_away_keeps_documents_waiting(known):
    engine = Engine()
    async with icap(engine) as url:
        assert await said(changed(known, document_scanner=url), "document scanner") == [("ok", "answers; None")]

    ((state, words),) = await said(changed(known, document_scanner=url), "document scanner")
    assert (state, engine.scanned) == ("red", [])
    assert "every document waits; start the scanner that DOCUMENT_SCANNER names" in words


async def test_what_the_org_still_takes_of_files_is_told(known, empty_vendors):
    found = await files(known, empty_vendors)
    spent = await files(known, empty_vendors, daily_versions=0, file_storage_full=True)

    assert {name: state for name, (state, _) in found.items()} == {"salesforce files": "ok", "salesforce storage": "ok"}
    assert spent["salesforce files"] == ("red", "0 of 0 new versions of Files left for these 24 hours")
    assert (spent["salesforce storage"][0], "no document is taken any more" in spent["salesforce storage"][1]) == (
        "red",
        True,
    )


@pytest.mark.parametrize(
    ("has_it", "state", "words"),
    [
        (True, "ok", "has Query All Files: a comparison sees every File"),
        (False, "warning", "lacks Query All Files: a comparison does not see what others did"),
    ],
)
async def test_whether_a_comparison_sees_every_file_is_told(known, empty_vendors, has_it, state, words):
    found = await files(known, empty_vendors, check_file_rights, query_all_files=has_it)

    is_, says = found["salesforce all files"]
    assert (is_, words in says) == (state, True)


async def test_a_permission_that_the_org_does_not_tell_is_said_to_be_unread_and_is_not_red(known, empty_vendors):
    empty_vendors.salesforce.patch("/_control/objects/UserPermissionAccess", json={"hidden": True}).raise_for_status()

    found = await files(known, empty_vendors, check_file_rights)

    assert found["salesforce all files"] == (
        "warning",
        "whether the integration user has Query All Files could not be read (INVALID_TYPE)",
    )


@pytest.mark.parametrize(
    ("follows", "state", "words"),
    [
        (True, "ok", "1 File of others that we looked at may be edited"),
        (False, "warning", "1 of 1 File of others that we looked at may be read and not edited"),
    ],
)
async def test_files_of_others_that_the_service_may_not_edit_are_counted(known, folder, follows, state, words):
    before = await files(known, folder.clinic, check_file_rights, files_set_by_record=follows)
    _, contact = await folder.has_a_patient()
    await folder.told(folder.uploads(contact), "INSERT")

    is_, says = (await files(known, folder.clinic, check_file_rights))["salesforce file access"]
    assert before["salesforce file access"][0] == "not_yet"
    assert (is_, words in says) == (state, True)
    assert bool(folder.version()["DrChrono_Document_Id__c"]) is follows


@pytest.mark.parametrize(
    ("field", "right", "state", "words"),
    [
        ("DrChrono_Document_Id__c", {"updateable": False}, "red", "DrChrono_Document_Id__c may not be written"),
        ("Send_To_DrChrono__c", {"hidden": True}, "red", "Send_To_DrChrono__c, the opt-in, is not there"),
    ],
)
async def test_a_field_of_files_that_the_user_may_not_write_is_named(known, empty_vendors, field, right, state, words):
    field_of = f"/_control/objects/ContentVersion/fields/{field}"
    empty_vendors.salesforce.patch(field_of, json=right).raise_for_status()

    (is_, says) = next(one for one in await mapped(known) if words in one[1])
    assert is_ == state
    assert "permission set, Field Permissions" in says


async def test_fields_of_the_sync_status_that_are_not_all_written_are_named(known, empty_vendors):
    status = "/_control/objects/ContentVersion/fields/DrChrono_Sync_Status__c"
    empty_vendors.salesforce.patch(status, json={"updateable": False}).raise_for_status()

    said = await mapped(known)
    unused = await mapped(changed(known, salesforce_status_fields=False))

    ((state, words),) = [one for one in said if "no sync status" in one[1]]
    assert (state, "sync status: DrChrono_Sync_Status__c may not be written" in words) == ("warning", True)
    assert not [words for _, words in unused if "no sync status" in words]
