"""Up to 200 records in one call: upsert by external id, create, update by Id, delete.

The answer is 200 with a result for each record, in the order they were sent, also when every one was refused. A
400 means the call itself was malformed, and then nothing was stored.
"""

from collections import Counter
from collections.abc import Callable
from itertools import groupby
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tests.standins.salesforce.errors import ROLLED_BACK, ApiError, RecordError
from tests.standins.salesforce.ids import canonical
from tests.standins.salesforce.leaving import delete
from tests.standins.salesforce.org import Org
from tests.standins.salesforce.records import Row, Table, key_of
from tests.standins.salesforce.rules import Call, check_deletion, check_transaction
from tests.standins.salesforce.schema import Field
from tests.standins.salesforce.values import normalise
from tests.standins.salesforce.web import answer, body_of, call_of, note_call, org_of
from tests.standins.salesforce.writing import Prepared, carry_out, prepare, refuse_unreadable

MOST_RECORDS = 200
MOST_CHUNKS = 10

Preparer = Callable[[Row], Prepared]


async def upsert_many(request: Request) -> Response:
    """PATCH composite/sobjects/Kind/Field."""
    org = org_of(request)
    table = org.table(request.path_params["kind"])
    column = table.kind.field(request.path_params["field"])
    if column is None or not column.external_id:
        name = request.path_params["field"]
        raise ApiError("INVALID_FIELD", f"Provided external ID field does not exist or is not accessible: {name}")
    records, all_or_none = await _records(request)
    for kind_name in map(_kind_name, records):
        if org.table(kind_name) is not table:
            raise ApiError("INVALID_FIELD", f"The object type must be {table.kind.name}, not {kind_name}")
    call = call_of(request)
    keys = [_key(record, column) for record in records]
    seen = Counter(keys)
    key_of_record = {id(record): key for record, key in zip(records, keys, strict=True)}

    def preparing(record: Row) -> Prepared:
        key = key_of_record[id(record)]
        if key is None:
            raise RecordError("MISSING_ARGUMENT", f"{column.name} not specified")
        if seen[key] > 1:
            raise RecordError("DUPLICATE_VALUE", f"Duplicate external id specified: {key}", [column.name])
        if "Id" in record or "id" in record:
            raise RecordError("INVALID_FIELD", "The Id field should not be specified in the sobject data.")
        found = table.find(column, key)
        if len(found) > 1:
            ids = ",".join(row["Id"] for row in found)
            message = f"{column.label}: more than one record found for external id field: [{ids}]"
            raise RecordError("DUPLICATE_EXTERNAL_ID", message, [column.name])
        return prepare(call, table, record, found[0] if found else None)

    return _carry_out_all(request, call, records, preparing, all_or_none=all_or_none, says_created=True)


async def create_many(request: Request) -> Response:
    """POST composite/sobjects."""
    org, call = org_of(request), call_of(request)
    records, all_or_none = await _records(request)
    _check_chunks(records)

    def preparing(record: Row) -> Prepared:
        if "Id" in record or "id" in record:
            raise RecordError("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", ["Id"])
        return prepare(call, _table(org, record), record)

    return _carry_out_all(request, call, records, preparing, all_or_none=all_or_none)


async def update_many(request: Request) -> Response:
    """PATCH composite/sobjects."""
    org, call = org_of(request), call_of(request)
    records, all_or_none = await _records(request)
    _check_chunks(records)

    def preparing(record: Row) -> Prepared:
        table = _table(org, record)
        return prepare(call, table, record, _living(table, record.get("id") or record.get("Id")))

    return _carry_out_all(request, call, records, preparing, all_or_none=all_or_none)


