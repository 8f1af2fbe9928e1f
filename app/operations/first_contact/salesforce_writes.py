"""What of Salesforce's open questions a write tells, on the test patient's record, and what somebody there does.

A write is put back; the refused one changes nothing by being refused. And what is never tried, each with the reason.
"""

from time import monotonic
from typing import Any

import requests

from app.operations.first_contact.context import NotToldError, TrialContext, to_its_end
from app.operations.first_contact.model import BY_ITSELF, Means, Trial, TrialStep, seen_as
from app.operations.first_contact.salesforce_reads import NOBODY
from app.sync.failure_causes import look_up
from app.sync.mappings.table import Table
from app.sync.model import FailureClass, Kind, Side
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.wire import refusal

_PHONES = ("(555) 010-0177", "(555) 010-0178")  # fictional
_ROW = "home_phone"
_CALL, _PATH = "PATCH composite/sobjects", "composite/sobjects"


async def record_of_patient(context: TrialContext, *names: str) -> tuple[Salesforce, Table, dict[str, Any]]:
    """Give the org, the patients' table, and the test patient's record with these fields.

    Raises  NotToldError where no record names the test patient, or several do; as `Salesforce.read`
    """
    client, table = context.salesforce, context.runtime.mappings[Kind.PATIENT]
    assert client is not None
    found = await client.read(table.object, names, table.external_id, [], [context.patient or ""])
    if len(found) != 1:
        raise NotToldError(f"{len(found)} records of {table.object} name the test patient in {table.external_id}")
    return client, table, found[0]


def _collection(table: Table, record: dict[str, Any]) -> dict[str, Any]:
    return {"allOrNone": False, "records": [{"attributes": {"type": table.object}, **record}]}


async def _edit(context: TrialContext) -> None:
    row = context.runtime.mappings[Kind.PATIENT].rows.get(_ROW)
    if row is None:
        raise NotToldError(f"the mapping has no {_ROW}")
    name = row.names[Side.SALESFORCE]
    client, table, before = await record_of_patient(context, name)
    old, phone = before.get(name), next(one for one in _PHONES if one != before.get(name))

    async def put_back() -> bool:
        assert context.runtime.salesforce is not None
        await context.runtime.salesforce.raw("PATCH", _PATH, _CALL, _collection(table, {"id": before["Id"], name: old}))
        return (await record_of_patient(context, name))[2].get(name) == old

    latest = await context.latest_delivery(Side.SALESFORCE)
    async with context.restored(f"Salesforce, test patient: {name}", put_back):
        began = monotonic()
        changed = _collection(table, {"id": before["Id"], name: phone})
        response = await to_its_end(client.raw("PATCH", _PATH, _CALL, changed))
        document = response.json()
        first = document[0] if isinstance(document, list) and len(document) == 1 else None
        is_fit = response.ok and isinstance(first, dict) and first.get("success") is True and "id" in first
        says = f"{response.status_code}, {seen_as(document)} of {seen_as(first)}"
        context.observe("collection", is_fit, says, names=sorted(first) if isinstance(first, dict) else [])
        now = (await record_of_patient(context, name))[2]
        is_new = now.get(name) == phone and str(now["SystemModstamp"]) > str(before["SystemModstamp"])
        context.observe("contact_read", is_new, "value and stamp are new" if is_new else "value or stamp are of before")
        arrived = await context.await_delivery(
            "Salesforce's message of our own edit", Side.SALESFORCE, latest, Kind.PATIENT, before["Id"]
        )
    waited_s = monotonic() - began
    says = "none came" if arrived is None else f"one came ({arrived.event})"
    context.observe("own_message", True if latest or arrived else None, f"{says} in {waited_s:.0f} s")


async def _refused(context: TrialContext) -> None:
    row = context.runtime.mappings[Kind.PATIENT].rows.get("doctor")
    if row is None or Kind.DOCTOR not in context.runtime.mappings:
        raise NotToldError("the mapping has no doctor of a patient")
    client, table, record = await record_of_patient(context)
    doctors = context.runtime.mappings[Kind.DOCTOR]
    parent = {row.names[Side.SALESFORCE]: {doctors.external_id: NOBODY}}
    response = await client.raw("PATCH", _PATH, _CALL, _collection(table, {"id": record["Id"], **parent}))
    document = response.json()
    first = document[0] if isinstance(document, list) and document and isinstance(document[0], dict) else {}
    errors = first.get("errors") or []
    told = [refusal(one.get("statusCode"), one.get("message"), ()) for one in errors if isinstance(one, dict)]
    codes = [str(one.get("statusCode")) for one in errors if isinstance(one, dict) and one.get("statusCode")]
    is_fit = response.status_code == requests.codes.ok and first.get("success") is False and bool(codes)
    context.observe("refused_record", is_fit, f"{response.status_code}, {'statusCode' if codes else 'no statusCode'}")
    is_known = all(look_up(one.code).group is FailureClass.PARENT for one in told)
    context.observe("parent_not_found", is_known if told else None, ", ".join(codes) or "it was not refused")


