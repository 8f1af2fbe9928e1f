"""A backup under load, a database destroyed and restored: what was acknowledged before is there, the rest is found."""

import asyncio
import io
import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import timedelta

import pytest
from rich.console import Console

from app.cli.lanes import RESTORED, resume_restored
from app.store.tables import deliveries
from app.sync.model import Kind
from tests.flow.calendar import compares
from tests.flow.clinic import CONFIRM_AFTER, OPERATOR, opened
from tests.postgresql import _PSQL, say

pytestmark = pytest.mark.both
BEARER = {"Authorization": f"Bearer {OPERATOR}"}


def client(tool, database, *arguments):
    """Run one of PostgreSQL's tools on the test's database."""
    where = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    subprocess.run([_PSQL / "bin" / tool, "--dbname", where, *arguments], check=True, capture_output=True)


def back_up(database, copy):
    if not database.is_sqlite:
        client("pg_dump", database, "--format=custom", "--file", copy)
        return
    with closing(sqlite3.connect(database.path)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))


async def destroy_and_restore(database, copy, admin):
    if database.is_sqlite:
        for path in database.path.parent.glob(f"{database.path.name}*"):
            path.unlink()
        shutil.copyfile(copy, database.path)
        return
    name = database.url.database
    await database.engine.dispose()
    await say(admin, f'DROP DATABASE "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"')
    await asyncio.to_thread(client, "pg_restore", database, "--exit-on-error", copy)


async def resumes(known, *, is_meant):
    """What an operator is shown, and whether everything goes on."""
    shown = io.StringIO()
    went_on = await resume_restored(known, Console(file=shown, width=120), lambda: is_meant)
    return went_on, shown.getvalue()


async def test_a_restored_backup_goes_on_after_a_look_with_all_that_was_acknowledged_and_all_that_came_after(
    known, empty_vendors, database, tmp_path, request
):
    admin = None if database.is_sqlite else request.getfixturevalue("postgres_url")
    vendors, copy = (empty_vendors.drchrono, empty_vendors.salesforce), tmp_path / "backup"
    async with opened(known, *vendors, from_memory=True) as clinic:
        ada, ben = [await clinic.has_linked(first_name=name) for name in ("Ada", "Ben")]
        await clinic.delivers(await clinic.edits(ada, city="Acknowledged"))
        before = {row.id for row in await clinic.rows(deliveries)}

        backup = asyncio.create_task(asyncio.to_thread(back_up, database, copy))
        while not backup.done():
            assert await clinic.delivers(await clinic.edits(ada, city="Under load")) == 200
        await backup

        await clinic.delivers(await clinic.edits(ben, last_name="Afterwards"))  # acknowledged, and not yet applied
        await clinic.arrives(await clinic.registers(first_name="Cleo"), event="PATIENT_CREATE")  # and one that was
        contacts = len(clinic.contacts())
    await destroy_and_restore(database, copy, admin)

    left, looked = await resumes(known, is_meant=False)
    async with opened(known, *vendors, connects=False) as clinic:
        paused = (await clinic.web.get("/healthz")).json()["parts"]["lanes"]["state"]
    went_on, shown = await resumes(known, is_meant=True)
    async with opened(known, *vendors, connects=False) as clinic:
        kept = {row.id for row in await clinic.rows(deliveries)}
        await compares(clinic, Kind.PATIENT, since=None)
        await clinic.time_passes(CONFIRM_AFTER + timedelta(seconds=1))
        await clinic.settles()

        assert before <= kept
        assert (left, paused, went_on, RESTORED in looked) == (False, "degraded", True, False)
        assert "nothing was written" in looked
        assert "patients: " in shown
        assert len(clinic.contacts()) == contacts, "nobody is created twice"
        names = {one["FirstName"]: (one["LastName"], one["MailingCity"]) for one in clinic.contacts()}
        charts = {one["first_name"]: (one["last_name"], one["city"] or None) for one in clinic.charts()}
        assert {name: names[name] for name in ("Ada", "Ben")} == {name: charts[name] for name in ("Ada", "Ben")}
        assert names["Ben"][0] == "Afterwards"
        assert await clinic.failures() == []


async def test_a_restored_database_that_cannot_be_compared_stays_paused(known, empty_vendors):
    vendors = empty_vendors.drchrono, empty_vendors.salesforce
    async with opened(known, *vendors, connects=False) as clinic:  # its token is dead, or was never there
        went_on, shown = await resumes(known, is_meant=True)
        paused = (await clinic.web.get("/api/v1/queue", headers=BEARER)).json()["lanes"]

    assert went_on is False
    assert "every queue stays paused" in shown
    assert "chronobridge connect drchrono" in shown
    assert {(one["paused"], one["reason"]) for one in paused} == {(True, RESTORED)}
