"""What the check says of documents: settings nobody uses, a scanner that scans, and what the org still takes."""

import pytest

from app.operations.document_checks import check_documents, check_files
from app.runtime import open_runtime
from app.sync.model import Lane
from tests.flow.checked import changed
from tests.standins.scanners import Engine, clamd, icap

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # its kind makes no difference here


async def said(settings, name):
    """The state and the words of the lines of that name."""
    async with open_runtime(settings) as runtime:
        found = [one async for one in check_documents(runtime)]
    return [(one.state.value, f"{one.says}; {one.fix}") for one in found if one.name == name]


async def files(known, vendors, **settings):
    """The state and the words of what an org with these settings takes, by name."""
    vendors.salesforce.put("/_control/settings", json=settings).raise_for_status()
    async with open_runtime(known) as runtime:
        found = [one async for one in check_files(runtime, runtime.salesforce.on(Lane.CONFIRM))]
    return {one.name: (one.state.value, one.says) for one in found}


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
