"""What of Salesforce's open questions a read can tell; no step of these changes anything or asks anybody."""

import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests

from app.operations.first_contact.context import NotToldError, TrialContext
from app.operations.first_contact.model import BY_ITSELF, Means, Trial, TrialStep, seen_as
from app.runtime import Runtime
from app.sync.model import Kind, Side
from app.vendors.rate_limit.salesforce import USED
from app.vendors.salesforce.client import DELETIONS_KNOWN_FOR
from app.vendors.salesforce.wire import moment

NOBODY = "first-contact-no-such-record"


async def _limits(context: TrialContext) -> None:
    assert context.salesforce is not None
    response = await context.salesforce.raw("GET", "limits", "GET limits")
    said = response.headers.get("Sforce-Limit-Info", "")
    form = re.sub(r"\d", "9", said)
    context.observe("usage_header", USED.search(said) is not None, form or "no Sforce-Limit-Info")
    document = response.json()
    day = document.get("DailyApiRequests", {}) if isinstance(document, dict) else {}
    events = document.get("DailyDeliveredPlatformEvents", {}) if isinstance(document, dict) else {}
    most, left = day.get("Max"), day.get("Remaining")
    says = f"{left} of {most} left, {events.get('Max', 'no')} delivered events a day"
    context.observe("daily_calls", isinstance(most, int) and isinstance(left, int), says)
    versions = await context.salesforce.versions()
    ours = context.runtime.settings.salesforce_api_version
    context.observe("version", ours in versions, f"from {versions[0]} to {versions[-1]}")


async def _token(context: TrialContext) -> None:
    assert context.salesforce is not None
    token = await context.salesforce.broker.current()
    host = str(token.beside.get("instance_url", "")).partition("://")[2]
    is_here = host == _login_host(context.runtime)
    context.observe("instance", is_here, "the host of SALESFORCE_LOGIN_URL" if is_here else "another host")


def _login_host(runtime: Runtime) -> str:
    return urlsplit(runtime.settings.salesforce_login_url or "").netloc


async def _record_forms(context: TrialContext) -> None:
    assert context.salesforce is not None
    table = context.runtime.mappings[Kind.PATIENT]
    soql = f"SELECT Id, SystemModstamp FROM {table.object} LIMIT 1"  # noqa: S608 - names are ours
    response = await context.salesforce.raw("GET", f"query?q={soql.replace(' ', '+')}", "GET query")
    rows = response.json().get("records", []) if response.ok else []
    if not rows:
        context.observe("stamp_form", None, f"{response.status_code}: there is no {table.object} to look at")
    else:
        stamp = str(rows[0].get("SystemModstamp"))
        context.observe("stamp_form", _is_instant(stamp), f"written as {re.sub(r'[0-9]', '9', stamp)}")
    path = f"sobjects/{table.object}/{table.external_id}/{NOBODY}"
    response = await context.salesforce.raw("GET", path, f"GET sobjects/{table.object}/{{external id}}")
    codes = _codes(response.json())
    context.observe(
        "not_there",
        response.status_code == requests.codes.not_found and codes == ["NOT_FOUND"],
        f"{response.status_code} {codes}",
    )


def _is_instant(stamp: str) -> bool:
    try:
        return datetime.fromisoformat(stamp).tzinfo is not None
    except ValueError:
        return False


def _codes(document: Any) -> list[str]:
    said = document if isinstance(document, list) else [document]
    return [str(one.get("errorCode")) for one in said if isinstance(one, dict)]


async def _deleted(context: TrialContext) -> None:
    assert context.salesforce is not None
    table, now = context.runtime.mappings[Kind.PATIENT], context.runtime.now()
    path = f"sobjects/{table.object}/deleted/?start={moment(now - DELETIONS_KNOWN_FOR)}&end={moment(now)}"
    response = await context.salesforce.raw("GET", path, f"GET sobjects/{table.object}/deleted")
    if not response.ok:
        raise NotToldError(f"{response.status_code} {_codes(response.json())}")
    said = response.json()
    earliest = datetime.fromisoformat(str(said.get("earliestDateAvailable")))
    days = (now - earliest) / timedelta(days=1)
    context.observe(
        "deletions",
        earliest <= now - DELETIONS_KNOWN_FOR,
        f"known for {days:.0f} days",
        list=seen_as(said.get("deletedRecords")),
    )


async def _description(context: TrialContext) -> None:
    assert context.salesforce is not None
    table = context.runtime.mappings[Kind.PATIENT]
    said = await context.salesforce.describe(table.object)
    if said is None:
        raise NotToldError(f"{table.object} is not there for the integration user")
    fields = {str(one.get("name")): one for one in said["fields"]}
    key = fields.get(table.external_id)
    if key is None:
        context.observe("external_id", False, f"{table.external_id} is not there: deploy the package")
    else:
        marks = [name for name in ("externalId", "unique", "caseSensitive") if key.get(name) is True]
        context.observe("external_id", len(marks) == 3, f"{', '.join(marks) or 'none of them'}")  # noqa: PLR2004
    lists = "MailingStateCode" in fields
    context.observe("states", True, f"State and Country picklists are {'on' if lists else 'off'}")


def _read(id_: str, calls: int, does: str, try_out: Any, *trials: Trial) -> TrialStep:
    return TrialStep(id_, Side.SALESFORCE, Means.READ, does, trials, calls, try_out)


STEPS = (
    _read(
        "org_limits",
        2,
        "asks for the org's limits and versions",
        _limits,
        Trial("usage_header", "How does an answer say what was used?", "api-usage=9/9, among others", BY_ITSELF),
        Trial("daily_calls", "How many calls does the org have a day?", "any number", "SALESFORCE_DAILY_CALL_SHARE"),
        Trial(
            "version",
            "Which API versions does the org offer?",
            lambda runtime: f"{runtime.settings.salesforce_api_version} among them",
            "SALESFORCE_API_VERSION",
        ),
    ),
    _read(
        "salesforce_token",
        1,
        "looks at the session, without its value",
        _token,
        Trial(
            "instance",
            "At which host is the org?",
            _login_host,
            f"{BY_ITSELF}, within Salesforce's own hosts; or SALESFORCE_LOGIN_URL",
        ),
    ),
    _read(
        "record_forms",
        2,
        "asks for one record's stamp, and for a record that is not there",
        _record_forms,
        Trial("stamp_form", "How are stamps written?", "as an instant with its offset"),
        Trial("not_there", "How does a record answer that is not there?", "404 NOT_FOUND"),
    ),
    _read(
        "deletions",
        1,
        "asks which records were deleted",
        _deleted,
        Trial(
            "deletions",
            "For how long does the org tell of deletions?",
            f"{DELETIONS_KNOWN_FOR.days} days",
            "a comparison at least that often: RECONCILE_EVERY",
        ),
    ),
    _read(
        "patient_object",
        1,
        "asks for the description of the patients' object",
        _description,
        Trial("external_id", "What is the external id's field?", "externalId, unique, caseSensitive"),
        Trial("states", "Are State and Country picklists on?", "either", BY_ITSELF),
    ),
)
