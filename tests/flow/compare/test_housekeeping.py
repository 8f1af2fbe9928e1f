"""Housekeeping beside the worker's passes: old contents go, and the records they were about sync as before."""

from datetime import timedelta

import sqlalchemy as sa

from app.store.tables import deliveries, journal
from workers.housekeeping import keep_house

MONTH_MS = timedelta(days=31) // timedelta(milliseconds=1)


async def a_month_passes(clinic):
    async def work(connection):
        for column in (deliveries.c.received_at, journal.c.answered_at):
            earlier = sa.type_coerce(column, sa.BigInteger) - MONTH_MS
            await connection.execute(sa.update(column.table).values({column: earlier}))

    await clinic.runtime.database.transact(work)


async def test_a_record_edited_after_its_old_bodies_were_dropped_still_syncs(clinic):
    patient = await clinic.has_linked()
    await a_month_passes(clinic)

    gone = await keep_house(clinic.runtime)
    await clinic.arrives(await clinic.edits(patient, city="Newtown"))

    assert (gone["bodies"], gone["values"]) == (1, 0)  # a create replaced nothing
    assert clinic.contact()["MailingCity"] == "Newtown"
    assert await clinic.failures() == []


async def test_an_old_redelivery_whose_body_was_dropped_changes_nothing(clinic):
    patient = await clinic.registers()
    await clinic.arrives(patient, delivery="d-old")
    await a_month_passes(clinic)
    await keep_house(clinic.runtime)
    before = clinic.writes()

    await clinic.arrives(patient, delivery="d-old")

    assert clinic.writes() == before


async def test_values_a_write_replaced_go_and_what_was_done_is_still_told(clinic):
    patient = await clinic.has_linked()
    await clinic.arrives(await clinic.edits(patient, city="Newtown"))
    assert await clinic.replaced() != []
    before = [(row.id, row.state, row.stamps) for row in await clinic.journal("salesforce")]
    await a_month_passes(clinic)

    await keep_house(clinic.runtime)

    assert await clinic.replaced() == []
    assert [(row.id, row.state, row.stamps) for row in await clinic.journal("salesforce")] == before


async def test_what_waits_for_a_side_that_is_down_a_month_long_arrives_in_the_end(clinic):
    patient = await clinic.registers()
    await clinic.delivers(patient, event="PATIENT_CREATE")
    await a_month_passes(clinic)

    await keep_house(clinic.runtime)
    await clinic.settles()

    assert clinic.contact()["LastName"] == patient["last_name"]
