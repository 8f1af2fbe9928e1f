"""Salesforce's ingest jobs (Bulk API 2.0): many records written by a few calls, each answered for itself.

A job writes nothing before it is closed, and nothing that is not in it by then; from then on it is on its own, however
long it takes. A cell that is empty leaves its field alone, `#N/A` empties it. Alert-type duplicate rules cannot be
passed by a job.

Source  Bulk API 2.0 Developer Guide; simple-salesforce 1.12.10, bulk2.py, whose calls these are
"""

import csv
import io
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from simple_salesforce.api import Salesforce as SimpleSalesforce
from simple_salesforce.bulk2 import Operation

from app.compat import bulk_client
from app.errors import Rejected, SyncError, Unavailable, Unreadable
from app.sync.mappings.codecs import is_record_id
from app.sync.model import Side
from app.vendors.salesforce.transport import Transport
from app.vendors.salesforce.wire import RecordRefused, Saved, refusal

OPEN, COMPLETE, FAILED, ABORTED = "Open", "JobComplete", "Failed", "Aborted"
OVER = frozenset({COMPLETE, FAILED, ABORTED})
MOST_BYTES = 4_000_000  # what an upload may have, to end within its deadline
_EMPTIED = "#N/A"
_GOES_ON_S = 60.0
_NOT_FOUND = 404
_SIDE = Side.SALESFORCE.value
_ERROR = re.compile(r"([A-Z][A-Z0-9_]*):(.*?)(?::([\w, ]*)--\s*)?", re.DOTALL | re.ASCII)


@dataclass(frozen=True, slots=True)
class Results:
    """What became of a job's records, by their key: those answered, and those it never came to."""

    answered: Mapping[str, Saved | RecordRefused]
    unprocessed: frozenset[str]


class BulkJobs:
    """The ingest jobs of an org."""

    def __init__(self, org: Transport) -> None:
        self._org = org

    async def begun(self, table: str, external_id: str | None, uploaded: str) -> str:
        """Open a job, upload its records, and give its id; it writes nothing yet.

        external_id  upsert by it; None updates by Id
        Raises       Unavailable, Unauthorized, Rejected, Unreadable
        """
        operation = Operation.upsert if external_id else Operation.update

        def create(library: SimpleSalesforce) -> Any:
            return bulk_client(library, table).create_job(operation, external_id_field=external_id)

        job = _text(await self._org.called("POST jobs/ingest", create, writes=False), "id", "POST jobs/ingest")
        try:
            await self._org.called(
                "PUT jobs/ingest/batches",
                lambda library: bulk_client(library, table).upload_job_data(job, uploaded),
                writes=False,
            )
        except SyncError:
            with suppress(SyncError):  # an open job does no harm
                await self.abort(job)
            raise
        return job

    async def close(self, job: str) -> None:
        """Have a job write its records from now on.

        Raises  Unavailable, OutcomeUnknown, Unauthorized, Rejected
        """
        await self._org.called("PATCH jobs/ingest", lambda library: bulk_client(library).close_job(job), writes=True)

    async def abort(self, job: str) -> None:
        """Have a job write no more than what it has under way.

        Raises  Unavailable, Unauthorized, Rejected when it has ended
        """
        call = "PATCH jobs/ingest Aborted"
        await self._org.called(call, lambda library: bulk_client(library).abort_job(job, is_query=False), writes=False)

    async def state(self, job: str) -> str:
        """Give how far a job is, as Salesforce calls it.

        Raises  Unavailable, Unauthorized, Rejected, Unreadable
        """
        call = "GET jobs/ingest"
        found = await self._org.called(
            call, lambda library: bulk_client(library).get_job(job, is_query=False), writes=False
        )
        return _text(found, "state", call)

    async def ended(self, job: str) -> str:
        """Have a job be over, calling it off when it goes on, and give how it ended; one that is gone was complete.

        Raises  Unavailable, also while it goes on, Unauthorized, Rejected, Unreadable
        """
        try:
            if (state := await self.state(job)) in OVER:
                return state
            with suppress(Rejected):  # it has ended meanwhile
                await self.abort(job)
            state = await self.state(job)
        except Rejected as error:
            if error.status == _NOT_FOUND:
                return COMPLETE
            raise
        if state not in OVER:
            raise Unavailable(_SIDE, "PATCH jobs/ingest Aborted", code="JOB_GOES_ON", retry_in_s=_GOES_ON_S)
        return state

    async def results(self, job: str, key: str, names: Collection[str]) -> Results:
        """Give what became of the records of a job that is over.

        key     the column that tells which record a row is about
        names   what may be named as a refused field
        Raises  Unavailable, Unauthorized, Rejected, Unreadable
        """
        answered: dict[str, Saved | RecordRefused] = {}
        for row in await self._rows(job, "failedResults", key):
            answered[row[key]] = _refusal(row.get("sf__Error") or "", names)
        for row in await self._rows(job, "successfulResults", key):
            answered[row[key]] = Saved(row.get("sf__Id") or "", created=row.get("sf__Created") == "true")
        unprocessed = {row[key] for row in await self._rows(job, "unprocessedrecords", key)}
        return Results(answered, frozenset(unprocessed - answered.keys()))

    async def _rows(self, job: str, which: str, key: str) -> list[dict[str, str]]:
        call = f"GET jobs/ingest/{which}"
        found = await self._org.called(
            call, lambda library: bulk_client(library).get_ingest_results(job, which), writes=False
        )
        if not found.strip():
            return []
        try:
            reader = csv.DictReader(io.StringIO(found, newline=""), strict=True)
            rows = list(reader)
        except csv.Error:
            raise Unreadable(_SIDE, call, code="NOT_CSV") from None
        if key not in (reader.fieldnames or ()):
            raise Unreadable(_SIDE, call, code="NO_KEY")
        return rows


def cells(record: Mapping[str, Any]) -> dict[str, str] | None:
    """Give a record as cells by column; None when a text in it reads as `#N/A`.

    A reference is `Patient__r.Key__c`, one that is emptied `Patient__c`.
    """
    found: dict[str, str] = {}
    for name, value in record.items():
        for column, one in _columns(name, value):
            if one == _EMPTIED:
                return None
            found[column] = _cell(one)
    return found


def written(rows: Sequence[Mapping[str, str]]) -> str:
    """Give rows as the CSV of a job; what one of them lacks it leaves alone."""
    columns = sorted({column for row in rows for column in row})
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row.get(column, "") for column in columns] for row in rows)
    return out.getvalue()


def _columns(name: str, value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(f"{name}.{key}", one) for key, one in value.items()]
    if value is None and name.endswith("__r"):  # no column of a job has a relationship's name alone
        return [(f"{name.removesuffix('__r')}__c", None)]
    return [(name, value)]


def _cell(value: Any) -> str:
    if value is None or value == "":
        return _EMPTIED
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(answer: Any, name: str, call: str) -> str:
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, str) or not found or (name == "id" and not is_record_id(found, Side.SALESFORCE)):
        raise Unreadable(_SIDE, call, code="NO_JOB")
    return found


def _refusal(said: str, names: Collection[str]) -> RecordRefused:
    """Give a refusal of `CODE:message:Field Field --`."""
    found = _ERROR.fullmatch(said)
    if found is None:
        return RecordRefused("UNKNOWN", message=said)
    fields = [name for name in re.split(r"[,\s]+", found[3] or "") if name in names]
    return refusal(found[1], found[2], tuple(dict.fromkeys(fields)))
