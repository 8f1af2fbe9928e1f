"""One record at a time: create, read, change, upsert by external id, delete."""

from email.utils import parsedate_to_datetime

from starlette.requests import Request
from starlette.responses import Response

from tests.standins.salesforce import files
from tests.standins.salesforce.errors import ApiError, RecordError, not_found
from tests.standins.salesforce.files_api import sent
from tests.standins.salesforce.ids import canonical
from tests.standins.salesforce.leaving import delete
from tests.standins.salesforce.records import Row, Table
from tests.standins.salesforce.rules import Call, check_deletion
from tests.standins.salesforce.schema import Field
from tests.standins.salesforce.values import normalise, read_moment
from tests.standins.salesforce.web import answer, body_of, call_of, note_call, org_of, version_of
from tests.standins.salesforce.writing import carry_out, prepare, refuse_unreadable

_NO_BODY = 204


def _table(request: Request) -> Table:
    return org_of(request).table(request.path_params["kind"])


async def create(request: Request) -> Response:
    """POST sobjects/Kind."""
    table, call = _table(request), call_of(request)
    row = carry_out(call, prepare(call, table, await sent(request, table)))
    note_call(request, records=1)
    return answer({"id": row["Id"], "success": True, "errors": []}, 201, _location(request, table, row))


async def by_id(request: Request) -> Response:
    """GET, PATCH, DELETE sobjects/Kind/Id."""
    table, call = _table(request), call_of(request)
    given = request.path_params["record_id"]
    row = table.get(given) if canonical(given) else None
    if row is None:
        raise not_found(f"Provided external ID field does not exist or is not accessible: {given}")
    return await _one(request, table, call, row)


async def by_external_id(request: Request) -> Response:
    """GET, PATCH (upsert), DELETE sobjects/Kind/Field/value."""
    table, call = _table(request), call_of(request)
    name, given = request.path_params["field"], request.path_params["value"]
    column = table.kind.field(name)
    if column is None or not column.external_id:
        raise not_found(f"Provided external ID field does not exist or is not accessible: {name}")
    value = normalise(column, given)
    found = table.find(column, value)
    if len(found) > 1:
        addresses = [f"/services/data/{version_of(request)}/sobjects/{table.kind.name}/{row['Id']}" for row in found]
        return answer(addresses, 300)
    if request.method == "PATCH":
        return await _upsert(request, table, column, value, found[0] if found else None)
    if not found:
        raise not_found()
    return await _one(request, table, call, found[0])


async def _upsert(request: Request, table: Table, column: Field, value: str | None, row: Row | None) -> Response:
    call, body = call_of(request), refuse_unreadable(await body_of(request))
    for name in body:
        if name.lower() in {"id", column.name.lower()}:
            raise ApiError("INVALID_FIELD", f"The {name} field should not be specified in the sobject data.")
    if row is None and request.query_params.get("updateOnly", "").lower() == "true":
        raise not_found()
    saved = carry_out(call, prepare(call, table, body, row, key={column.name: value}))
    note_call(request, records=1)
    result = {"id": saved["Id"], "success": True, "errors": [], "created": row is None}
    return answer(result, 201 if row is None else 200, _location(request, table, saved))


async def _one(request: Request, table: Table, call: Call, row: Row) -> Response:
    if request.method == "GET":
        if row["IsDeleted"]:
            raise not_found()
        return answer(_shown(request, table, row))
    if row["IsDeleted"]:
        raise RecordError("ENTITY_IS_DELETED", "entity is deleted", status=404)
    if request.method == "DELETE":
        check_deletion(call.org, table, row)
        delete(call, table, row)
        return Response(status_code=_NO_BODY)
    _check_unmodified(request, row)
    body = refuse_unreadable(await body_of(request))
    if any(name.lower() == "id" for name in body):
        raise ApiError("INVALID_FIELD", "The Id field should not be specified in the sobject data.")
    carry_out(call, prepare(call, table, body, row))
    note_call(request, records=1)
    return Response(status_code=_NO_BODY)


def _shown(request: Request, table: Table, row: Row) -> Row:
    address = f"/services/data/{version_of(request)}/sobjects/{table.kind.name}/{row['Id']}"
    head = {"attributes": {"type": table.kind.name, "url": address}}
    wanted = request.query_params.get("fields")
    if wanted is None:
        unseen = table.kind.unseen
        whole = {name: row[name] for name in row if name not in unseen} if unseen else row
        return {**head, **files.with_addresses(version_of(request), table.kind, whole)}
    columns = [(name, table.kind.field(name.strip())) for name in wanted.split(",")]
    for name, column in columns:
        if column is None:
            raise ApiError("INVALID_FIELD", f"No such column '{name}' on sobject of type {table.kind.name}")
    chosen = {column.name: row[column.name] for _, column in columns if column}
    return {**head, **files.with_addresses(version_of(request), table.kind, {**chosen, "Id": row["Id"]})}


def _check_unmodified(request: Request, row: Row) -> None:
    wanted = request.headers.get("if-unmodified-since")
    if wanted is None:
        return
    try:
        limit = parsedate_to_datetime(wanted)
    except ValueError:
        raise ApiError("INVALID_ARGUMENT", f"If-Unmodified-Since: {wanted}") from None
    modified = read_moment(row["LastModifiedDate"])
    if modified and modified.replace(microsecond=0) > limit:
        raise ApiError("PRECONDITION_FAILED", "the record was modified since", status=412)


def _location(request: Request, table: Table, row: Row) -> dict[str, str]:
    return {"Location": f"/services/data/{version_of(request)}/sobjects/{table.kind.name}/{row['Id']}"}
