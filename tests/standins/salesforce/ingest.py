"""Ingest jobs of Bulk API 2.0: create, upload, close, look, abort, and the results as CSV.

A job is worked off at the look that finds it no longer queued; one that is aborted before has done nothing. The
duplicate header has no effect on a job. How a refusal reads in `sf__Error` is known from one sample.
"""

import csv
import io
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tests.standins.salesforce.errors import ApiError, RecordError, not_found
from tests.standins.salesforce.ids import mint
from tests.standins.salesforce.org import INTEGRATION_USER, Org
from tests.standins.salesforce.records import Row, Table, key_of
from tests.standins.salesforce.rules import Call, check_transaction
from tests.standins.salesforce.values import normalise
from tests.standins.salesforce.web import answer, body_of, note_call, org_of
from tests.standins.salesforce.writing import Prepared, carry_out, prepare

_CHUNK = 200  # rows of a job that go in one transaction
_OVER = ("JobComplete", "Failed", "Aborted")
_RESULTS = ("successfulresults", "failedresults", "unprocessedrecords")


@dataclass(slots=True)
class Job:
    """One job; `looks` is how many more looks find it queued once it is closed."""

    shown: dict[str, Any]
    table: Table
    key: str
    looks: int = 0
    rows: list[dict[str, str]] = field(default_factory=list)
    saved: list[dict[str, str]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)
    left: list[dict[str, str]] = field(default_factory=list)


async def create(request: Request) -> Response:
    """POST jobs/ingest."""
    org, body = org_of(request), await body_of(request)
    table, operation = org.table(str(body.get("object"))), body.get("operation")
    key = "Id"
    if operation == "upsert":
        column = table.kind.field(str(body.get("externalIdFieldName")))
        if column is None or not column.external_id:
            raise ApiError("INVALIDJOB", "InvalidJob : externalIdFieldName is not an external id")
        key = column.name
    elif operation != "update":
        raise ApiError("INVALIDJOB", f"InvalidJob : unknown operation {operation}")
    job_id, now = mint("750", len(org.jobs) + 1), org.stamp()
    shown = {
        "id": job_id,
        "operation": operation,
        "object": table.kind.name,
        "createdById": INTEGRATION_USER,
        "createdDate": now,
        "systemModstamp": now,
        "state": "Open",
        **({"externalIdFieldName": key} if operation == "upsert" else {}),
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": request.path_params["version"],
        "contentUrl": f"services/data/v{request.path_params['version']}/jobs/ingest/{job_id}/batches",
        "lineEnding": body.get("lineEnding", "LF"),
        "columnDelimiter": body.get("columnDelimiter", "COMMA"),
    }
    org.jobs[job_id] = Job(shown, table, key)
    return answer(shown)


async def upload(request: Request) -> Response:
    """PUT jobs/ingest/<id>/batches."""
    job = _job(request)
    if job.shown["state"] != "Open" or job.rows:
        raise ApiError("INVALIDJOBSTATE", "the job is not open, or has its data")
    text = (await request.body()).decode()
    job.rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    note_call(request, records=len(job.rows))
    return Response(status_code=201)


async def job(request: Request) -> Response:
    """GET and PATCH jobs/ingest/<id>."""
    org, found = org_of(request), _job(request)
    shown = found.shown
    if request.method == "GET":
        _go_on(org, found)
        return answer(shown)
    wanted = (await body_of(request)).get("state")
    if shown["state"] in _OVER or (wanted == "UploadComplete" and shown["state"] != "Open"):
        raise ApiError("INVALIDJOBSTATE", f"cannot go from {shown['state']} to {wanted}")
    if wanted == "Aborted":
        found.left = list(found.rows)
    elif wanted == "UploadComplete":
        found.looks = org.settings.ingest_looks
    else:
        raise ApiError("INVALIDJOBSTATE", f"no such state: {wanted}")
    shown["state"] = wanted
    return answer({name: shown[name] for name in ("id", "operation", "object", "state")})


