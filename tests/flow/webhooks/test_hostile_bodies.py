"""Bodies made to hurt, at each of the three doors: refused before they are read, or kept, and never a crash."""

import gc

import pytest

from app.store.tables import deliveries
from tests.flow.clinic import OUTBOUND, SECRET
from tests.flow.heard import changed, outcomes
from tests.soap import ADA

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # its kind makes no difference here

EVENTS = "event-token-of-the-tests"
DOORS = {
    "drchrono": ("/webhooks/drchrono", {"x-drchrono-signature": SECRET, "x-drchrono-event": "PATIENT_MODIFY"}),
    "outbound": (f"/webhooks/salesforce/outbound/{OUTBOUND}", {"content-type": "text/xml"}),
    "events": ("/webhooks/salesforce/events", {"authorization": f"Bearer {EVENTS}"}),
}
JSON_DOORS = ["drchrono", "events"]
TEN_MEGABYTES = 10_000_000
AROUND_PYTHONS_LIMIT = range(900, 1010)  # where one function may still go deeper and the next one may not


@pytest.fixture
def known(known):
    return changed(known, salesforce_event_tokens=EVENTS)


async def post(clinic, door, body, **headers):
    path, given = DOORS[door]
    return await clinic.web.post(path, content=body, headers=given | headers)


@pytest.mark.parametrize("door", DOORS)
async def test_ten_megabytes_are_refused_by_their_declared_length_before_a_byte_is_read(clinic, door):
    async def unread():
        raise AssertionError("it was read")
        yield b""

    answer = await post(clinic, door, unread(), **{"content-length": str(TEN_MEGABYTES)})

    assert answer.status_code == 413
    assert await outcomes(clinic) == []


@pytest.mark.parametrize("declared", ["-1", "ten", "1" * 5000, "0x10", "", "²"], ids=lambda value: ascii(value[:5]))
@pytest.mark.parametrize("door", DOORS)
async def test_a_declared_length_that_is_none_changes_nothing(clinic, door, declared):
    async def endless():
        for _ in range(200):
            yield b"x" * 65_536

    answer = await post(clinic, door, endless(), **{"content-length": declared.encode("latin-1")})

    assert answer.status_code == 413
    assert await outcomes(clinic) == []


def nested(depth):
    return "[" * depth + "]" * depth


@pytest.fixture
def no_garbage():
    """Nobody's garbage is looked for meanwhile: at the end of the stack what would end it fails, too."""
    gc.disable()
    yield
    gc.enable()


def body_of(door, name, value):
    """A body that is whole but for one field, whose value is JSON that was written by hand."""
    if door == "drchrono":
        return f'{{"object": {{"id": 7, "updated_at": "2026-01-01T00:00:00", "{name}": {value}}}}}'.encode()
    return f'{{"Object_Api_Name__c": "Contact", "Record_Id__c": "{ADA}", "{name}": {value}}}'.encode()


@pytest.mark.parametrize(
    ("door", "name"),
    [("drchrono", "first_name"), ("drchrono", "updated_at"), ("drchrono", "other"), ("events", "source"),
     ("events", "EventUuid"), ("events", "other")],
)  # fmt: skip
@pytest.mark.usefixtures("no_garbage")
async def test_a_field_of_any_depth_is_acknowledged_and_kept(clinic, door, name):
    statuses = {(await post(clinic, door, body_of(door, name, nested(d)))).status_code for d in AROUND_PYTHONS_LIMIT}

    assert statuses == {200}
    assert len(await clinic.rows(deliveries)) == len(AROUND_PYTHONS_LIMIT)


@pytest.mark.usefixtures("no_garbage")
async def test_a_patient_whose_name_is_of_any_depth_hurts_only_itself(clinic):
    good = await clinic.registers(first_name="Ada", last_name="Test")
    for number, depth in enumerate(AROUND_PYTHONS_LIMIT, 8):
        body = body_of("drchrono", "first_name", nested(depth)).replace(b'"id": 7', b'"id": %d' % number)
        await post(clinic, "drchrono", body)

    await clinic.arrives(good, event="PATIENT_CREATE")

    assert [contact["FirstName"] for contact in clinic.contacts()] == ["Ada"]
