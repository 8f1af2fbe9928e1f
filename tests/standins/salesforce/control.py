"""The tests' own door, under /_control: what people do in the org, what goes wrong, and what happened.

Nothing here needs a session, costs an API call or waits for the latency. A refusal looks as it does on the API.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.standins.salesforce.errors import ApiError, RecordError, not_found
from tests.standins.salesforce.leaving import delete, merge, undelete
from tests.standins.salesforce.org import RecordFault
from tests.standins.salesforce.records import Row, Table
from tests.standins.salesforce.rules import Call
from tests.standins.salesforce.web import answer, body_of, org_of
from tests.standins.salesforce.writing import carry_out, prepare, refuse_unreadable

ROOT = "/_control"


def _place(request: Request) -> tuple[Call, Table]:
    org = org_of(request)
    return Call(org, human=True), table_of(request)


def table_of(request: Request) -> Table:
    """The table of the object in the path, hidden or not: people see what the integration user may not."""
    table = org_of(request).tables.get(request.path_params["kind"].lower())
    if table is None:
        raise not_found()
    return table


def _record(table: Table, record_id: Any) -> Row:
    row = table.get(record_id)
    if row is None:
        raise not_found()
    return row


async def records(request: Request) -> Response:
    """GET: the live records, with ?deleted=true all of them. POST: a person creates one."""
    call, table = _place(request)
    if request.method == "POST":
        return answer(carry_out(call, prepare(call, table, refuse_unreadable(await body_of(request)))), 201)
    with_deleted = request.query_params.get("deleted", "").lower() == "true"
    return answer({"records": list(table.rows.values()) if with_deleted else list(table.live())})


async def record(request: Request) -> Response:
    """GET: as it is now. PATCH: a person edits it. DELETE: a person deletes it."""
    call, table = _place(request)
    row = _record(table, request.path_params["record_id"])
    if request.method != "GET" and row["IsDeleted"]:
        raise RecordError("ENTITY_IS_DELETED", "entity is deleted", status=404)
    if request.method == "DELETE":
        delete(call, table, row)
        return Response(status_code=204)
    if request.method == "PATCH":
        carry_out(call, prepare(call, table, refuse_unreadable(await body_of(request)), row))
    return answer(row)


async def bring_back(request: Request) -> Response:
    """POST records/Kind/Id/undelete."""
    call, table = _place(request)
    row = _record(table, request.path_params["record_id"])
    undelete(call, table, row)
    return answer(row)


async def merge_two(request: Request) -> Response:
    """POST records/Contact/merge: the loser becomes the winner."""
    call, table = _place(request)
    asked = refuse_unreadable(await body_of(request))
    winner, loser = _record(table, asked.get("winner")), _record(table, asked.get("loser"))
    if winner is loser or winner["IsDeleted"] or loser["IsDeleted"] or "MasterRecordId" not in table.kind.fields:
        raise ApiError("MERGE_FAILED", "two different living records of a kind that can be merged are needed")
    merge(call, table, winner, loser)
    return answer({"winner": winner, "loser": loser})


async def purge(request: Request) -> Response:
    """POST: the recycle bin is emptied."""
    for table in org_of(request).tables.values():
        table.purge()
    return Response(status_code=204)


async def settings(request: Request) -> Response:
    """GET and PUT: what may be turned while the org runs."""
    wanted = refuse_unreadable(await body_of(request)) if request.method == "PUT" else {}
    org = org_of(request)
    return answer(org.change_settings(wanted))


async def record_faults(request: Request) -> Response:
    """POST: the next writes of one record are refused. DELETE: no more of that."""
    faults = org_of(request).record_faults
    if request.method == "DELETE":
        faults.clear()
        return Response(status_code=204)
    try:
        faults.append(RecordFault(**refuse_unreadable(await body_of(request))))
    except TypeError as error:
        raise ApiError("INVALID_FIELD", str(error)) from None
    return answer({"record_faults": len(faults)}, 201)


async def expire_sessions(request: Request) -> Response:
    """POST: every session dies now."""
    org_of(request).sessions.clear()
    return Response(status_code=204)


async def sessions(request: Request) -> Response:
    """GET: how many logins there were, and how many sessions live. POST: a user signs in; gives their token."""
    org = org_of(request)
    if request.method == "POST":
        asked = refuse_unreadable(await body_of(request))
        return answer({"access_token": org.log_in(org.user_named(str(asked.get("user"))))}, 201)
    return answer({"logins": org.logins, "live": org.live_sessions()})


async def edits(request: Request) -> Response:
    """GET: everything people did, in order."""
    return answer({"edits": org_of(request).edits})


async def writes(request: Request) -> Response:
    """GET: the writes that came by API, oldest first; DELETE forgets them."""
    kept = org_of(request).writes
    if request.method == "DELETE":
        kept.clear()
        return Response(status_code=204)
    names = ("at", "object", "id", "op", "fields", "changed")
    return answer({"writes": [dict(zip(names, write, strict=True)) for write in kept]})


async def reset(request: Request) -> Response:
    """POST: the org as it was on the first day, telling nobody anything."""
    await request.app.state.outbound.end()
    await request.app.state.events.end()
    org_of(request).reset()
    request.app.state.faults.rules.clear()
    request.app.state.calls.clear()
    return Response(status_code=204)


async def kept(request: Request) -> Response:
    """POST keeps the objects that have records under a name; PUT puts them back."""
    org, name = org_of(request), request.path_params["name"]
    if request.method == "POST":
        org.keep(name)
    else:
        org.put_back(name)
    return Response(status_code=204)


ROUTES = [
    Route(f"{ROOT}/records/{{kind}}/merge", merge_two, methods=["POST"]),
    Route(f"{ROOT}/records/{{kind}}/{{record_id}}/undelete", bring_back, methods=["POST"]),
    Route(f"{ROOT}/records/{{kind}}/{{record_id}}", record, methods=["GET", "PATCH", "DELETE"]),
    Route(f"{ROOT}/records/{{kind}}", records, methods=["GET", "POST"]),
    Route(f"{ROOT}/purge", purge, methods=["POST"]),
    Route(f"{ROOT}/settings", settings, methods=["GET", "PUT"]),
    Route(f"{ROOT}/record-faults", record_faults, methods=["POST", "DELETE"]),
    Route(f"{ROOT}/sessions/expire", expire_sessions, methods=["POST"]),
    Route(f"{ROOT}/sessions", sessions, methods=["GET", "POST"]),
    Route(f"{ROOT}/edits", edits, methods=["GET"]),
    Route(f"{ROOT}/writes", writes, methods=["GET", "DELETE"]),
    Route(f"{ROOT}/reset", reset, methods=["POST"]),
    Route(f"{ROOT}/kept/{{name}}", kept, methods=["POST", "PUT"]),
]
