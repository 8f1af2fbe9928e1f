"""What DrChrono answers to a PATCH, and what becomes of the edit: tried again, waited for, or a person is told."""

from datetime import timedelta

import pytest

from app.settings.fields import Settings
from app.sync.failure_causes import fix
from tests.flow.clinic import opened

PATCH = "PATCH /api/patients"
LATER = timedelta(minutes=10)
PAGE = "<html><body>Bad Request</body></html>"


@pytest.fixture
async def edited(clinic):
    """A linked patient whose e-mail was edited in Salesforce; we have heard of it and done nothing yet."""
    patient = await clinic.has_linked()
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()
    return patient


def agree(clinic, patient, email="new@example.com"):
    return (clinic.chart(patient)["email"], clinic.contact()["Email"]) == (email, email)


@pytest.mark.parametrize(
    ("status", "body", "cause"),
    [(400, ["no"], "HTTP_400"), (403, {"detail": "no"}, "HTTP_403"), (409, {"detail": "no"}, "HTTP_409")],
    ids=["400", "403", "409"],
)
async def test_a_refusal_that_names_no_field_makes_one_failure_and_is_not_sent_again(
    clinic, edited, status, body, cause
):
    clinic.breaks("drchrono", PATCH, "error", status=status, body=body, next=None)

    await clinic.settles()
    await clinic.time_passes(LATER)
    await clinic.settles()

    assert await clinic.failures() == [("drchrono", cause, "")]
    assert clinic.calls("drchrono", PATCH) == 1
    assert await clinic.unfinished() == []


@pytest.mark.parametrize("status", [200, 400])
async def test_a_page_in_place_of_an_answer_is_no_answer_and_the_edit_arrives_once_it_is_gone(clinic, edited, status):
    clinic.breaks("drchrono", PATCH, "error", status=status, body=PAGE, next=1)

    await clinic.settles()
    before = await clinic.failures(), agree(clinic, edited)
    for _ in range(3):
        await clinic.time_passes(LATER)
        await clinic.settles()

    assert before == ([], False)
    assert agree(clinic, edited)
    assert await clinic.failures() == []


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (400, {"email": ["Enter a valid email address."]}, ("drchrono", "HTTP_400", "email")),
        (400, {"non_field_errors": ["no"]}, ("drchrono", "HTTP_400", "non_field_errors")),
        (403, {"detail": "You do not have permission."}, ("drchrono", "HTTP_403", "")),
    ],
    ids=["its only field", "no field in particular", "403"],
)
async def test_a_refusal_of_the_whole_patch_is_drchronos(clinic, edited, status, body, failure):
    clinic.breaks("drchrono", PATCH, "error", status=status, body=body, next=None)

    await clinic.settles()

    assert await clinic.failures() == [failure]
    assert clinic.calls("drchrono", PATCH) == 1


async def test_an_edit_after_a_refusal_goes_through_and_ends_the_failure(clinic, edited):
    clinic.breaks("drchrono", PATCH, "error", status=400, body={"email": ["no"]})
    await clinic.settles()
    clinic.human_edits_contact(Email="right@example.com")

    await clinic.hears()
    await clinic.settles()

    assert agree(clinic, edited, "right@example.com")
    assert await clinic.failures() == []


async def test_a_value_drchrono_refuses_is_not_taken_back_in_salesforce(clinic, edited):
    clinic.breaks("drchrono", PATCH, "error", status=400, body={"email": ["no"]}, next=None)
    await clinic.settles()

    await clinic.arrives(await clinic.edits(edited, city="Newtown"))

    assert (clinic.contact()["Email"], clinic.contact()["MailingCity"]) == ("new@example.com", "Newtown")


async def test_a_throttled_patch_waits_as_long_as_drchrono_says_and_spends_no_attempt(clinic, edited):
    clinic.breaks("drchrono", PATCH, "throttle", next=5)  # more than there are attempts

    for _ in range(5):
        await clinic.settles()
        waiting = await clinic.link(edited)
        assert (waiting.attempts, waiting.due_at is not None) == (0, True)
        await clinic.time_passes(timedelta(hours=2))
    await clinic.settles()

    assert agree(clinic, edited)
    assert await clinic.failures() == []
    assert clinic.calls("drchrono", "GET") == 0, "a throttled call did nothing, so there is nothing to ask about"