async def delete_many(request: Request) -> Response:
    """DELETE composite/sobjects?ids=a,b."""
    org, call = org_of(request), call_of(request)
    ids = [part for part in request.query_params.get("ids", "").split(",") if part]
    if not ids:
        raise ApiError("MISSING_ARGUMENT", "The ids parameter is required")
    _check_count(ids)
    note_call(request, records=len(ids))
    tables = {table.kind.prefix: table for table in org.tables.values() if not table.kind.hidden}
    results: list[Any] = []
    for given in ids:
        try:
            named = _named(tables, given)
            check_deletion(org, *named)
            results.append(named)
        except RecordError as error:
            results.append(error)
    if request.query_params.get("allOrNone", "").lower() == "true":
        results = _rolled_back(results)
    for result in results:
        if not isinstance(result, RecordError):
            delete(call, *result)
    return answer(
        [result.as_result() if isinstance(result, RecordError) else _success(result[1], None) for result in results]
    )


async def _records(request: Request) -> tuple[list[Row], bool]:
    body = refuse_unreadable(await body_of(request))
    records = body.get("records")
    if not isinstance(records, list) or not records:
        raise ApiError("INVALID_INPUT", "The request must carry a list of records")
    _check_count(records)
    for record in records:
        refuse_unreadable(record)
        _kind_name(record)
    named = {name for record in records for name in record} - {"attributes", "id", "Id"}
    note_call(request, records=len(records), fields=sorted(named))
    return records, body.get("allOrNone") is True


def _carry_out_all(
    request: Request,
    call: Call,
    records: list[Row],
    preparing: Preparer,
    *,
    all_or_none: bool,
    says_created: bool = False,
) -> Response:
    results: list[Any] = []
    for record in records:
        try:
            check_transaction(call.org, _kind_name(record), records)
            results.append(preparing(record))
        except RecordError as error:
            results.append(error)
    refused = sum(isinstance(result, RecordError) for result in results)
    if all_or_none:
        results = _rolled_back(results)
    note_call(request, refused=refused)
    entries = []
    for result in results:
        if isinstance(result, RecordError):
            entries.append(result.as_result())
        else:
            entries.append(_success(carry_out(call, result), result.row is None if says_created else None))
    return answer(entries)


def _rolled_back(results: list[Any]) -> list[Any]:
    if not any(isinstance(result, RecordError) for result in results):
        return results
    return [result if isinstance(result, RecordError) else ROLLED_BACK for result in results]


def _success(row: Row, created: bool | None) -> dict[str, Any]:
    head = {"id": row["Id"], "success": True, "errors": []}
    return head if created is None else {**head, "created": created}


def _kind_name(record: Row) -> str:
    attributes = record.get("attributes")
    kind_name = attributes.get("type") if isinstance(attributes, dict) else None
    if not isinstance(kind_name, str):
        raise ApiError("INVALID_FIELD", "Include attributes with a type in every record")
    return kind_name


def _table(org: Org, record: Row) -> Table:
    table = org.visible(_kind_name(record))
    if table is None:
        raise RecordError("INVALID_TYPE", f"sObject type '{_kind_name(record)}' is not supported.")
    return table


def _key(record: Row, column: Field) -> Any:
    given = record.get(column.name)
    return None if given is None else key_of(column, normalise(column, given))


def _living(table: Table, given: Any) -> Row:
    if given is None:
        raise RecordError("MISSING_ARGUMENT", "Id not specified in an update call")
    if canonical(given) is None or not given.startswith(table.kind.prefix):
        raise RecordError("MALFORMED_ID", f"{table.kind.name} ID: id value of incorrect type: {given}", ["Id"])
    row = table.get(given)
    if row is None:
        raise RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    if row["IsDeleted"]:
        raise RecordError("ENTITY_IS_DELETED", "entity is deleted")
    return row


def _named(tables: dict[str, Table], given: str) -> tuple[Table, Row]:
    table = tables.get(given[:3])
    if table is None:
        raise RecordError("MALFORMED_ID", f"malformed id {given}")
    return table, _living(table, given)


def _check_count(records: list[Any]) -> None:
    if len(records) > MOST_RECORDS:
        message = f"record limit reached. cannot submit more than {MOST_RECORDS} records into this call"
        raise ApiError("EXCEEDED_ID_LIMIT", message)


def _check_chunks(records: list[Row]) -> None:
    if sum(1 for _ in groupby(records, key=_kind_name)) > MOST_CHUNKS:
        raise ApiError("LIMIT_EXCEEDED", f"A single request can process up to {MOST_CHUNKS} chunks of object types")
