"""The door for outbound messages: the whole message is durable, then one Ack; whoever may not send gets none."""

import gzip

import pytest
from defusedxml.ElementTree import fromstring

from app.store.tables import deliveries
from tests.flow.clinic import ORG_ID, OUTBOUND, opened
from tests.flow.heard import SAMPLES, changed, due, holdings, kept, outcomes, say
from tests.soap import ADA, a_message, a_notification

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # its kind makes no difference here

SESSION = "00DSYN000000001!AQsecretsession"
CONTACT = (SAMPLES / "outbound_message_contact_1.xml").read_bytes()
NEWER = (SAMPLES / "outbound_message_redelivery_same_ids_newer_values.xml").read_bytes()
DELETED = a_notification("", notification_id="04lSYN000000005YBA")
VALUES = ["Alex", "Sample", "alex.sample@example.invalid", "(555) 010-0001", "1980-02-03", "900001"]
MOST_BYTES = 8 * 2**20


async def post(clinic, body, token=OUTBOUND, **headers):
    given = {"content-type": "text/xml; charset=utf-8", "soapaction": '""'} | headers
    return await clinic.web.post(f"/webhooks/salesforce/outbound/{token}", content=body, headers=given)


def is_acked(answer):
    ack = "{http://soap.sforce.com/2005/09/outbound}Ack"
    return answer.status_code == 200 and [one.text for one in fromstring(answer.content).iter(ack)] == ["true"]


async def test_a_whole_message_is_kept_and_answered_with_one_ack(clinic):
    ids = [f"003SYN{number:09d}YBA" for number in range(100)]

    answer = await post(clinic, a_message(*(a_notification(one) for one in ids)))

    assert is_acked(answer)
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert await outcomes(clinic) == ["kept"]
    assert await due(clinic) == [("salesforce", "patient", one) for one in ids]


@pytest.mark.parametrize(
    "token",
    ["wrong-token-of-the-tests", OUTBOUND.upper(), OUTBOUND[:-1], OUTBOUND + "x", "%20", "ÿ", "%ED%A0%80", "undefined"],
)
async def test_with_a_wrong_token_there_is_nothing(clinic, token):
    answer = await post(clinic, CONTACT, token=token)

    assert (answer.status_code, b"Ack" in answer.content) == (404, False)
    assert await outcomes(clinic) == []


