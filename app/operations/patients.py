"""People: the patients we know of and how each stands, with the names Salesforce gives at the moment they are shown.

We store no name. A page of the list is one call, and so is a search; where Salesforce says nothing, the list is there
all the same, by ids. What was typed goes to Salesforce and nowhere else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import Undecryptable
from app.operations.vendor_reads import FAILS, NOT_CONNECTED, Unanswered, salesforce_of, unanswered
from app.ports import By, SealedColumn
from app.runtime import Runtime
from app.store import record_views
from app.store.record_views import RecordView
from app.sync.mappings.table import Table
from app.sync.model import Kind, RecordRef, RecordState, Side
from app.sync.patient_search import LONGEST, PatientSearch, parse_search
from app.vendors.salesforce import search
from app.vendors.salesforce.search import Columns
from app.vendors.salesforce.wire import long_id

ON_A_PAGE = 50
TOO_SHORT = "Type two letters at least."


@dataclass(frozen=True, slots=True)
class Person:
    """One patient, as Salesforce names them now, None where it has not said. `known`: None for one never heard of."""

    known: RecordView | None
    drchrono_id: str | None
    salesforce_id: str | None
    name: str | None = None
    born: str | None = None
    chart: str | None = None

    @property
    def ref(self) -> RecordRef:
        """One name for the record."""
        side = Side.DRCHRONO if self.drchrono_id else Side.SALESFORCE
        return RecordRef(side, Kind.PATIENT, self.drchrono_id or self.salesforce_id or "")


@dataclass(frozen=True, slots=True)
class People:
    """A page of them; `next` is what leads to the next one. `silence`: why Salesforce named nobody."""

    items: Sequence[Person]
    next: str | None = None
    silence: Unanswered | None = None


def ids(people: People) -> tuple[str, ...]:
    """Give the ids of the patients on a page, for the audit."""
    return tuple(one.ref.id for one in people.items)


async def listed(
    runtime: Runtime, before: str | None = None, limit: int = ON_A_PAGE, standing: RecordState | None = None
) -> People:
    """Give the patients we know of, or those that stand so, the last one heard of first.

    before  `next` of the page before
    Raises  StoreUnavailable
    """
    found = await record_views.page(runtime.database, Kind.PATIENT, limit + 1, before, standing)
    shown = found[:limit]
    records, why = await _named(runtime, [one.link.salesforce_id for one in shown if one.link.salesforce_id])
    table = runtime.mappings[Kind.PATIENT]
    items = [_person(table, records.get(one.link.salesforce_id or ""), one) for one in shown]
    return People(items, shown[-1].id if len(found) > limit else None, why)


async def count(runtime: Runtime, standing: RecordState | None = None) -> int:
    """Give how many patients we know of, or how many of them stand so.

    Raises  StoreUnavailable
    """
    return await record_views.count(runtime.database, Kind.PATIENT, standing)


async def searched(runtime: Runtime, text: str, after: str | None = None, limit: int = ON_A_PAGE) -> People | None:
    """Give the patients a person may mean, by last name; None where too little was said to look for.

    after   `next` of the page before; what is none counts for nothing
    Raises  StoreUnavailable
    """
    sought = parse_search(text, runtime.now().date())
    if not sought:
        return None
    by_id = await _by_id(runtime, sought) if after is None else {}
    records, why = await _found(runtime, sought, after, limit + 1)
    shown = records[:limit]
    table, ids = runtime.mappings[Kind.PATIENT], [str(one["Id"]) for one in shown]
    linked = await record_views.of(runtime.database, Kind.PATIENT, Side.SALESFORCE, ids)
    items = [_person(table, one, linked.get(str(one["Id"]))) for one in shown]
    items += [
        _person(table, None, one) for id_, one in by_id.items() if id_ not in {each.id for each in linked.values()}
    ]
    onward = _sealed(runtime, table, shown[-1]) if len(records) > limit else None
    return People(items, onward, why)


async def named(runtime: Runtime, ids: Sequence[str]) -> tuple[dict[str, Person], Unanswered | None]:
    """Give these Contacts by Id as Salesforce names them now, by one call, or why it said nothing.

    Raises  StoreUnavailable
    """
    records, why = await _named(runtime, ids)
    table = runtime.mappings[Kind.PATIENT]
    return {id_: _person(table, record, None) for id_, record in records.items()}, why


async def _named(runtime: Runtime, ids: Sequence[str]) -> tuple[dict[str, Mapping[str, Any]], Unanswered | None]:
    """Give what Salesforce holds of these Contacts by Id, or why it said nothing."""
    client, table = salesforce_of(runtime), runtime.mappings[Kind.PATIENT]
    if client is None:
        return {}, Unanswered(Side.SALESFORCE, NOT_CONNECTED)
    if not ids:
        return {}, None
    try:
        found = await client.read(table.object, Columns.of(table).selected, table.external_id, ids, [])
    except FAILS as error:
        return {}, unanswered(Side.SALESFORCE, error)
    return {str(record["Id"]): record for record in found}, None


async def _found(
    runtime: Runtime, sought: PatientSearch, after: str | None, limit: int
) -> tuple[Sequence[Mapping[str, Any]], Unanswered | None]:
    client, table = salesforce_of(runtime), runtime.mappings[Kind.PATIENT]
    if client is None:
        return (), Unanswered(Side.SALESFORCE, NOT_CONNECTED)
    columns, condition = Columns.of(table), search.condition(table, sought)
    if not condition:
        return (), None
    if onward := search.behind(columns, _opened(runtime, after)):
        condition = f"{condition} AND {onward}"
    order = [name for name in (columns.last, "Id") if name]
    names = (table.external_id, *columns.selected)
    try:
        return await client.select(table.object, names, condition, order, limit), None
    except FAILS as error:
        return (), unanswered(Side.SALESFORCE, error)


async def _by_id(runtime: Runtime, sought: PatientSearch) -> dict[str, RecordView]:
    """Give the records that we know by the id that was typed, whether or not Salesforce has them."""
    refs = {RecordRef(Side.DRCHRONO, Kind.PATIENT, sought.key)} if sought.key else set()
    if search.is_id(sought.key):
        refs.add(RecordRef(Side.SALESFORCE, Kind.PATIENT, long_id(sought.key)))
    found = [await record_views.find(runtime.database, ref) for ref in sorted(refs)]
    return {one.id: one for one in found if one is not None}


def _person(table: Table, record: Mapping[str, Any] | None, one: RecordView | None) -> Person:
    columns = Columns.of(table)
    given = record or {}
    name = " ".join(str(given[part]) for part in (columns.first, columns.last) if part and given.get(part))
    key = str(given.get(table.external_id) or "").strip() or None
    return Person(
        one,
        one.link.drchrono_id if one else key,
        one.link.salesforce_id if one else str(given["Id"]),
        name or None,
        _text(given.get(columns.born)),
        _text(given.get(columns.chart)),
    )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def sealed_search(runtime: Runtime, by: By, words: str, after: str) -> str:
    """Give what was searched, and which page of it, for the browser of whoever did to bring back; sealed."""
    return runtime.vault.seal([by.who, words[:LONGEST], after], SealedColumn.PATIENTS_SEARCH.value)


def opened_search(runtime: Runtime, by: By, sealed: str) -> tuple[str, str]:
    """Give the words and the page of a search that this browser brings back; empty for another session's."""
    try:
        who, words, after = runtime.vault.open(sealed, SealedColumn.PATIENTS_SEARCH.value) if sealed else ("", "", "")
    except (Undecryptable, ValueError, TypeError):
        return "", ""
    return (str(words), str(after)) if who == by.who else ("", "")


def _sealed(runtime: Runtime, table: Table, last: Mapping[str, Any]) -> str:
    """Give where a page ends, which a name says: so it is sealed."""
    return runtime.vault.seal([last.get(Columns.of(table).last), str(last["Id"])], SealedColumn.PATIENTS_CURSOR.value)


def _opened(runtime: Runtime, after: str | None) -> tuple[str | None, str] | None:
    try:
        name, id_ = runtime.vault.open(after, SealedColumn.PATIENTS_CURSOR.value) if after else (None, "")
    except (Undecryptable, ValueError, TypeError):
        return None
    return (name, id_) if isinstance(id_, str) and id_ and isinstance(name, str | None) else None