async def _message(context: TrialContext) -> None:
    _, table, record = await record_of_patient(context)
    latest = await context.latest_delivery(Side.SALESFORCE)
    if not await context.operator.is_done(
        f"Edit the test patient's {table.object} in Salesforce: its home phone, and back."
    ):
        raise NotToldError("nobody has done it")
    began = monotonic()
    arrived = await context.await_delivery("Salesforce's message", Side.SALESFORCE, latest, Kind.PATIENT, record["Id"])
    if arrived is None:
        says = f"none came in {monotonic() - began:.0f} s: is the flow active, is the address right?"
        context.observe("message", None if not latest else False, says)
        return
    context.observe(
        "message", arrived.outcome == "kept", f"{arrived.event}, {arrived.outcome}, {monotonic() - began:.0f} s later"
    )


async def _answered(context: TrialContext) -> None:
    """Ask what only somebody at Salesforce's setup can see."""
    is_whole = await context.operator.says("Did `chronobridge salesforce deploy` put everything there in one go?")
    context.observe("package", is_whole, {True: "yes", False: "no", None: "nobody knows"}[is_whole])
    is_in_time = await context.operator.says(
        "Setup, Outbound Messages, the status of what is queued: was a failed message tried again within minutes?"
    )
    context.observe("message_again", is_in_time, {True: "yes", False: "no", None: "nobody knows"}[is_in_time])


def _step(id_: str, means: Means, calls: int, does: str, try_out: Any, *trials: Trial) -> TrialStep:
    return TrialStep(id_, Side.SALESFORCE, means, does, trials, calls, try_out, means is not Means.PERSON)


def _never(id_: str, question: str, why: str) -> TrialStep:
    return TrialStep(id_, Side.SALESFORCE, Means.NEVER, why, (Trial(id_, question, "nothing: no use is made of it"),))


STEPS = (
    _step(
        "message",
        Means.DELIVERY,
        1,
        "waits for the message of an edit that somebody makes at Salesforce",
        _message,
        Trial(
            "message",
            "Does an edit come as a message, in a form that is read?",
            "yes",
            "the package's flow and address: `chronobridge salesforce deploy`; SALESFORCE_OUTBOUND_TOKENS",
        ),
    ),
    _step(
        "contact_edit",
        Means.WRITE,
        5,
        "changes the home phone of the test patient's record to a fictional number, and puts the old one back",
        _edit,
        Trial(
            "collection", "How is an update of records answered?", "200, with one result for each, of id and success"
        ),
        Trial("contact_read", "Does a read show a write at once, with a later stamp?", "yes"),
        Trial("own_message", "Is there a message of our own write?", "either: it changes nothing", BY_ITSELF),
    ),
    _step(
        "refused_parent",
        Means.WRITE,
        2,
        "sends the test patient's record a doctor that nobody has, which is refused and changes nothing",
        _refused,
        Trial("refused_record", "How is a refused record told?", "200, with success false and a statusCode"),
        Trial(
            "parent_not_found",
            "Is a parent that is not found known for that, by its code and words?",
            "yes: its record waits for the parent",
        ),
    ),
    _step(
        "salesforce_setup",
        Means.PERSON,
        0,
        "asks two things that only Salesforce's setup shows",
        _answered,
        Trial("package", "Does the package deploy whole?", "yes"),
        Trial(
            "message_again",
            "Is a failed message sent again within minutes?",
            "yes",
            "nothing: what is missed is compared",
        ),
    ),
    _never(
        "change_origin",
        "Does Sforce-Call-Options reach the change events of collections?",
        "the service reads no change events, and knows its own writes by what they hold",
    ),
    _never(
        "session_id",
        "Do messages carry a session id?",
        "nothing of it is kept; where one comes, the log says delivery.session_dropped",
    ),
    _never(
        "relayed_event", "What stands beside an event that EventBridge relays?", "it needs a relay: look at the log"
    ),
    _never("activity_key", "Can events and tasks be upserted by an external id?", "the service writes none"),
)
