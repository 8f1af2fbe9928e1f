"""A sealed text that somebody moved to another row: it opens there for nobody, and hurts no other record."""

import sqlalchemy as sa

from app.store.tables import deliveries


async def test_a_body_moved_onto_another_delivery_changes_no_record_and_the_neighbours_go_on(clinic):
    first, second = await clinic.has_linked(), await clinic.has_linked(first_name="Nora", date_of_birth="1977-07-07")
    for patient, email in ((first, "first@example.com"), (second, "second@example.com")):
        await clinic.delivers(await clinic.edits(patient, email=email))
    newest = sa.select(deliveries.c.id, deliveries.c.body).order_by(deliveries.c.id.desc()).limit(2)
    of_second, of_first = await clinic.runtime.database.read(newest)
    moved = sa.update(deliveries).where(deliveries.c.id == of_first.id).values(body=of_second.body)
    await clinic.runtime.database.transact(lambda connection: connection.execute(moved))

    await clinic.settles()

    emails = {contact["DrChrono_Patient_Id__c"]: contact["Email"] for contact in clinic.contacts()}
    assert emails == {str(first["id"]): "old@example.com", str(second["id"]): "second@example.com"}
    assert (await clinic.link(first)).last_error == "Displaced"
