"""The screen the clinic's own people work at: a list of Contacts, a form and the files of each, and the
org's validation rules.

A PUT says who is listed.
"""

from html import escape
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.standins.blobs import Blob
from tests.standins.calls import CONTROL
from tests.standins.multipart import Part, parts_of
from tests.standins.salesforce.errors import ApiError, not_found
from tests.standins.salesforce.files import latest_of, links_to
from tests.standins.salesforce.leaving import delete
from tests.standins.salesforce.org import Org
from tests.standins.salesforce.records import Row
from tests.standins.salesforce.rules import Call
from tests.standins.salesforce.web import body_of, org_of
from tests.standins.salesforce.writing import carry_out, prepare
from tests.standins.screens import Column, Files, Screen, Shown

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


FILES = Files(
    title="Files",
    columns=("Title", "Version", "Send to DrChrono", "DrChrono status"),
    fields={"title": "Title", "version_of": "New version of (its number in the list; empty: a file of its own)"},
)
TICK, STATUS, MESSAGE = "Send_To_DrChrono__c", "DrChrono_Sync_Status__c", "DrChrono_Sync_Message__c"
PICTURES = {"PNG": "image/png", "JPG": "image/jpeg", "PDF": "application/pdf"}


def _latest(org: Org, contact: str) -> list[Row]:
    """The newest version of each file of a contact, in the order of their ids."""
    found = [latest_of(org, link["ContentDocumentId"]) for link in links_to(org, contact)]
    return sorted((one for one in found if one is not None), key=lambda one: str(one["ContentDocumentId"]))


def _files(org: Org, contact: str, wrong: list[str] | None = None) -> str:
    shown = []
    for number, version in enumerate(_latest(org, contact), 1):
        ticked = bool(version.get(TICK))
        told = " ".join(str(version[name]) for name in (STATUS, MESSAGE) if version.get(name))
        texts = f"{number}. {version['Title']}", version["VersionNumber"], "Yes" if ticked else "No", told
        ways = (
            {f"?tick={version['Id']}&of={contact}": "Do not send" if ticked else "Send to DrChrono"}
            if TICK in version
            else {}
        )
        ways[f"?remove={version['Id']}&of={contact}"] = "Remove from record"
        is_picture = str(version["FileType"]) in ("PNG", "JPG")
        shown.append(Shown(str(version["PathOnClient"]), f"?file={version['Id']}", is_picture, texts, ways))
    return FILES.section(shown, contact, wrong or ())


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
    if "file" in asked:
        return _show_file(request)
    if wanted := asked.get("edit"):
        row = _contact(org, wanted)
        return (
            HTMLResponse(SCREEN.form(row, below=_files(org, row["Id"]))) if row else HTMLResponse(SCREEN.missing(), 404)
        )
    return HTMLResponse(SCREEN.listed(org.watched.pick(rows, "SystemModstamp"), org.watched, _rules(org)))


async def save(request: Request) -> Response:
    """What is wrong with the form is said in it; what differs is an edit as any other, and a message is sent of it."""
    if "upload" in request.query_params:
        return await _upload(request)
    if {"tick", "remove"} & request.query_params.keys():
        return _change_file(request)
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
        return HTMLResponse(SCREEN.form(row, given, complaints, _files(org, row["Id"])), 400)
    return RedirectResponse("?", 303)


def _uploaded(org: Org, contact: Row, given: dict[str, str], file: Part | None) -> Row:
    """What an upload makes. Raises ApiError, with words for the form."""
    latest, number = _latest(org, contact["Id"]), given.get("version_of", "")
    if file is None:
        raise ApiError("REQUIRED_FIELD_MISSING", "Choose a file.")
    if number and not (number.isdecimal() and 0 < int(number) <= len(latest)):
        raise ApiError("INVALID_FIELD", "There is no file of this number.")
    body = {"Title": given.get("title") or None, "PathOnClient": file.filename, "VersionData": file.blob}
    if number:
        return {**body, "ContentDocumentId": latest[int(number) - 1]["ContentDocumentId"]}
    return {**body, "FirstPublishLocationId": contact["Id"]}


async def _upload(request: Request) -> Response:
    """Puts what was chosen on the contact, or as a new version in the place of one of its files."""
    org = org_of(request)
    if (row := _contact(org, request.query_params["upload"])) is None:
        return HTMLResponse(SCREEN.missing(), 404)
    parts = await parts_of(request, keep_bytes=org.settings.file_keep_bytes)
    given = {part.name: part.blob.whole().decode().strip() for part in parts if part.filename is None}
    file = next((part for part in parts if part.filename), None)
    try:
        call, body = Call(org, human=True), _uploaded(org, row, given, file)
        carry_out(call, prepare(call, org.tables["contentversion"], body))
    except ApiError as error:
        return HTMLResponse(SCREEN.form(row, below=_files(org, row["Id"], [error.message])), 400)
    return RedirectResponse(f"?edit={row['Id']}#files", 303)


def _change_file(request: Request) -> Response:
    """Ticks a file's newest version or takes the tick away; or takes the file from the record."""
    org, asked = org_of(request), request.query_params
    contact, versions = asked.get("of", ""), org.tables["contentversion"]
    if (version := versions.get(asked.get("tick") or asked.get("remove"))) is None or version["IsDeleted"]:
        return HTMLResponse(SCREEN.missing(), 404)
    call = Call(org, human=True)
    if "tick" in asked:
        carry_out(call, prepare(call, versions, {TICK: not version.get(TICK)}, version))
    else:
        for link in links_to(org, contact):
            if link["ContentDocumentId"] == version["ContentDocumentId"]:
                delete(call, org.tables["contentdocumentlink"], link)
    return RedirectResponse(f"?edit={contact}#files", 303)


def _show_file(request: Request) -> Response:
    """The bytes of a version, as a person at the screen sees them."""
    version = org_of(request).tables["contentversion"].get(request.query_params["file"])
    if version is None or version["IsDeleted"] or not isinstance(blob := version["VersionData"], Blob):
        return HTMLResponse(SCREEN.missing(), 404)
    return Response(blob.whole(), media_type=PICTURES.get(str(version["FileType"]), "application/octet-stream"))


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