@pytest.mark.parametrize("status", [500, 503])
async def test_a_server_error_may_have_come_after_the_write_so_drchrono_is_asked_first(clinic, edited, status):
    clinic.breaks("drchrono", PATCH, "error", status=status, body=PAGE)
    await clinic.settles()
    await clinic.time_passes(timedelta(minutes=1))
    await clinic.settles()

    assert (clinic.calls("drchrono", "GET"), clinic.calls("drchrono", PATCH)) == (1, 2)
    assert agree(clinic, edited)


async def test_a_token_that_expires_in_the_middle_is_renewed_and_the_patch_goes_out_once(clinic, edited):
    clinic.drchrono.post("/_control/tokens/expire")

    await clinic.settles()

    assert agree(clinic, edited)
    statuses = [
        call["status"] for call in clinic.drchrono.get("/_control/calls").json()["calls"] if call["method"] == "PATCH"
    ]
    assert statuses == [401, 204]
    assert [row.state for row in await clinic.journal("drchrono")] == ["confirmed"]


async def test_a_consent_that_was_revoked_holds_back_the_patch_and_lets_salesforce_go_on(clinic, edited):
    other = await clinic.registers(first_name="Testb")
    clinic.drchrono.post("/_control/tokens/revoke")
    await clinic.delivers(other, event="PATIENT_CREATE")

    await clinic.settles()

    waiting = await clinic.link(edited)
    assert (waiting.last_error, waiting.attempts) == ("drchrono_paused", 0)
    assert [contact["FirstName"] for contact in clinic.contacts()][1:] == ["Testb"]
    assert await clinic.failures() == []

    await clinic.connects()
    await clinic.settles()

    assert clinic.chart(edited)["email"] == "new@example.com", "connecting makes due what waited for it"


async def test_without_drchronos_settings_an_edit_waits_and_what_needs_no_call_flows(known, empty_vendors):
    whole, vendors = known.model_dump(), empty_vendors
    async with opened(known, vendors.drchrono, vendors.salesforce) as clinic:
        patient = await clinic.has_linked()
        late = await clinic.edits(patient, city="Newtown")
        await clinic.delivers(late)
    missing = dict.fromkeys(("drchrono_client_id", "drchrono_client_secret"))
    alone = Settings.model_validate(whole | missing | {"drchrono_webhook_secrets": ()})
    async with opened(alone, vendors.drchrono, vendors.salesforce) as clinic:
        clinic.human_edits_contact(Email="new@example.com")
        await clinic.hears()

        await clinic.settles()

        waiting = await clinic.link(patient)
        assert clinic.contact()["MailingCity"] == "Newtown", "what DrChrono delivered needs no call to it"
        assert (waiting.last_error, waiting.attempts) == ("drchrono_paused", 0)
        assert clinic.calls("drchrono", "") == 0
        assert await clinic.failures() == []
    async with opened(known, vendors.drchrono, vendors.salesforce, connects=False) as clinic:
        await clinic.time_passes(LATER)
        await clinic.settles()

        assert agree(clinic, patient)


async def test_a_patch_that_is_never_found_though_the_chart_is_shown_ends_as_a_failure(clinic, edited):
    clinic.breaks("drchrono", PATCH, "error", status=404, body={"detail": "Not found."}, next=None)

    await clinic.settles()

    assert len(await clinic.failures()) == 1
    assert clinic.calls("drchrono", "") <= 4


@pytest.mark.parametrize("cause", ["HTTP_400", "HTTP_403", "HTTP_409", "gone_in_drchrono"])
def test_every_cause_of_the_way_back_has_a_fix_that_speaks_of_drchrono_or_says_what_to_do(cause):
    assert len(fix(cause).split()) >= 5
