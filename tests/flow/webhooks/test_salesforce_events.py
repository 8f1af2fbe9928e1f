"""The door for platform events: a bearer, perhaps a signature, and every event durable before it is answered."""

import asyncio
import base64
import gzip
import hashlib
import hmac
import json

import pytest

from app.store.tables import deliveries
from tests.flow.clinic import KEY, ORG_ID, OUTBOUND, opened
from tests.flow.heard import SAMPLES, changed, due, holdings, kept, outcomes, say
from tests.soap import ADA

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # its kind makes no difference here

EVENTS = "event-token-of-the-tests"
BEN = "003SYN000000002YBA"
SHAPES = [
    "platform_event_flow_http_callout",
    "platform_event_apex_callout_batch",
    "platform_event_apex_raw_json_serialize",
    "eventbridge_relay_platform_event",
]
CDC = (SAMPLES / "eventbridge_relay_cdc.json").read_bytes()
OUR_ECHO = (SAMPLES / "cdc_contact_echo_of_our_write.json").read_bytes()


@pytest.fixture
def known(known):
    return changed(known, salesforce_event_tokens=f"{EVENTS},next-{EVENTS}")


@pytest.fixture
async def signing(known, empty_vendors):
    """A clinic that has keys for signatures."""
    given = changed(known, salesforce_event_signing_keys=KEY)
    async with opened(given, empty_vendors.drchrono, empty_vendors.salesforce, from_memory=True) as it:
        yield it


async def post(clinic, body, authorization=f"Bearer {EVENTS}", **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"content-type": "application/json", "authorization": authorization} | headers
    return await clinic.web.post("/webhooks/salesforce/events", content=content, headers=given)


def an_event(record_id=ADA, uuid="u-1", **more):
    return {"EventUuid": uuid, "Object_Api_Name__c": "Contact", "Record_Id__c": record_id} | more


def a_batch(*events, org=ORG_ID):
    return {"organizationId": org, "events": list(events)}


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", f"Basic {EVENTS}", EVENTS, "Bearer wrong-token-of-the-tests", f"Bearer {EVENTS} x",
     f"Bearer {EVENTS.upper()}", f"Bearer {OUTBOUND}", b"Bearer \xff"],
    ids=repr,
)  # fmt: skip
async def test_without_the_right_bearer_nothing_is_kept(clinic, authorization):
    answer = await post(clinic, an_event(), authorization)

    assert answer.status_code == 401
    assert EVENTS not in answer.text
    assert await outcomes(clinic) == []


@pytest.mark.parametrize("authorization", [f"Bearer {EVENTS}", f"bearer  {EVENTS}", f"BEARER next-{EVENTS}"])
async def test_the_scheme_may_be_in_any_case_and_either_token_of_a_rotation_is_known(clinic, authorization):
    assert (await post(clinic, an_event(), authorization)).status_code == 200


