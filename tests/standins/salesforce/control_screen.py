"""The screen the clinic's own people work at: Contacts, the last moved first, and a form for one."""

from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.standins.calls import CONTROL
from tests.standins.salesforce.errors import RecordError
from tests.standins.salesforce.rules import Call
from tests.standins.salesforce.web import org_of
from tests.standins.salesforce.writing import carry_out, prepare
from tests.standins.screens import Screen, latest

SCREEN = Screen(
    "Salesforce: Contacts",
    "Id",
    {
        "FirstName": "First name",
        "LastName": "Last name",
        "Birthdate": "Born",
        "MobilePhone": "Mobile",
        "Email": "E-mail",
        "MailingCity": "City",
    },
    "#0b5cab",
)


async def show(request: Request) -> Response:
    table = org_of(request).tables["contact"]
    row = table.get(request.query_params.get("edit", ""))
    if row is not None and not row["IsDeleted"]:
        return HTMLResponse(SCREEN.form(row))
    return HTMLResponse(SCREEN.listed(latest(list(table.live()), "SystemModstamp")))


async def save(request: Request) -> Response:
    """What is wrong with the form is said; what differs is an edit as any other, and a message is sent of it."""
    org = org_of(request)
    given, table = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True)), org.tables["contact"]
    row = table.get(given.get("Id", ""))
    if row is None or row["IsDeleted"]:
        return HTMLResponse("There is no such Contact.", 404)
    call = Call(org, human=True)
    try:
        if fields := SCREEN.changed(row, given):
            carry_out(call, prepare(call, table, {name: value or None for name, value in fields.items()}, row))
    except RecordError as error:
        return HTMLResponse(f"Salesforce does not take it: {error}", 400)
    return RedirectResponse("?", 303)


ROUTES = [Route(f"{CONTROL}/screen", show, methods=["GET"]), Route(f"{CONTROL}/screen", save, methods=["POST"])]
