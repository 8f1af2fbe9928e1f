"""Where people look for documents: on their patient's record, on their own, and where something needs attention."""

import re
from html import unescape

import pytest

from app.store.tables import audit, document_polls
from app.sync.model import Kind
from tests.flow.browser import browsing
from tests.flow.clinic import OPERATOR

BEARER = {"authorization": f"Bearer {OPERATOR}"}


def words_of(html):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def section(page, id_):
    return words_of(page.response.text.split(f'id="{id_}"', 1)[1].split("</section>", 1)[0])


def path_of(patient):
    return f"/records/drchrono/patient/{patient['id']}"


async def listed(clinic, patient, **asked):
    answer = await clinic.web.get(f"/api/v1{path_of(patient)}/documents", headers=BEARER, params=asked)
    return answer.raise_for_status().json()


async def noted(clinic):
    return [(row.action, row.about, row.ids.split()) for row in await clinic.rows(audit) if "documents" in row.about]


@pytest.fixture
async def browser(clinic):
    async with browsing(clinic) as it:
        await it.signs_in(OPERATOR)
        yield it


@pytest.fixture
async def filed(clinic, folder):
    """A patient with a document that traveled each way, and one that was refused."""
    patient, contact = await folder.has_a_patient()
    folder.files(patient)
    folder.files(patient, b"GIF89a", description="Fax", name="fax.gif")
    await folder.compares()
    await folder.told(folder.uploads(contact))
    return patient


async def test_a_patients_record_lists_the_documents_with_state_and_why_and_has_drchrono_asked(clinic, filed, browser):
    (before,) = await clinic.rows(document_polls)

    page = await browser.open(path_of(filed))

    shown = section(page, "documents")
    assert re.search(r"Consent form PDF, 0\.1 KB .* Salesforce (Pending|Synced)", shown)
    assert re.search(
        r"Fax \(2026-11-03\) Share with CRM Open .* DrChrono Failed The file of this document is of a", shown
    )
    assert re.search(r"Referral letter \(2026-11-03\) PDF, 0\.1 KB · Share with CRM Open .* DrChrono Synced", shown)
    assert shown.count("Retry") == shown.count("Dismiss…") == 1
    ids = [link.drchrono_id for link in await clinic.links(Kind.DOCUMENT)]
    assert await noted(clinic) == [("list", f"documents of patient {filed['id']}", sorted(ids, reverse=True))]
    assert (before.due_at, (await clinic.rows(document_polls))[0].due_at) == (None, None), "asked for just now"


async def test_a_page_of_documents_begins_behind_the_page_before(clinic, filed, browser):
    first = await listed(clinic, filed, limit=1)

    page = await browser.open(f"{path_of(filed)}?documents_before={first['next']}")

    shown = section(page, "documents")
    newest, *older = [one["title"] for one in (await listed(clinic, filed))["items"]]
    assert (newest in shown, [title in shown for title in older]) == (False, [True, True])


async def test_scripts_read_the_same_page_by_page(clinic, filed):
    everything = await listed(clinic, filed)
    first = await listed(clinic, filed, limit=1)
    rest = await listed(clinic, filed, limit=2, before=first["next"])

    assert [one["id"] for one in (*first["items"], *rest["items"])] == [one["id"] for one in everything["items"]]
    assert (everything["total"], everything["next"], rest["next"], everything["silence"]) == (3, None, None, None)
    sent, refused, letter = everything["items"]
    assert (sent["came_from"], refused["status"], refused["code"]) == ("salesforce", "failed", "document_type_refused")
    assert refused["sentence"]
    assert refused["fix"]
    assert letter == letter | {
        "title": "Referral letter (2026-11-03)",
        "date": "2026-11-03",
        "tags": ["Share with CRM"],
        "type": "pdf",
        "came_from": "drchrono",
        "status": "synced",
        "code": None,
    }
    assert letter["pages"]["drchrono"].endswith(f"/patients/{filed['id']}"), "where documents are shown"
    assert "/069" in letter["pages"]["salesforce"], "the File, not its version"


async def test_a_document_is_called_by_its_patient_and_title_and_both_sides_say_whose_it_is(clinic, filed, browser):
    letter = (await listed(clinic, filed))["items"][-1]

    page = await browser.open(f"/records/{letter['record']}")
    compared = await browser.presses("Compare")

    assert page.heading == "Ada Test, Referral letter (2026-11-03)"
    assert f"Patient {filed['id']}" in section(page, "stands")
    assert "5 fields that are the same in both systems" in section(compared, "both")
    waiting = await browser.open("/attention")
    assert "Ada Test, Fax (2026-11-03)" in waiting.text
    assert "1 document" in waiting.text
    overview = await browser.open("/")
    assert re.search(r"Documents have [\d,]+ of their [\d,]+ calls left", overview.text)