@pytest.mark.parametrize(("tokens", "statuses"), [(f"new-{OUTBOUND},{OUTBOUND}", [200, 200]), ("", [404, 404])])
async def test_either_token_of_a_rotation_is_known_and_without_tokens_none_is(known, empty_vendors, tokens, statuses):
    given = changed(known, salesforce_outbound_tokens=tokens)

    async with opened(given, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as clinic:
        answers = [await post(clinic, CONTACT, token) for token in (f"new-{OUTBOUND}", OUTBOUND)]

    assert [answer.status_code for answer in answers] == statuses


@pytest.mark.parametrize(
    ("org", "status"),
    [(ORG_ID, 200), (ORG_ID[:15], 200), ("00DSYN0000000092BA", 403), (ORG_ID.lower(), 403), (ORG_ID[:14], 403),
     ("", 403)],
    ids=["18", "15", "another", "other case", "cut", "none"],
)  # fmt: skip
async def test_a_message_of_another_org_gets_no_ack(clinic, org, status):
    answer = await post(clinic, a_message(org=org))

    assert (answer.status_code, b"Ack" in answer.content) == (status, status == 200)
    assert len(await outcomes(clinic)) == (status == 200)


async def test_the_sample_of_another_org_is_refused_and_not_kept(clinic):
    answer = await post(clinic, (SAMPLES / "outbound_message_wrong_org.xml").read_bytes())

    assert answer.status_code == 403
    assert await outcomes(clinic) == []


async def test_what_could_not_be_stored_is_not_acknowledged_and_counts_when_it_comes_again(clinic):
    await say(clinic, "ALTER TABLE deliveries RENAME TO elsewhere")
    refused = await post(clinic, CONTACT)
    await say(clinic, "ALTER TABLE elsewhere RENAME TO deliveries")

    again = await post(clinic, CONTACT)

    assert (refused.status_code, b"Ack" in refused.content) == (503, False)
    assert is_acked(again)
    assert await due(clinic) == [("salesforce", "patient", ADA)]


async def test_a_message_that_comes_again_is_acknowledged_and_kept_once(clinic):
    answers = [await post(clinic, CONTACT) for _ in range(3)]

    assert [is_acked(answer) for answer in answers] == [True] * 3
    assert await outcomes(clinic) == ["kept"]


async def test_a_message_that_comes_again_with_newer_values_counts(clinic):
    for body in (CONTACT, NEWER, CONTACT, NEWER):
        await post(clinic, body)

    assert await due(clinic) == [("salesforce", "patient", ADA)] * 2


async def test_of_a_readable_message_only_ids_lie_in_the_database(clinic, capsys):
    await post(clinic, CONTACT)
    await clinic.settles()

    (told,) = await kept(clinic)
    lying, said = await holdings(clinic), "".join(capsys.readouterr())
    assert told == [{"id": "04lSYN000000001YBA", "object": "Contact", "record": ADA}]
    assert "delivery.kept" in said
    assert [value for value in (*VALUES, OUTBOUND) if value in lying or value in said] == []


async def test_a_session_id_is_dropped_and_warned_about(clinic, capsys):
    answer = await post(clinic, a_message(session=SESSION))

    said = "".join(capsys.readouterr())
    assert is_acked(answer)
    assert "delivery.session_dropped" in said
    assert SESSION not in said + await holdings(clinic)


async def test_a_session_id_is_dropped_also_where_a_record_was_deleted(clinic):
    await post(clinic, a_message(a_notification(), DELETED, session=SESSION))

    assert SESSION not in await holdings(clinic)


async def test_values_beside_a_deleted_record_are_not_kept(clinic):
    await post(clinic, a_message(a_notification(FirstName="Canary"), DELETED))

    assert "Canary" not in await holdings(clinic)


async def test_a_record_deleted_before_sending_is_flagged_acknowledged_and_hides_no_other(clinic):
    answer = await post(clinic, a_message(DELETED, a_notification()))

    assert is_acked(answer)
    assert await outcomes(clinic) == ["unreadable"]
    assert await due(clinic) == [("salesforce", "patient", ADA)]


async def test_the_sample_of_a_deleted_record_is_acknowledged_and_makes_nothing_due(clinic):
    answer = await post(clinic, (SAMPLES / "outbound_message_record_deleted_before_send.xml").read_bytes())

    assert is_acked(answer)
    assert (await outcomes(clinic), await due(clinic)) == (["unreadable"], [])


async def test_an_object_we_do_not_sync_is_kept_as_skipped(clinic):
    answer = await post(clinic, a_message(a_notification("500SYN000000001YBA", kind="Case")))

    assert is_acked(answer)
    assert (await outcomes(clinic), await due(clinic)) == (["skipped"], [])


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"<html/>", a_message()[:-9], b"\xff" * 9], ids=lambda body: repr(body[:9])
)
async def test_what_cannot_be_read_is_kept_flagged_and_acknowledged(clinic, capsys, body):
    answer = await post(clinic, body)

    (row,) = await clinic.rows(deliveries)
    assert is_acked(answer)
    assert (row.outcome, clinic.body(row)) == (
        "unreadable",
        body,
    )
    assert "delivery.unreadable" in "".join(capsys.readouterr())
    assert await clinic.takes() is None


@pytest.mark.parametrize("name", ["hostile_entity_expansion", "hostile_external_entity"])
async def test_a_document_type_is_refused_and_not_kept(clinic, name):
    answer = await post(clinic, (SAMPLES / f"{name}.xml").read_bytes())

    assert (answer.status_code, b"Ack" in answer.content) == (400, False)
    assert await outcomes(clinic) == []


@pytest.mark.parametrize(
    "head", ['<?xml version="1.0" encoding="UTF-16"?>', '<?xml version="1.0" encoding="latin-1"?>']
)
async def test_another_encoding_is_refused_and_not_kept(clinic, head):
    answer = await post(clinic, a_message(head=head))

    assert answer.status_code == 400
    assert await outcomes(clinic) == []


async def test_a_compressed_message_is_refused_and_not_kept(clinic):
    answer = await post(clinic, gzip.compress(CONTACT), **{"content-encoding": "gzip"})

    assert answer.status_code == 400
    assert await outcomes(clinic) == []


async def test_a_message_over_eight_mebibytes_is_refused_before_it_is_read_whole(clinic):
    read = 0

    async def endless():
        nonlocal read
        for _ in range(1000):
            read += 65_536
            yield b"x" * 65_536

    answer = await post(clinic, endless())

    assert answer.status_code == 413
    assert read <= MOST_BYTES + 2 * 65_536
    assert await outcomes(clinic) == []


async def test_a_message_of_exactly_eight_mebibytes_is_taken(clinic):
    body = a_message(a_notification(Notes__c="x"))

    answer = await post(clinic, body.replace(b">x<", b">" + b"x" * (MOST_BYTES - len(body) + 1) + b"<"))

    assert is_acked(answer)
    assert await outcomes(clinic) == ["kept"]


async def test_a_wrong_token_is_no_reason_to_read_the_body(clinic):
    async def unreadable():
        raise AssertionError("it was read")
        yield b""

    assert (await post(clinic, unreadable(), token="wrong")).status_code == 404
