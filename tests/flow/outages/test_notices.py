"""People are told of what needs attention, once, by whoever works; nothing of a patient is in it, and nothing waits."""

import html
import json
import re
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa
from rich.console import Console
from structlog.testing import capture_logs

from app.cli.notify import print_test
from app.runtime import ledger_of
from app.store import lanes, schedules, tables
from app.store.clock import after, db_now
from app.sync.brake import reason_of
from app.sync.model import Kind, Lane, Side
from app.sync.notices import NoticeEvent
from tests.contract.listening import listening
from tests.flow.browser import browsing
from tests.flow.clinic import OPERATOR, opened, settings_of
from tests.flow.patience import ages
from workers.notices import tell_when_due, verify_audit_when_due

BEARER = {"authorization": f"Bearer {OPERATOR}"}
CANARY = {"first_name": "Canary", "last_name": "Canarysson", "date_of_birth": "1951-02-03"}
MINUTE = timedelta(minutes=1)
WITHOUT_AUDIT = ",".join(set(NoticeEvent) - {NoticeEvent.AUDIT})  # these clinics' audit begins in the middle
NOTICES = (tables.notices, tables.notice_conditions)


@pytest.fixture
def receiver():
    with listening((200, b"ok")) as it:
        yield it


@pytest.fixture
async def told(database, empty_vendors, receiver):
    """A clinic that tells people by Slack."""
    it = empty_vendors
    urls = (str(side.base_url).rstrip("/") for side in (it.drchrono, it.salesforce))
    known = settings_of(
        database, *urls, it.ca_file, notify_slack_url=receiver.url, notify_plaintext=True, notify_events=WITHOUT_AUDIT
    )
    async with opened(known, it.drchrono, it.salesforce, from_memory=True) as clinic:
        yield clinic


async def looks(clinic, passed=timedelta(0)):
    """A worker looks, so long after everything before."""
    await ages(clinic, passed)
    await schedules.again_in(clinic.runtime.database, "notices", timedelta(0))
    await tell_when_due(clinic.runtime)


def texts(receiver):
    return [json.loads(body)["text"] for body in receiver.bodies]


async def test_the_first_failure_of_an_error_is_told_once_with_its_fix_and_then_that_it_is_over(told, receiver):
    patient = await told.has_linked(**CANARY)
    await told.arrives(await told.edits(patient, date_of_birth="1492-01-01"))
    for passed in (0, 2, 0, 2):
        await looks(told, passed * MINUTE)
    failing = texts(receiver)
    await told.arrives(await told.edits(patient, date_of_birth="1951-02-03"))
    for passed in (0, 6, 6):
        await looks(told, passed * MINUTE)

    (first,), (_, second) = failing, texts(receiver)
    assert first.startswith("*1 patient failed: Salesforce does not accept the date in the date of birth.* ")
    assert "It is the error date_out_of_range (Salesforce). How to fix: Correct the named date" in first
    assert "https://sync.example.com/attention?cause=date_out_of_range&amp;kind=patient&amp;side=" in first
    assert second.startswith("*Resolved: No patient needs attention any more for the error date_out_of_range")
    assert not [word for word in ("anary", "1951", "1492", str(patient["id"])) if word in first + second]


async def test_where_nobody_is_to_be_told_nothing_is_looked_at_or_stored(clinic):
    patient = await clinic.has_linked(**CANARY)
    await clinic.arrives(await clinic.edits(patient, date_of_birth="1492-01-01"))

    await looks(clinic, 2 * MINUTE)
    await looks(clinic, 2 * MINUTE)

    assert [await clinic.rows(table) for table in NOTICES] == [[], []]
    assert "notices" not in [row.name for row in await clinic.rows(tables.schedules)]
    assert "notices" not in (await clinic.web.get("/healthz")).json()["parts"]


async def silent(connection):
    feed = {"side": "drchrono", "doubted": [], "explained": [], "found": 3}
    await connection.execute(sa.delete(tables.feeds))
    at = sa.select(sa.func.min(tables.watermarks.c.at)).scalar_subquery()
    await connection.execute(sa.insert(tables.feeds).values(**feed, heard_at=at, silent_since=at))


