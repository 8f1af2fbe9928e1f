"""What we ask of Salesforce and have it write, over simple-salesforce: reads, upserts, updates, 200 records a call."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

import requests
from simple_salesforce.api import Salesforce as SimpleSalesforce
from simple_salesforce.format import format_soql

from app.errors import EdgeAnswered, OutcomeUnknown, Rejected, Unreadable
from app.sync.mappings.codecs import is_record_id
from app.sync.model import Side
from app.vendors.http import MISFIT
from app.vendors.salesforce.answers import onward
from app.vendors.salesforce.transport import Transport
from app.vendors.salesforce.wire import RecordRefused, Saved, moment, readable, results

MERGED = frozenset({"Account", "Contact", "Lead"})  # the objects that Salesforce merges
DELETIONS_KNOWN_FOR = timedelta(days=14)  # Salesforce tells of them for 15
_MOST_LISTED = 2_000
_LONGEST_QUERY = 15_500  # as the address has it, which may have 16,384 characters
_SIDE = Side.SALESFORCE.value
_OTHER_LENGTH = "no result for each record"
_OF_THE_ORG = ("TimeZoneSidKey", "DefaultLocaleSidKey", "LanguageLocaleKey", "OrganizationType")


class Salesforce(Transport):
    """The connected org, by what is asked of it."""

    async def read(
        self,
        table: str,
        fields: Sequence[str],
        external_id: str,
        ids: Sequence[str],
        external_ids: Sequence[str],
        unnamed: tuple[str, Collection[date]] | None = None,
    ) -> list[dict[str, Any]]:
        """Give the live records with one of these ids or external ids: one call, as long as the address allows.

        unnamed  a field and the days or instants it may hold: whoever has one and no external id is given too
        Raises   Unavailable, Unauthorized, Rejected, Unreadable
        """
        field, values = unnamed or ("", ())
        names = dict.fromkeys(["Id", external_id, "SystemModstamp", "LastModifiedById", *fields])
        asked: dict[str, Sequence[Any]] = {
            "Id IN {}": ids,
            f"{external_id} IN {{}}": external_ids,
            f"({external_id} = null AND {field} IN {{}})": sorted(values),
        }
        return await self.matching(table, list(names), asked)

    async def matching(
        self, table: str, names: Sequence[str], asked: Mapping[str, Sequence[Any]]
    ) -> list[dict[str, Any]]:
        """Give the live records for which any of some conditions holds: one call, as long as the address allows.

        asked   condition -> the values that its `{}` is filled with
        Raises  as `read`
        """
        found: list[dict[str, Any]] = []
        for soql in _queries(f"SELECT {', '.join(names)} FROM {table} WHERE ", asked):  # noqa: S608 - names are ours, values quoted
            found += await self._query(soql, whole=True)
        return found

    async def upsert(
        self, table: str, external_id: str, records: Sequence[dict[str, Any]]
    ) -> list[Saved | RecordRefused | OutcomeUnknown]:
        """Create or update records by their external id; one result per record, in order.

        Raises  Unavailable, OutcomeUnknown, Unauthorized, Rejected, Unreadable
        """
        return await self._saved(f"composite/sobjects/{table}/{external_id}", table, records)

    async def update(
        self, table: str, records: Sequence[dict[str, Any]]
    ) -> list[Saved | RecordRefused | OutcomeUnknown]:
        """Update records by the `id` each one carries; one result per record, in order.

        Raises  as `upsert`
        """
        return await self._saved("composite/sobjects", table, records)

    async def delete(self, ids: Sequence[str]) -> list[Saved | RecordRefused | OutcomeUnknown]:
        """Delete records by their Ids; one result per record, in order.

        Raises  as `upsert`
        """
        call = "DELETE composite/sobjects"
        parameters = {"ids": ",".join(ids), "allOrNone": "false"}
        path = "composite/sobjects"
        answer = await self.called(
            call, lambda library: library.restful(path, params=parameters, method="DELETE"), writes=True
        )
        found = results(answer, len(ids), call)
        if found is None:
            raise EdgeAnswered(_SIDE, call, code=MISFIT, came=_OTHER_LENGTH)
        return found

    async def deleted(self, table: str, ids: Sequence[str]) -> dict[str, str | None]:
        """Give, of these records, those that were deleted, each with the Id of the one it was merged into, if it was.

        Raises  as `read`
        """
        names = "Id, MasterRecordId" if table in MERGED else "Id"
        found: list[dict[str, Any]] = []
        for soql in _queries(f"SELECT {names} FROM {table} WHERE IsDeleted = true AND ", {"Id IN {}": ids}):  # noqa: S608 - names are ours
            found += await self._query(soql, is_all=True)
        masters = {record["Id"]: record.get("MasterRecordId") for record in found}
        if not all(master is None or is_record_id(master, Side.SALESFORCE) for master in masters.values()):
            raise Unreadable(_SIDE, "GET query", code="NO_ID")
        return masters

    async def where(self, table: str, condition: str, *values: Any, deleted: bool = False) -> list[str]:
        """Give the Ids of the records for which a condition holds; its `{}` are filled with the values, quoted.

        deleted  deleted ones too
        Raises   as `read`
        """
        soql = format_soql(f"SELECT Id FROM {table} WHERE {condition}", *values)  # noqa: S608 - names are ours
        return [one["Id"] for one in readable(await self._rows(soql, is_all=deleted, whole=True))]

    async def changed(
        self, table: str, since: datetime, behind: tuple[str, str] | None, names: Sequence[str], concerns_us: str = ""
    ) -> list[Any]:
        """Give the rows that changed since a moment, deleted ones too, in the order of their change: one call.

        behind       change stamp and Id of the last record that was given before; None at the beginning
        concerns_us  a condition beside
        Gives        up to 2,000 of them, as they are, none behind the last
        Raises       as `read`
        """
        if behind is None:
            moved = f"SystemModstamp >= {moment(since)}"
        else:
            stamp, id_ = moment(datetime.fromisoformat(behind[0])), format_soql("{}", behind[1])
            moved = f"(SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND Id > {id_}))"
        condition = f"{moved} AND {concerns_us}" if concerns_us else moved
        selected = ", ".join(dict.fromkeys(["Id", "SystemModstamp", "IsDeleted", *names]))
        order = f"ORDER BY SystemModstamp, Id LIMIT {_MOST_LISTED}"
        return await self._rows(f"SELECT {selected} FROM {table} WHERE {condition} {order}", is_all=True)  # noqa: S608 - names are ours

    async def select(
        self, table: str, names: Sequence[str], condition: str, order: Sequence[str], limit: int
    ) -> list[dict[str, Any]]:
        """Give the first live records for which a condition holds, in an order: one call.

        condition  its values quoted already
        Raises     as `read`
        """
        selected = ", ".join(dict.fromkeys(["Id", *names]))
        soql = f"SELECT {selected} FROM {table} WHERE {condition} ORDER BY {', '.join(order)} LIMIT {limit}"  # noqa: S608 - names are ours
        return readable(await self._rows(soql))

    async def count(self, table: str, condition: str = "") -> int:
        """Give how many live records of an object there are: one call.

        condition  none but those for which it holds
        Raises     as `read`
        """
        soql = f"SELECT COUNT() FROM {table}{f' WHERE {condition}' if condition else ''}"  # noqa: S608 - names are ours
        answer: Any = await self.called("GET query", lambda library: library.query(soql), writes=False)
        if not isinstance(answer["totalSize"], int):
            raise Unreadable(_SIDE, "GET query", code="NO_RECORDS")
        return answer["totalSize"]

    async def gone(self, table: str, since: datetime, until: datetime) -> list[str] | None:
        """Give the Ids of the records that were deleted in a span, for good ones too; None where that is forgotten.

        Raises  as `read`
        """
        call = f"GET sobjects/{table}/deleted"
        span = {"start": moment(since), "end": moment(until)}
        answer: Any = await self.called(
            call, lambda library: library.restful(f"sobjects/{table}/deleted/", params=span), writes=False
        )
        told = readable([{**one, "Id": one.get("id")} for one in answer["deletedRecords"] if isinstance(one, dict)])
        try:
            earliest = datetime.fromisoformat(answer["earliestDateAvailable"])
            return None if earliest > since else [one["Id"] for one in told]
        except (TypeError, ValueError):  # a moment that is none, or has no zone
            raise Unreadable(_SIDE, call, code="NO_RECORDS") from None

    async def describe(self, table: str) -> dict[str, Any] | None:
        """Give what the org says of an object and its fields; None when the integration user does not see it.

        Raises  as `read`
        """
        call = f"GET sobjects/{table}/describe"
        try:
            described: Any = await self.called(
                call, lambda library: library.restful(call.removeprefix("GET ")), writes=False
            )
        except Rejected as error:
            if error.status == requests.codes.not_found:
                return None
            raise
        return dict(described)

    async def organization(self) -> dict[str, str]:
        """Give what the org says of itself: its time zone, locale, language and edition, as far as we may see it.

        Raises  as `read`
        """
        soql = f"SELECT Id, {', '.join(_OF_THE_ORG)} FROM Organization LIMIT 1"  # noqa: S608 - names are ours
        found = await self._query(soql)
        return {name: str(found[0][name]) for name in _OF_THE_ORG if found and found[0].get(name) is not None}

    async def has_permission(self, name: str) -> bool | None:
        """Say whether the integration user has a permission, by its API name; None where the org does not say.

        Source  Object Reference, UserPermissionAccess: of whoever asks, and asked of by anybody
        Raises  as `read`
        """
        name = f"Permissions{name}"
        found = await self._rows(f"SELECT {name} FROM UserPermissionAccess LIMIT 1")  # noqa: S608 - names are ours
        said = found[0].get(name) if found and isinstance(found[0], dict) else None
        return said if isinstance(said, bool) else None

    async def daily_calls(self) -> tuple[int, int]:
        """Give how many API calls the org may make in 24 hours, and how many are left.

        It is asked whatever our budget says, which learns from it.
        Raises  as `read`
        """
        limits = await self.called("GET limits", lambda library: library.limits(), writes=False, is_admitted=True)
        most, left = int(limits["DailyApiRequests"]["Max"]), int(limits["DailyApiRequests"]["Remaining"])
        await self.budget.asked(most - left, most)
        return most, left

    async def versions(self) -> tuple[str, ...]:
        """Give the API versions the org offers, oldest first.

        Raises  as `read`
        """
        call = "GET /services/data"

        def ask(library: SimpleSalesforce) -> Any:
            response = library.session.get(f"https://{library.sf_instance}/services/data")
            response.raise_for_status()
            return response.json()

        return tuple(one["version"] for one in await self.called(call, ask, writes=False))

    async def _query(self, soql: str, *, is_all: bool = False, whole: bool = False) -> list[dict[str, Any]]:
        """Give the records that a query finds; what it found must be known to the last one."""
        rows = await self._rows(soql, is_all=is_all, whole=whole)
        records = readable(rows)
        if len(records) != len(rows):
            raise Unreadable(_SIDE, "GET query", code="NO_ID")
        return records

    async def _rows(self, soql: str, *, is_all: bool = False, whole: bool = False) -> list[Any]:
        """Give what a query finds, as it is; the first 2,000 rows, or the `whole` of them.

        is_all  deleted ones too
        """

        def ask(library: SimpleSalesforce) -> list[Any]:
            page = library.query(soql, include_deleted=is_all)
            rows, seen = list(page["records"]), set[str]()
            while whole and not page["done"]:
                place = onward(page["nextRecordsUrl"])
                if place in seen:
                    raise Unreadable(_SIDE, "GET query", code="ENDLESS_LIST")
                seen.add(place)
                page = library.query_more(place, identifier_is_url=True)
                rows += page["records"]
            return rows

        return await self.called("GET query", ask, writes=False)

    async def _saved(
        self, path: str, table: str, records: Sequence[dict[str, Any]]
    ) -> list[Saved | RecordRefused | OutcomeUnknown]:
        call = f"PATCH {path}"
        body = {
            "allOrNone": False,
            "records": [{"attributes": {"type": table}, **record} for record in records],
        }
        answer = await self.called(call, lambda library: library.restful(path, method="PATCH", json=body), writes=True)
        found = results(answer, len(records), call)
        if found is None:  # it was answered, but we cannot tell what for which record
            raise EdgeAnswered(_SIDE, call, code=MISFIT, came=_OTHER_LENGTH)
        return found


def _queries(select: str, asked: Mapping[str, Sequence[Any]]) -> list[str]:
    """Give as few queries as their addresses allow, which find what any of some conditions holds for; none for nothing.

    asked  condition -> the values that its `{}` is filled with, some in one query and some in the next
    """
    wanted = {condition: list(values) for condition, values in asked.items() if values}
    if not wanted or len(quote_plus(query := select + _any_of(wanted))) <= _LONGEST_QUERY:
        return [query] if wanted else []
    parts: list[dict[str, list[Any]]] = []
    most, left = _LONGEST_QUERY - len(quote_plus(select)), 0
    for condition, values in wanted.items():
        joined = len(quote_plus(f" OR {condition}"))
        for value in values:
            needed = len(quote_plus(format_soql("{},", value)))
            if needed + (0 if parts and condition in parts[-1] else joined) > left:
                parts.append({})
                left = most
            if condition not in parts[-1]:
                left -= joined
            parts[-1].setdefault(condition, []).append(value)
            left -= needed
    return [select + _any_of(part) for part in parts]


def _any_of(wanted: Mapping[str, list[Any]]) -> str:
    return " OR ".join(format_soql(condition, values) for condition, values in wanted.items())
