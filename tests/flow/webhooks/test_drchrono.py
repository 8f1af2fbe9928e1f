"""DrChrono's door, answer by answer."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest

from app.store.tables import deliveries
from app.vendors.rate_limit.bucket import TokenBuckets
from app.web.webhooks.drchrono import VERIFIED_A_MINUTE
from tests.flow.clinic import OPERATOR, SECRET, opened
from tests.flow.heard import changed

SAMPLES = Path(__file__).parents[2] / "samples" / "drchrono"


async def post(clinic, body, **headers):
    given = {"x-drchrono-signature": SECRET, "x-drchrono-event": "PATIENT_MODIFY"} | headers
    return await clinic.web.post(
        "/webhooks/drchrono", content=body, headers={k.replace("_", "-"): v for k, v in given.items()}
    )


async def outcomes(clinic):
    return [row.outcome for row in await clinic.rows(deliveries)]


async def test_the_verification_answers_the_hmac_of_the_message(clinic):
    answer = await clinic.web.get("/webhooks/drchrono", params={"msg": "ünïcode & more"})

    expected = hmac.new(SECRET.encode(), "ünïcode & more".encode(), hashlib.sha256).hexdigest()
    assert (answer.status_code, answer.json()) == (200, {"secret_token": expected})


@pytest.mark.parametrize(
    "msg", ["", "x" * 257, "x" * 5000, "a\nb", "a\tb"], ids=["none", "257", "5000", "line break", "tab"]
)
async def test_a_message_of_no_reasonable_form_is_not_answered(clinic, msg):
    answer = await clinic.web.get("/webhooks/drchrono", params={"msg": msg})

    assert answer.status_code in (400, 422)
    assert "secret_token" not in answer.text


async def test_the_verification_is_answered_so_often_and_no_oftener(clinic):
    clinic.app.state.verifications = TokenBuckets(VERIFIED_A_MINUTE, lambda: 0.0)
    answers = [
        await clinic.web.get("/webhooks/drchrono", params={"msg": f"guess {number}"})
        for number in range(VERIFIED_A_MINUTE + 5)
    ]

    assert [answer.status_code for answer in answers[:VERIFIED_A_MINUTE]] == [200] * VERIFIED_A_MINUTE
    assert [answer.status_code for answer in answers[VERIFIED_A_MINUTE:]] == [429] * 5
    assert answers[-1].headers["retry-after"] == "3"


async def test_the_verification_is_answered_only_while_it_is_wanted(known, empty_vendors):
    given = changed(known, drchrono_answers_verification=False)

    async with opened(given, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as clinic:
        answer = await clinic.web.get("/webhooks/drchrono", params={"msg": "anything"})
        ping = {"x-drchrono-signature": SECRET, "x-drchrono-event": "PING"}
        delivered = await clinic.web.post("/webhooks/drchrono", content=b"{}", headers=ping)

    assert (answer.status_code, delivered.status_code) == (404, 200)


async def test_the_verification_answers_as_the_vendors_worked_example(known, empty_vendors):
    sample = json.loads((SAMPLES / "webhook_verification.json").read_text())
    given = changed(known, drchrono_webhook_secrets=sample["secret_token"])

    async with opened(given, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as clinic:
        answer = await clinic.web.get("/webhooks/drchrono", params=sample["request"]["query"])

    assert answer.json() == sample["response"]["body"]


@pytest.mark.parametrize("secret", ["wrong", "", SECRET.upper(), SECRET + " x", "ÿ"], ids=repr)
async def test_a_wrong_secret_is_refused_and_nothing_is_kept(clinic, secret):
    answer = await post(clinic, b"{}", x_drchrono_signature=secret.encode("latin-1"))

    assert answer.status_code == 401
    assert await outcomes(clinic) == []
    assert SECRET not in answer.text


async def test_a_missing_secret_is_refused(clinic):
    answer = await clinic.web.post("/webhooks/drchrono", content=b"{}")

    assert answer.status_code == 401


async def test_either_secret_of_a_rotation_is_accepted(known, empty_vendors):
    given = changed(known, drchrono_webhook_secrets=f"new-{SECRET},{SECRET}")

    async with opened(given, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as clinic:
        answers = [(await post(clinic, b"{}", x_drchrono_signature=s)).status_code for s in (f"new-{SECRET}", SECRET)]

    assert answers == [200, 200]


@pytest.mark.parametrize("body", [b'{"receiver": {}, "object": null}', b'{"object": {}}', b"{}", b""], ids=repr)
async def test_a_ping_is_answered_and_not_kept(clinic, body):
    answer = await post(clinic, body, x_drchrono_event="PING")

    assert answer.status_code == 200
    assert await outcomes(clinic) == []


async def test_a_body_over_one_mebibyte_is_refused_before_it_is_read_whole(clinic):
    read = 0

    async def endless():
        nonlocal read
        for _ in range(10_000):
            read += 65_536
            yield b"x" * 65_536

    answer = await post(clinic, endless())

    assert answer.status_code == 413
    assert read < 2 * 2**20
    assert await outcomes(clinic) == []


async def test_a_body_of_exactly_one_mebibyte_is_taken(clinic):
    body = b'{"object": {"id": 1, "pad": "' + b"x" * (2**20 - 32) + b'"}}'

    answer = await post(clinic, body.ljust(2**20))

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"not json", b"[]", b'{"object": null}', b'{"object": {"id": true}}', b'{"object": {"id": ""}}', b"\xff\xfe",
     b'{"object": {"id": "' + b"9" * 100 + b'"}}', b"[" * 5_000],
    ids=["text", "list", "no-object", "bool-id", "blank-id", "not-utf8", "long-id", "deep"],
)  # fmt: skip
async def test_a_genuine_but_unreadable_body_is_kept_flagged_and_acknowledged(clinic, body):
    answer = await post(clinic, body)

    assert answer.status_code == 200
    (kept,) = await clinic.rows(deliveries)
    assert (kept.outcome, clinic.body(kept)) == (
        "unreadable",
        body,
    )
    assert await clinic.takes() is None


@pytest.mark.parametrize("event", ["CLINICAL_NOTE_LOCK", "PATIENT_ALLERGY_CREATE", "TASK_DELETE", "", "NEW_THING"])
async def test_an_event_we_do_not_sync_is_kept_and_counted_as_skipped(clinic, event):
    answer = await post(clinic, b'{"object": {"id": 7}}', x_drchrono_event=event)

    assert answer.status_code == 200
    assert await outcomes(clinic) == ["skipped"]
    numbers = (await clinic.web.get("/metrics")).text
    assert 'chronobridge_deliveries_total{outcome="skipped",side="drchrono"}' in numbers


@pytest.mark.parametrize("name", ["document", "document_create_response_pending"])
async def test_of_a_document_only_its_id_and_its_version_are_kept(clinic, name):
    document = json.loads((SAMPLES / f"{name}.json").read_text())
    document = document.get("body", document)

    answer = await post(clinic, json.dumps({"receiver": {}, "object": document}), x_drchrono_event="DOCUMENT_CREATE")

    (kept,) = await clinic.rows(deliveries)
    assert (answer.status_code, kept.outcome) == (200, "skipped")
    assert json.loads(clinic.body(kept)) == {
        "id": str(document["id"]),
        "updated_at": document["updated_at"],
    }
    assert await clinic.takes() is None


async def test_a_patient_who_comes_and_is_corrected_as_in_the_vendors_deliveries_is_a_contact(clinic):
    names = "webhook_patient_create", "webhook_patient_modify"
    created, corrected = (json.loads((SAMPLES / f"{name}.json").read_text()) for name in names)

    for told in (created, corrected):
        headers = told["headers"] | {"X-drchrono-signature": SECRET}
        answer = await clinic.web.post("/webhooks/drchrono", content=json.dumps(told["body"]), headers=headers)
        assert answer.status_code == 200
        await clinic.settles()

    contact, patient = clinic.contact(), corrected["body"]["object"]
    assert (contact["LastName"], contact["MobilePhone"]) == (patient["last_name"], patient["cell_phone"])
    assert contact["DrChrono_Patient_Id__c"] == str(patient["id"])


async def test_a_redelivery_with_a_newer_body_counts(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    await clinic.arrives(patient, delivery="same id")

    await clinic.arrives(await clinic.edits(patient, city="Newtown"), delivery="same id")

    assert clinic.contact()["MailingCity"] == "Newtown"


async def test_deliveries_without_an_id_are_told_apart_by_event_and_body(clinic):
    body = b'{"object": {"id": 7, "updated_at": "2026-01-01T00:00:00"}}'

    for event in ("PATIENT_CREATE", "PATIENT_MODIFY", "PATIENT_MODIFY"):
        await post(clinic, body, x_drchrono_event=event)

    assert len(await outcomes(clinic)) == 2


async def test_of_a_body_only_what_the_mapping_names_is_stored(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")

    await clinic.delivers(patient | {"social_security_number": "000-00-0000", "race": "declined"})

    (kept,) = await clinic.rows(deliveries)
    stored = json.loads(clinic.body(kept))
    assert stored["first_name"] == "Ada"
    assert not {"social_security_number", "race", "receiver"} & set(stored)


@pytest.mark.parametrize("path", ["/api/v1/queue", "/api/v1/failures"])
async def test_the_api_wants_a_token_and_says_which(clinic, path):
    without = await clinic.web.get(path)
    wrong = await clinic.web.get(path, headers={"Authorization": "Bearer nonsense"})
    right = await clinic.web.get(path, headers={"Authorization": f"Bearer {OPERATOR}"})

    assert (without.status_code, wrong.status_code, right.status_code) == (401, 401, 200)
    assert "OPERATOR_TOKEN" in without.json()["detail"]
