"""Pages of people, visits and records stay quick with 100,000 records known and 10,000 of them failed."""

from time import perf_counter

import pytest
import sqlalchemy as sa

from app.store.clock import db_now
from app.store.tables import events, failures, journal, links
from tests.flow.browser import HOME, browsing
from tests.flow.clinic import OPERATOR
from tests.store.build import change, on_sqlite
from tests.store.plans import fill

pytestmark = pytest.mark.long
MANY, FAILED, LIMIT_S, TIMES = 100_000, 10_000, 0.2, 7
PAGES = {
    "patients": ("GET", "/patients", {}),
    "patients, far on": ("GET", "/patients?before=L5", {}),
    "patients in step": ("GET", "/patients?state=in_step", {}),
    "patients on their way": ("GET", "/patients?state=on_its_way", {}),
    "patients that failed": ("GET", "/patients?state=failed", {}),
    "patients held": ("GET", "/patients?state=held", {}),
    "patients alone": ("GET", "/patients?state=alone", {}),
    "a search": ("POST", "/patients", {"words": "fixture"}),
    "a search by id": ("POST", "/patients", {"words": "99999"}),
    "a day": ("GET", "/appointments", {}),
    "a record": ("GET", "/records/drchrono/patient/99999", {}),
    "a record by Salesforce's id": ("GET", "/records/salesforce/patient/00399999", {}),
    "a record of 500 calls": ("GET", "/records/drchrono/patient/5", {}),
    "a record read": ("POST", "/records/drchrono/patient/99999", {}),
    "the list as JSON": ("GET", "/api/v1/patients?limit=200", {}),
    "those that failed as JSON": ("GET", "/api/v1/patients?state=failed", {}),
    "what needs attention": ("GET", "/attention", {}),
    "what needs attention of a field": ("GET", "/attention?field=email", {}),
    "what needs attention, sure?": ("POST", "/attention/dismiss", {"cause": "DUPLICATE_VALUE", "field": "email"}),
    "what needs review": ("GET", "/attention?state=needs_review", {}),
    "conflicts": ("GET", "/conflicts", {}),
    "conflicts of a field": ("GET", "/conflicts?kind=patient&field=email", {}),
    "conflicts of no field": ("GET", "/conflicts?field=nothing", {}),
    "conflicts of no kind": ("GET", "/conflicts?kind=doctor", {}),
    "conflicts by state": ("GET", "/conflicts?state=confirmed", {}),
    "conflicts not undone": ("GET", "/conflicts?undo=none", {}),
    "conflicts undone": ("GET", "/conflicts?undo=done", {}),
    "conflicts, far on": ("GET", "/conflicts?before=C5", {}),
    "a conflict": ("GET", "/conflicts/C99999", {}),
}


@pytest.fixture
async def crowded(clinic):
    """A clinic that knows 100,000 patients, a tenth of them failed, and of one of them more than 500 calls."""
    await fill(clinic.runtime.database, 1, MANY)
    why = {"side": "salesforce", "kind": "patient", "cause": "DUPLICATE_VALUE", "fields": "email", "is_held": False}
    rows = sa.select(links.c.id, *(sa.literal(value).label(name) for name, value in why.items()), db_now().label("at"))
    newest = rows.where(links.c.kind == "patient").order_by(links.c.id.desc()).limit(FAILED)
    await change(clinic.runtime.database, sa.insert(failures).from_select(["link_id", *why, "at"], newest))
    for table, theirs in ((events, {"record_id": "5"}), (journal, {"link_id": "L5"})):
        first = table.c.delivery_id if table is events else table.c.id
        await change(clinic.runtime.database, sa.update(table).where(first.like("_99%")).values(theirs))
    return clinic


@on_sqlite
async def test_every_page_takes_less_than_a_fifth_of_a_second(crowded):
    took = {}
    async with browsing(crowded) as browser:
        await browser.signs_in(OPERATOR)
        csrf = browser.csrf()
        for name, (method, path, given) in PAGES.items():
            spans = []
            for _ in range(TIMES):
                begun = perf_counter()
                data = {"csrf_token": csrf, **given} if method == "POST" else None
                answer = await browser.client.request(method, f"{HOME}{path}", data=data)
                spans.append(perf_counter() - begun)
                assert answer.status_code in (200, 303), path  # a search leads to what it found
            took[name] = min(spans)  # what the page itself takes: others work on this machine too
    print({name: f"{span * 1000:.0f} ms" for name, span in took.items()})

    assert {name: span for name, span in took.items() if span >= LIMIT_S} == {}
