"""The screen the clinic's own people work at: a list of Contacts, a form for each, and the org's validation rules.

A PUT says who is listed.
"""

from html import escape
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.standins.calls import CONTROL
from tests.standins.salesforce.errors import ApiError, not_found
from tests.standins.salesforce.org import Org
from tests.standins.salesforce.records import Row
from tests.standins.salesforce.rules import Call
from tests.standins.salesforce.web import body_of, org_of
from tests.standins.salesforce.writing import carry_out, prepare
from tests.standins.screens import Column, Screen

SCREEN = Screen(
    product="Salesforce",
    title="Contacts",
    key="Id",
    columns=(
        Column("Name", ("FirstName", "LastName"), whole=True),
        Column("Birthdate", ("Birthdate",), whole=True),
        Column("Mobile", ("MobilePhone",), whole=True),
        Column("Email", ("Email",)),
        Column("Mailing city", ("MailingCity",), whole=True),
    ),
    fields={
        "FirstName": "First name",
        "LastName": "Last name",
        "Birthdate": "Birthdate",
        "MobilePhone": "Mobile",
        "Email": "Email",
        "MailingStreet": "Mailing street",
        "MailingCity": "Mailing city",
    },
    dates=frozenset({"Birthdate"}),
    theme="""
:root { --ground: #e8eef7; --card: #fff; --ink: #181818; --quiet: #444; --line: #dcdcdc; --link: #0b5cab;
  --bar: #032d60; --on-bar: #fff; --lit: #cdefc4; --bad: #ba0517 }
@media (prefers-color-scheme: dark) { :root { --ground: #10151d; --card: #1a212c; --ink: #eceff4; --quiet: #b6c2d4;
  --line: #364254; --link: #8cc2ff; --bar: #0b3a75; --on-bar: #fff; --lit: #1f5a33; --bad: #ff9a92 } }
body { font: 12px/1.3 "Salesforce Sans", "Helvetica Neue", Arial, sans-serif }
header { padding: .35rem .8rem; border-bottom: 3px solid #0176d3 }
main { padding: .6rem .8rem }
.bar { background: var(--card); border: 1px solid var(--line); border-radius: .25rem; padding: .5rem .7rem; margin: 0 }
h1::before { content: ""; display: inline-block; width: .9em; height: .9em; margin-right: .4em; border-radius: .2em;
  background: #7f5af0; vertical-align: -.1em }
table { border: 1px solid var(--line) }
th, td { padding: .35rem .4rem }
thead th { background: var(--ground); font-size: .85em; text-transform: uppercase; letter-spacing: .03em }
tbody tr:nth-child(even) { background: color-mix(in srgb, var(--ground) 45%, var(--card)) }
input { padding: .3rem .5rem; border-radius: .25rem }
button { padding: .3rem .9rem; border: 1px solid; border-radius: .25rem; background: var(--card); color: var(--link) }
""",
)


def _contact(org: Org, record_id: str) -> Row | None:
    row = org.tables["contact"].get(record_id)
    return None if row is None or row["IsDeleted"] else row


def _rules(org: Org) -> str:
    """The validation rules of Contacts, each with the way to switch it off or on."""
    lines = [
        f'<li><form method="post" action="?"><input type="hidden" name="rule" value="{at}">{escape(rule["message"])} '
        f"<strong>{'Active' if rule.get('active', True) else 'Switched off'}.</strong> "
        f"<button>{'Switch off' if rule.get('active', True) else 'Switch on'}</button></form></li>"
        for at, rule in enumerate(org.settings.validation_rules)
    ]
    return f"<h2>Setup: validation rules</h2><ul>{''.join(lines)}</ul>" if lines else ""


async def show(request: Request) -> Response:
    org, asked = org_of(request), request.query_params
    rows = list(org.tables["contact"].live())
    if "find" in asked:
        return HTMLResponse(SCREEN.found(rows, asked["find"], org.watched))
    if wanted := asked.get("edit"):
        row = _contact(org, wanted)
        return HTMLResponse(SCREEN.form(row)) if row else HTMLResponse(SCREEN.missing(), 404)
    return HTMLResponse(SCREEN.listed(org.watched.pick(rows, "SystemModstamp"), org.watched, _rules(org)))


async def save(request: Request) -> Response:
    """What is wrong with the form is said in it; what differs is an edit as any other, and a message is sent of it."""
    org = org_of(request)
    given = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
    if "rule" in given:
        rule = org.settings.validation_rules[int(given["rule"])]
        rule["active"] = not rule.get("active", True)
        return RedirectResponse("?", 303)
    row = _contact(org, given.get("Id", ""))
    if row is None:
        return HTMLResponse(SCREEN.missing(), 404)
    table, call = org.tables["contact"], Call(org, human=True)
    try:
        if fields := SCREEN.changed(row, given):
            carry_out(call, prepare(call, table, {name: value or None for name, value in fields.items()}, row))
    except ApiError as error:
        complaints = {name: [error.message] for name in error.fields or ("",)}
        return HTMLResponse(SCREEN.form(row, given, complaints), 400)
    return RedirectResponse("?", 303)


async def record_page(request: Request) -> Response:
    """Where the org itself shows a record."""
    if _contact(org_of(request), request.path_params["record_id"]) is None:
        raise not_found()
    return RedirectResponse(f"{CONTROL}/screen?edit={request.path_params['record_id']}", 303)


async def watch(request: Request) -> Response:
    org_of(request).watched.take(await body_of(request))
    return Response(status_code=204)


ROUTES = [
    Route("/{record_id}", record_page, methods=["GET"]),
    Route(f"{CONTROL}/screen", show, methods=["GET"]),
    Route(f"{CONTROL}/screen", save, methods=["POST"]),
    Route(f"{CONTROL}/screen", watch, methods=["PUT"]),
]