async def test_where_no_token_is_set_nobody_is_let_in(known, empty_vendors):
    given = changed(known, salesforce_event_tokens="")

    async with opened(given, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as clinic:
        answers = [await post(clinic, an_event(), bearer) for bearer in ("Bearer ", f"Bearer {EVENTS}")]

    assert [answer.status_code for answer in answers] == [401, 401]


@pytest.mark.parametrize("name", SHAPES)
async def test_each_shape_makes_its_contact_due(clinic, name):
    body = (SAMPLES / f"{name}.json").read_bytes()

    answer = await post(clinic, body)

    assert answer.status_code == 200
    assert ("salesforce", "patient", ADA) in await due(clinic)
    assert answer.json() == {"kept": len(await outcomes(clinic))}


async def test_one_event_in_two_batches_is_kept_once(clinic):
    first, second, third = an_event(ADA, "u-1"), an_event(BEN, "u-2"), an_event(ADA, "u-3")

    statuses = [(await post(clinic, body)).status_code for body in (a_batch(first, second), [second, third], second)]

    assert statuses == [200, 200, 200]
    assert [record for _, _, record in await due(clinic)] == [ADA, ADA, BEN]


async def test_one_event_twice_in_a_batch_is_kept_once(clinic):
    answer = await post(clinic, a_batch(an_event(), an_event(), an_event(BEN, "u-2")))

    assert answer.status_code == 200
    assert [record for _, _, record in await due(clinic)] == [ADA, BEN]


async def test_callouts_without_a_uuid_are_told_apart_by_their_bodies(clinic):
    flow = json.loads((SAMPLES / "platform_event_flow_http_callout.json").read_text())

    for body in (flow, flow | {"systemModstamp": "2026-11-20T15:04:06Z"}, flow | {"recordId": BEN}):
        await post(clinic, body)

    assert [record for _, _, record in await due(clinic)] == [ADA, ADA, BEN]


async def test_a_second_edit_within_a_second_is_heard_though_its_callout_looks_the_same(clinic):
    flow = (SAMPLES / "platform_event_flow_http_callout.json").read_bytes()
    await post(clinic, flow)
    await clinic.settles()

    answer = await post(clinic, flow)

    assert answer.status_code == 200
    assert await clinic.takes() is not None


async def test_a_merge_makes_both_records_due(clinic):
    await post(clinic, an_event(Operation__c="MERGE", Master_Record_Id__c=BEN))

    assert [record for _, _, record in await due(clinic)] == [ADA, BEN]
    assert await kept(clinic) == [{"object": "Contact", "operation": "MERGE", "records": [ADA, BEN]}]


async def test_a_batch_of_the_most_events_is_kept_whole(clinic):
    ids = [f"003SYN{number:09d}YBA" for number in range(2000)]

    answer = await post(clinic, a_batch(*(an_event(one, one) for one in ids)))

    assert answer.status_code == 200
    assert [record for _, _, record in await due(clinic)] == ids


async def test_an_object_is_known_in_whatever_case_its_name_was_typed(clinic):
    await post(clinic, an_event(Object_Api_Name__c="contact"))

    assert await due(clinic) == [("salesforce", "patient", ADA)]


async def test_an_object_we_do_not_sync_is_kept_as_skipped(clinic):
    answer = await post(clinic, an_event(Object_Api_Name__c="Case"))

    assert answer.status_code == 200
    assert (await outcomes(clinic), await due(clinic)) == (["skipped"], [])


@pytest.mark.parametrize(
    "body", [b"", b"not json", b"{}", b"[" * 5000, CDC, OUR_ECHO, gzip.compress(b"{}")],
    ids=["empty", "text", "bare", "deep", "change event", "echo", "gzip"],
)  # fmt: skip
async def test_what_cannot_be_read_is_kept_flagged_and_acknowledged(clinic, capsys, body):
    answer = await post(clinic, body)

    (row,) = await clinic.rows(deliveries)
    assert answer.status_code == 200
    assert (row.outcome, clinic.body(row)) == (
        "unreadable",
        body,
    )
    assert "delivery.unreadable" in "".join(capsys.readouterr())


@pytest.mark.parametrize("org", ["00DSYN0000000092BA", ORG_ID.lower(), "", None], ids=repr)
async def test_a_batch_of_another_org_is_refused_and_not_kept(clinic, org):
    answer = await post(clinic, a_batch(an_event(), org=org))

    assert answer.status_code == 403
    assert await outcomes(clinic) == []


async def test_a_relay_of_another_org_is_refused(clinic):
    body = (SAMPLES / "eventbridge_relay_platform_event.json").read_bytes()

    answer = await post(clinic, body.replace(ORG_ID.encode(), b"00DSYN0000000092BA"))

    assert answer.status_code == 403
    assert await outcomes(clinic) == []


async def test_with_keys_a_body_must_be_signed(signing):
    body = json.dumps(an_event()).encode()
    now_s = int(signing.runtime.now().timestamp())

    def signed(at_s, over):
        mac = hmac.new(base64.urlsafe_b64decode(KEY), f"{at_s}.".encode() + over, hashlib.sha256).hexdigest()
        return {"x-chronobridge-signature": f"t={at_s},v1={mac}"}

    answers = [
        await post(signing, body, **headers)
        for headers in ({}, signed(now_s - 400, body), signed(now_s, body + b" "), signed(now_s, body))
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 200]
    assert await outcomes(signing) == ["kept"]


async def test_what_could_not_be_stored_is_not_answered_well_and_counts_when_it_comes_again(clinic):
    body = a_batch(an_event(), an_event(BEN, "u-2"))
    await say(clinic, "ALTER TABLE deliveries RENAME TO elsewhere")
    refused = await post(clinic, body)
    await say(clinic, "ALTER TABLE elsewhere RENAME TO deliveries")

    again = await post(clinic, body)

    assert (refused.status_code, again.status_code) == (503, 200)
    assert [record for _, _, record in await due(clinic)] == [ADA, BEN]


@pytest.mark.parametrize(("size", "status"), [(2**20, 200), (2**20 + 1, 413)])
async def test_a_body_is_at_most_a_mebibyte(clinic, size, status):
    answer = await post(clinic, json.dumps(an_event()).encode().ljust(size))

    assert answer.status_code == status
    assert len(await outcomes(clinic)) == (status == 200)


async def test_of_an_event_only_ids_lie_in_the_database_and_nothing_secret_in_a_log(clinic, capsys):
    await post(clinic, an_event(Changed_Fields__c="Canary", LastName="Canary", DrChrono_Id__c="Canary"))
    await post(clinic, an_event(), "Bearer a-guess-that-is-wrong")

    said = "".join(capsys.readouterr())
    assert "delivery.kept" in said
    assert "Canary" not in said + await holdings(clinic)
    assert (EVENTS in said, "a-guess" in said) == (False, False)


@pytest.mark.parametrize("name", ["EventUuid", "systemModstamp"])
@pytest.mark.parametrize("text", ["\ud800", "a\x00b"], ids=["surrogate", "nul"])
async def test_text_that_no_database_can_hold_is_no_reason_to_refuse(clinic, name, text):
    answer = await post(clinic, an_event(**{name: text}))

    assert answer.status_code == 200


async def test_the_same_event_from_many_at_once_is_kept_once(clinic):
    answers = await asyncio.gather(*(post(clinic, an_event()) for _ in range(20)))

    assert {answer.status_code for answer in answers} == {200}
    assert len(await due(clinic)) == 1


@pytest.mark.parametrize(
    "record_id",
    [
        "001SYN000000001YBA",
        "003SYN000000001ZZZ",
        "x" * 18,
        "9" * 100,
        "\x00" * 18,
        "\ud800",
        "../users/current",
        7,
        None,
    ],
    ids=ascii,
)
async def test_an_id_that_is_none_of_its_objects_is_kept_as_unreadable_and_its_neighbour_is_heard(clinic, record_id):
    contact = clinic.human_ticks_contact()

    answer = await post(clinic, a_batch(an_event(record_id, "u-1"), an_event(contact, "u-2")))
    await clinic.settles()

    assert answer.status_code == 200
    assert sorted(await outcomes(clinic)) == ["kept", "unreadable"]
    assert [chart["first_name"] for chart in clinic.charts()] == ["Tess"]