async def test_a_lane_that_the_safety_limit_paused_is_told_and_one_that_a_person_paused_is_not(told, receiver):
    await lanes.set_paused(told.runtime.database, [Lane.RETRY], "Salesforce is being upgraded")
    await lanes.set_paused(told.runtime.database, [Lane.COMPARE], reason_of(Kind.PATIENT, "120 of 300 would change"))

    await looks(told)

    (text,) = texts(receiver)
    assert text.startswith(
        "*Reconciliation is paused by the safety limit.* Comparing patients: 120 of 300 would change. "
    )
    assert "upgraded" not in text


async def test_a_feed_that_is_silent_is_told(told, receiver):
    await told.runtime.database.transact(silent)

    await looks(told)

    assert texts(receiver)[0].startswith("*No events are received from DrChrono.* DrChrono stopped calling at ")


async def everything_at_once(told):
    """DrChrono is down, a record has waited for two days, no call is left, and the first load has just ended."""
    budget = told.runtime.drchrono.grant.budget
    for _ in range(6):
        await ledger_of(told.runtime.settings, told.runtime.database, Side.DRCHRONO).failed(lambda _count: 0.0)
    await told.has_linked(**CANARY)
    (link,) = await told.links()
    budget.allowance = replace(budget.allowance, per_hour=0)

    async def work(connection):
        row = {"link_id": link.id, "side": "drchrono", "kind": "patient", "cause": "several_charts", "fields": ""}
        ago = after(-timedelta(days=2))
        await connection.execute(sa.insert(tables.failures).values(**row, is_held=True, at=ago, since=ago))
        loaded = sa.update(tables.backfills).where(tables.backfills.c.kind == "patient")
        await connection.execute(loaded.values(load_asked_at=db_now(), loaded_at=db_now()))
        waits = {"due_at": after(timedelta(days=1)), "confirm_at": after(timedelta(days=1))}
        await connection.execute(sa.update(tables.links).where(tables.links.c.kind == "patient").values(waits))

    await told.runtime.database.transact(work)


async def test_what_comes_up_together_is_one_notice_the_most_pressing_first(told, receiver):
    await everything_at_once(told)

    await looks(told)
    await looks(told, 11 * MINUTE)

    at_once, later = ([line.partition(". ")[0] for line in text.splitlines()[1:]] for text in texts(receiver))
    assert at_once == [
        "• 1 patient has needed review for more than a day: Several patients in DrChrono have this name and birth date",
        "• The initial sync of patients is done",
    ]
    assert later == [
        "• The connection to DrChrono is down",
        "• DrChrono allows 0 more calls this hour, and 1 edit waits for one",
    ]


async def tampered(connection):
    await connection.execute(sa.update(tables.audit).values(about="nothing"))


async def test_an_audit_that_is_not_whole_is_told_and_looked_into_once_a_day(told, receiver):
    settings = told.runtime.settings.model_copy(update={"notify_events": (NoticeEvent.AUDIT,)})
    object.__setattr__(told.runtime, "settings", settings)
    await told.web.post("/api/v1/notices/test", headers=BEARER)
    await told.runtime.database.transact(tampered)
    receiver.bodies.clear()

    for passed in (0, 2):
        await verify_audit_when_due(told.runtime)
        await looks(told, passed * MINUTE)

    (text,) = texts(receiver)
    assert text.startswith("*The audit is not whole: somebody changed it.*")


async def test_a_receiver_that_is_away_loses_nothing_and_shows_as_degraded(told, receiver):
    await told.runtime.database.transact(silent)
    receiver.answer = (503, b"")
    with capture_logs() as lines:
        await looks(told)
    await told.app.state.health.look()
    part = (await told.web.get("/healthz")).json()["parts"]["notices"]
    page = (await told.web.get("/connections", headers=BEARER)).text
    receiver.answer = (200, b"")
    await looks(told, MINUTE)
    (one,) = (await told.web.get("/api/v1/notices", headers=BEARER)).json()["items"]

    assert ("notice.not_sent", "slack") in [(line["event"], line.get("channel")) for line in lines]
    assert part["state"] == "degraded"
    assert part["advice"].startswith("slack did not get through: it answered 503: check NOTIFY_SLACK_URL")
    assert "Slack did not get through: it answered 503" in page
    assert texts(receiver)[0] == texts(receiver)[1]
    assert [(each["channel"], each["state"], each["attempts"]) for each in one["deliveries"]] == [("slack", "sent", 2)]
    assert receiver.url not in json.dumps([part, one, *map(str, lines)])


