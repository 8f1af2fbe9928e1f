"""What needs attention, at a terminal: listed, retried, dismissed and restored, a few or all, and never by a name."""

import asyncio
import csv
import io
import json

import pytest

from app.cli import init
from app.settings.env_file import fresh, render
from app.store import outcomes
from app.store.database import Database
from app.store.migrate import migrate
from app.store.result import Failure
from app.sync.model import Side
from tests.processes.commands import chronobridge, ordinary
from tests.store.build import a_result, taken

REFUSED, EMPTY = "FIELD_CUSTOM_VALIDATION_EXCEPTION", "cannot_be_empty"
MANY = 7


async def fail(folder):
    """Let seven records be refused by a rule of Salesforce's, and one for what it lacks."""
    async with Database(f"sqlite+aiosqlite:///{folder}/var/chronobridge.db").opened() as database:
        await migrate(database)
        for ids, cause in (([f"22000010{n}" for n in range(MANY)], REFUSED), (["220000200"], EMPTY)):
            batch = await taken(database, *ids)
            failure = Failure(Side.SALESFORCE, cause, ("MobilePhone",))
            await outcomes.save(database, batch.token, [a_result(due, failure=failure) for due in batch.due])


@pytest.fixture
def folder(tmp_path):
    init.write(tmp_path / ".env", render(fresh("https://sync.example.com")))
    asyncio.run(fail(tmp_path))
    return tmp_path


def said(folder, *arguments):
    return chronobridge(folder, ordinary(COLUMNS="200"), *arguments)


def listed(folder, *arguments):
    return json.loads(said(folder, "failures", "--json", *arguments).stdout)["items"]


def test_what_needs_attention_is_a_table_with_what_is_wrong_in_a_sentence(folder):
    told = said(folder, "failures", "--limit", "1")

    assert (told.returncode, told.stderr) == (0, "")
    sentence, fix, heading, row, *_, last = told.stdout.splitlines()
    assert sentence == f"A validation rule in Salesforce rejects this patient (cell phone). {REFUSED}"
    assert fix.startswith("How to fix: ")
    assert heading.split() == ["record", "status", "since", "tries", "next", "retry", "id"]
    assert row.split()[:3] == ["patient", "220000100", "Failed"]
    assert last == "1 of 8 shown; 8 failed, 0 need review, 0 dismissed"


def test_for_a_script_it_is_json_or_csv_of_those_that_match_and_names_nobody(folder):
    items = listed(folder, "--cause", EMPTY)
    rows = list(csv.DictReader(io.StringIO(said(folder, "failures", "--csv", "--cause", EMPTY).stdout)))

    assert [(one["drchrono_id"], one["code"], "name" in one) for one in items] == [("220000200", EMPTY, False)]
    assert [(row["drchrono_id"], row["error"]) for row in rows] == [("220000200", EMPTY)]


def test_more_than_a_few_are_retried_only_once_that_is_meant(folder):
    dry = said(folder, "retry", "--cause", REFUSED, "--dry-run")
    unsure = said(folder, "retry", "--cause", REFUSED)
    none_yet = [one["retrying"] for one in listed(folder)]
    few = said(folder, "retry", "--limit", "5")
    sure = said(folder, "retry", "--cause", REFUSED, "--yes")

    assert (dry.returncode, dry.stdout) == (
        0,
        f"7 records would be retried ({REFUSED}); nothing was done\n",
    )
    assert (unsure.returncode, "say --yes if that is meant" in unsure.stderr) == (2, True)
    assert not any(none_yet)
    assert (few.returncode, few.stdout) == (0, "5 records retried\n")
    assert (sure.stdout, "start `chronobridge work`" in sure.stderr) == ("7 records retried\n", True)


def test_those_that_are_picked_are_dismissed_for_a_reason_and_restored(folder):
    first, second, *_ = [one["id"] for one in listed(folder)]
    unsaid = said(folder, "discard", first)
    gone = said(folder, "discard", first, second, "--because", "they moved away")
    dismissed = listed(folder, "--dismissed")
    left = len(listed(folder))
    back = said(folder, "restore", first)
    unknown = said(folder, "restore", "nobody")

    assert (unsaid.returncode, "--because" in unsaid.stderr) == (2, True)
    assert (gone.returncode, gone.stdout) == (0, "2 records dismissed\n")
    assert [(one["id"], one["reason"]) for one in dismissed] == [(id_, "they moved away") for id_ in (first, second)]
    assert (left, back.stdout) == (6, "1 record restored\n")
    assert (unknown.returncode, "1 of the ids match nothing" in unknown.stderr) == (1, True)
