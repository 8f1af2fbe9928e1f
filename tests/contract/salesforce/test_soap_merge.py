"""Our merge against the stand-in's SOAP API: what becomes of two records, and every way the call may end."""

import pytest

from app.errors import EdgeAnswered, OutcomeUnknown, Rejected, Unavailable
from app.vendors.salesforce.soap_merge import MergePair, merge
from app.vendors.salesforce.wire import RecordRefused, Saved

SOAP = "POST /services/Soap"
KEY = "DrChrono_Patient_Id__c"


def a_contact(org, **fields):
    return org.control.post("/_control/records/Contact", json={"LastName": "Sample", **fields}).json()["Id"]


def held(org, id_):
    return org.control.get(f"/_control/records/Contact/{id_}").json()


def a_fault(code, text="spoken of a person"):
    return (
        '<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">'
        f"<soapenv:Body><soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: {text}</faultstring>"
        "</soapenv:Fault></soapenv:Body></soapenv:Envelope>"
    )


async def test_the_loser_becomes_the_winner_which_keeps_what_it_holds_and_takes_what_is_sent(salesforce, org):
    winner, loser = a_contact(org, **{KEY: "1"}, MailingCity="Kept"), a_contact(org, MailingCity="Lost")
    values = {"Email": "a&b@example.com", "FirstName": "<Ann>"}

    (answer,) = await merge(salesforce, "Contact", [MergePair(loser, {"Id": winner, **values})])

    assert answer == Saved(winner, created=False)
    assert {name: held(org, winner)[name] for name in values} == values
    assert (held(org, winner)[KEY], held(org, winner)["MailingCity"]) == ("1", "Kept")
    assert await salesforce.deleted("Contact", [winner, loser]) == {loser: winner}


async def test_each_pair_is_answered_for_itself_in_order(salesforce, org):
    winner, gone, loser = a_contact(org), a_contact(org), a_contact(org)
    org.control.delete(f"/_control/records/Contact/{gone}")

    answers = await merge(
        salesforce,
        "Contact",
        [MergePair(gone, {"Id": winner}), MergePair(loser, {"Id": winner}), MergePair(loser, {"Id": winner})],
    )

    assert answers == [
        RecordRefused("ENTITY_IS_DELETED"), Saved(winner, created=False), RecordRefused("ENTITY_IS_DELETED"),
    ]  # fmt: skip


async def test_a_refused_value_names_its_field_and_nothing_is_merged(salesforce, org):
    winner, loser = a_contact(org), a_contact(org)

    (answer,) = await merge(salesforce, "Contact", [MergePair(loser, {"Id": winner, "Email": "none"})])

    assert answer == RecordRefused("INVALID_EMAIL_ADDRESS", ("Email",))
    assert held(org, loser)["IsDeleted"] is False


async def test_a_session_that_is_over_is_renewed_once_and_the_merge_goes_on(salesforce, org):
    winner, loser = a_contact(org), a_contact(org)
    await salesforce.read("Contact", ["LastName"], KEY, [winner], [])
    org.control.post("/_control/sessions/expire")

    (answer,) = await merge(salesforce, "Contact", [MergePair(loser, {"Id": winner})])

    assert answer == Saved(winner, created=False)
    assert org.control.get("/_control/sessions").json()["logins"] == 2


@pytest.mark.parametrize(
    ("fault", "expected", "code"),
    [
        ({"do": "error", "body": a_fault("INSUFFICIENT_ACCESS")}, Rejected, "INSUFFICIENT_ACCESS"),
        ({"do": "error", "body": a_fault("REQUEST_LIMIT_EXCEEDED")}, Unavailable, "REQUEST_LIMIT_EXCEEDED"),
        ({"do": "error", "body": a_fault("UNKNOWN_EXCEPTION")}, OutcomeUnknown, "UNKNOWN_EXCEPTION"),
        ({"do": "error", "status": 503, "body": "<html>busy</html>"}, EdgeAnswered, ""),
        ({"do": "error", "status": 500, "body": "<html>broken</html>"}, EdgeAnswered, ""),
        ({"do": "error", "status": 200, "body": "<html>hello</html>"}, EdgeAnswered, "ANSWER_DOES_NOT_FIT"),
        ({"do": "error", "status": 200, "body": "<?xml version='1.0'?><html/>"}, EdgeAnswered, "ANSWER_DOES_NOT_FIT"),
        ({"do": "error", "status": 403, "body": "<?xml version='1.0'?><Error/>"}, EdgeAnswered, "NOT_JSON"),
        ({"do": "error", "status": 200, "body": "not XML at all"}, EdgeAnswered, "ANSWER_DOES_NOT_FIT"),
        ({"do": "error", "status": 302, "body": ""}, EdgeAnswered, "NOT_JSON"),
        ({"do": "drop_after_commit"}, OutcomeUnknown, "ConnectionError"),
    ],
    ids=str,
)
async def test_every_bad_answer_becomes_one_of_our_errors(salesforce, org, fault, expected, code):
    winner, loser = a_contact(org), a_contact(org)
    org.control.post("/_control/faults", json={"match": SOAP, **fault})

    with pytest.raises(expected) as caught:
        await merge(salesforce, "Contact", [MergePair(loser, {"Id": winner})])

    assert caught.value.code == code
    assert "spoken of a person" not in str(caught.value) + repr(caught.value)
    assert held(org, loser)["IsDeleted"] is (fault["do"] == "drop_after_commit")


async def test_too_many_calls_at_once_are_no_spent_day(salesforce, org):
    body = a_fault("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.")
    waits = []
    for one in (body, a_fault("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")):
        org.control.post("/_control/faults", json={"match": SOAP, "do": "error", "body": one})
        with pytest.raises(Unavailable) as caught:
            await merge(salesforce, "Contact", [MergePair(a_contact(org), {"Id": a_contact(org)})])
        waits.append(caught.value.retry_in_s)

    at_once, a_day = waits
    assert at_once < 60 <= a_day


async def test_an_answer_with_entities_is_not_opened(salesforce, org):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'
    org.control.post("/_control/faults", json={"match": SOAP, "do": "error", "status": 200, "body": bomb})

    with pytest.raises(OutcomeUnknown):
        await merge(salesforce, "Contact", [MergePair(a_contact(org), {"Id": a_contact(org)})])


async def test_a_merge_counts_as_one_call_of_the_day(salesforce, org):
    winner, losers = a_contact(org), [a_contact(org) for _ in range(3)]
    _, before = await salesforce.daily_calls()

    await merge(salesforce, "Contact", [MergePair(one, {"Id": winner}) for one in losers])

    _, after = await salesforce.daily_calls()
    assert before - after == 2