async def test_a_test_says_of_each_channel_whether_it_was_sent_and_is_noted(told, receiver):
    sent = (await told.web.post("/api/v1/notices/test", headers=BEARER)).json()
    receiver.answer = (404, b"")
    failed = (await told.web.post("/api/v1/notices/test", headers=BEARER)).json()
    acts = (await told.web.get("/api/v1/audit?action=try_out", headers=BEARER)).json()["items"]

    assert sent == {"ok": True, "channels": [{"channel": "slack", "sent": True, "reason": ""}]}
    assert not failed["ok"]
    assert failed["channels"][0]["reason"].startswith("it answered 404")
    assert [act["about"] for act in acts] == ["notices by Slack"] * 2
    assert await told.rows(tables.notices) == []


async def one_is_dismissed(connection):
    row = {"link_id": "none", "side": "salesforce", "kind": "patient", "cause": "held", "fields": "", "is_held": True}
    times = dict.fromkeys(("at", "since", "dismissed_at"), db_now())
    await connection.execute(sa.insert(tables.failures).values(**row, **times))


async def fails(cause, link_id, connection):
    row = {"link_id": link_id, "side": "salesforce", "kind": "patient", "cause": cause, "fields": "FirstName"}
    times = dict.fromkeys(("at", "since"), db_now())
    await connection.execute(sa.insert(tables.failures).values(**row, **times, is_held=False))


async def test_the_morning_is_told_in_one_line(told, receiver):
    now = told.runtime.now().astimezone(told.runtime.settings.zone)
    settings = told.runtime.settings.model_copy(update={"notify_digest_at": now.time().replace(second=0)})
    object.__setattr__(told.runtime, "settings", settings)
    patient = await told.has_linked(**CANARY)
    await told.arrives(await told.edits(patient, date_of_birth="1492-01-01"))
    await told.runtime.database.transact(one_is_dismissed)

    await looks(told)
    await looks(told)

    (text,) = texts(receiver)
    assert text.startswith("*0 to review, 1 failed, 1 dismissed; nothing lost.*")


async def test_the_link_of_a_notice_leads_on_once_a_person_has_signed_in(told, receiver):
    await told.has_linked(**CANARY)
    (link,) = await told.links()
    await told.runtime.database.transact(partial(fails, "cannot_be_empty", link.id))
    await looks(told)
    await looks(told, 2 * MINUTE)
    address = html.unescape(re.search(r"<https://sync.example.com([^|]*)\|Open>", texts(receiver)[0])[1])

    async with browsing(told) as browser:
        asked = await browser.open(address)
        page = await browser.signs_in(OPERATOR)

    assert asked.heading == "Sign in"
    assert (page.status, f"{page.url.path}?{page.url.query.decode()}") == (200, address)
    assert "first name" in page.text


async def test_a_person_sends_a_test_from_the_connections_and_sees_what_was_sent(told, receiver):
    await told.runtime.database.transact(silent)
    await looks(told)

    async with browsing(told) as browser:
        await browser.signs_in(OPERATOR)
        await browser.open("/connections")
        page = await browser.presses("Send a test notice")

    assert "The test by Slack was sent." in page.text
    assert page.links["No events are received from DrChrono"] == "/deliveries"
    assert texts(receiver)[1].startswith("*This is a test.*")


async def test_the_command_says_of_each_channel_whether_it_works_and_why_not(told, receiver, capsys):
    known = told.runtime.settings
    works = await print_test(known, Console(soft_wrap=True))
    receiver.answer = (410, b"")
    fails = await print_test(known, Console(soft_wrap=True))
    nobody = await print_test(known.model_copy(update={"notify_slack_url": None}), Console(soft_wrap=True))

    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("slack", "no channel"))]
    assert (works, fails, nobody) == (0, 1, 1)
    assert said == [
        "slack: sent",
        "slack: not sent: it answered 410: check NOTIFY_SLACK_URL and what the receiver says of it",
        "no channel is set up: set NOTIFY_SMTP_URL, NOTIFY_SLACK_URL or NOTIFY_URL (deploy/docs/notices.md)",
    ]