async def results(request: Request) -> Response:
    """GET jobs/ingest/<id>/successfulResults, failedResults, unprocessedrecords."""
    found, which = _job(request), request.path_params["which"].lower()
    if which not in _RESULTS:
        raise not_found()
    if found.shown["state"] not in _OVER:
        raise ApiError("INVALIDJOBSTATE", "the job has not ended")
    rows = {"successfulresults": found.saved, "failedresults": found.failed}.get(which, found.left)
    head = {"successfulresults": ["sf__Id", "sf__Created"], "failedresults": ["sf__Id", "sf__Error"]}.get(which, [])
    out = io.StringIO(newline="")
    writer = csv.DictWriter(
        out, [*head, *(found.rows[0] if found.rows else ())], quoting=csv.QUOTE_ALL, lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(rows)
    return Response(out.getvalue(), media_type="text/csv")


def _job(request: Request) -> Job:
    found: Job | None = org_of(request).jobs.get(request.path_params["job_id"])
    if found is None:
        raise not_found()
    return found


def _go_on(org: Org, job: Job) -> None:
    if job.shown["state"] != "UploadComplete":
        return
    if job.looks > 0:
        job.looks -= 1
        return
    if odd := _odd_column(job):
        job.left = job.rows
        job.shown |= {"state": "Failed", "errorMessage": f"InvalidBatch : Field name not found : {odd}"}
        return
    does = len(job.rows) if org.settings.ingest_does is None else org.settings.ingest_does
    call = Call(org)
    for at, row in enumerate(job.rows[:does]):
        chunk = at - at % _CHUNK
        try:
            check_transaction(org, job.table.kind.name, job.rows[:does][chunk : chunk + _CHUNK])
            write = _prepared(call, job, row)
        except ApiError as error:
            said = f"{error.code}:{error.message}:{' '.join(error.fields or ())} --"
            job.failed.append({"sf__Id": row.get("Id", ""), "sf__Error": said, **row})
        else:
            created = "true" if write.row is None else "false"
            job.saved.append({"sf__Id": carry_out(call, write)["Id"], "sf__Created": created, **row})
    job.left = job.rows[does:]
    failed = len(job.failed)
    job.shown |= {"numberRecordsProcessed": len(job.saved) + failed, "numberRecordsFailed": failed, "retries": 0}
    job.shown |= {"totalProcessingTime": 512, "apiActiveProcessingTime": 100, "apexProcessingTime": 0}
    job.shown["state"] = org.settings.ingest_ends


def _odd_column(job: Job) -> str | None:
    """A column that is neither a field nor `Relationship__r.Key`; it fails the job before any row is looked at."""
    kind = job.table.kind
    for name in job.rows[0] if job.rows else ():
        parent, _, key = name.partition(".")
        is_known = parent.lower() in kind.relationships if key else name == "Id" or kind.field(name) is not None
        if not is_known:
            return name
    return None


def _prepared(call: Call, job: Job, row: dict[str, str]) -> Prepared:
    table, body = job.table, _body(job.table, row)
    if job.key == "Id":
        found = table.get(body.pop("Id", None))
        if found is None:
            raise RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if found["IsDeleted"]:
            raise RecordError("ENTITY_IS_DELETED", "entity is deleted")
        return prepare(call, table, body, found)
    column = table.kind.field(job.key)
    assert column is not None
    if body.get(job.key) is None:
        raise RecordError("MISSING_ARGUMENT", f"{job.key} not specified")
    key = key_of(column, normalise(column, body[job.key]))
    if sum(one[job.key] == row[job.key] for one in job.rows) > 1:
        raise RecordError("DUPLICATE_VALUE", f"Duplicate external id specified: {key}", [job.key])
    there = table.find(column, key)
    return prepare(call, table, body, there[0] if there else None)


def _body(table: Table, row: dict[str, str]) -> Row:
    """The record a row stands for: an empty cell is left out, and `#N/A` is null."""
    body: Row = {}
    for name, cell in row.items():
        if cell == "":
            continue
        parent, _, key = name.partition(".")
        column = table.kind.field(name)
        value: Any = None if cell == "#N/A" else cell
        if column is not None and column.kind == "boolean" and value is not None:
            value = cell.lower() == "true"
        body[parent] = {key: value} if key else value
    return body
