"""What a version of a File is read as beside its own record: whose document it is, and which one it replaces.

A File does not say whose it is; the records that it is on do. So with each batch of versions two questions go to
Salesforce, however many they are: which records their Files are on, and of these patients who their doctor is and
whether those that we know of are there still. Which of them are patients we know ourselves.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.store import dependencies, documents, links
from app.store.identity_index import already_paired
from app.store.pending_writes import being_uploaded
from app.sync.deletions import is_marked
from app.sync.documents import Placement, placed, without_inherited_key
from app.sync.model import Deleted, Kind, Link, RecordRef, Side, Snapshot
from app.sync.snapshots import SideReader
from app.vendors.salesforce import search
from app.vendors.salesforce.files import SalesforceFiles
from app.vendors.salesforce.wire import id_of
from workers.batch import Batch

_MOST_VERSIONS = 2_000


async def with_placements(
    batch: Batch, by_id: Mapping[str, Link], held: Mapping[str, Snapshot | Deleted]
) -> dict[str, Snapshot | Deleted]:
    """Give what Salesforce holds of documents, each as the document of its patient; by link id.

    Raises  VendorError
    """
    versions = {id_: one for id_, one in held.items() if isinstance(one, Snapshot) and one.file is not None}
    if not versions:
        return {**held}
    patients = batch.runtime.mappings[Kind.PATIENT]
    on_records = await SalesforceFiles(batch.salesforce).linked_records(
        sorted({one.file.document_id for one in versions.values() if one.file})
    )
    on_patients = {
        document: [record for record in records if id_of(patients.object, record)]
        for document, records in on_records.items()
    }
    refs = {RecordRef(Side.SALESFORCE, Kind.PATIENT, id_) for ids in on_patients.values() for id_ in ids}
    known = await dependencies.drchrono_ids_of(batch.runtime.database, refs)
    linked = {record: known.get((Kind.PATIENT, record)) for ids in on_patients.values() for record in ids}
    filed = await _filed(batch, by_id, versions)
    lone = {id_: one for id_, one in versions.items() if not by_id[id_].is_pair}
    asked = {record for record, patient in linked.items() if patient is not None} if lone else set()
    asked |= {record for _, record in filed.values() if record is not None and record not in linked}
    there = await _patients_there(batch, sorted(asked))
    earlier, waiting = await _earlier(batch, lone)
    named = {one.key for one in lone.values() if one.key is not None}
    taken = await already_paired(batch.runtime.database, Kind.DOCUMENT, Side.DRCHRONO, named) if named else set()
    uploaded = await being_uploaded(batch.runtime.database, named)
    waiting |= {one.id for one in lone.values() if one.key in uploaded}  # it may be what our own upload has made
    replaced = await _replaced(batch, lone, taken)
    earlier = {id_: document for id_, document in earlier.items() if id_ not in replaced}
    found: dict[str, Snapshot | Deleted] = {**held}
    for link_id, version in versions.items():
        assert version.file is not None
        records = on_patients.get(version.file.document_id, [])
        of = filed.get(link_id)
        is_there = of is not None and (of[1] in there or of[1] in linked)
        where = Placement({one: linked[one] for one in records}, of, is_there=is_there)
        if link_id in lone:
            version = without_inherited_key(version, taken)  # noqa: PLW2901
            if version.id in replaced:
                version = replace(version, is_opted_in=False)  # noqa: PLW2901
            if version.id in waiting and version.file is not None:
                version = replace(version, file=replace(version.file, waits=True))  # noqa: PLW2901
        one = placed(batch.rules.table, by_id[link_id], version, where)
        found[link_id] = _with_origin(one, there, earlier) if isinstance(one, Snapshot) else one
    found |= await _with_others(batch, by_id, found) if batch.rules.deletes else {}
    await _wake_older(batch, [versions[id_] for id_ in versions if _may_have_moved(batch, filed.get(id_), found[id_])])
    return found


async def _with_others(
    batch: Batch, by_id: Mapping[str, Link], found: Mapping[str, Snapshot | Deleted]
) -> dict[str, Snapshot]:
    """Give the versions of linked documents, each with whether another of its File is a document that lives."""
    linked = {id_: one for id_, one in found.items() if isinstance(one, Snapshot) and by_id[id_].is_pair}
    files = {one.file.document_id for one in linked.values() if one.file is not None}
    file_of = {str(row["Id"]): _file(row) for row in await _versions_of(batch, files)} if files else {}
    known = await links.links_to_compare(
        batch.runtime.database, Kind.DOCUMENT, sorted(file_of), Side.SALESFORCE, with_failing=True
    )
    living = {(file_of[id_], id_) for id_, link in known.items() if link.is_pair and not is_marked(batch.rules, link)}
    return {
        link_id: replace(one, file=replace(one.file, others_live=True))
        for link_id, one in linked.items()
        if one.file is not None
        if any(file == one.file.document_id and id_ != one.id for file, id_ in living)
    }


def _may_have_moved(batch: Batch, filed: tuple[str, str | None] | None, found: Snapshot | Deleted) -> bool:
    """Say whether a version's File may be on another record by now; one that is no document has nothing to go by."""
    if not isinstance(found, Snapshot) or filed is None:
        return True
    row = batch.rules.table.row_of("patient")
    assert row is not None
    return row.name in found.fields and found.fields[row.name] != filed[0]


async def _wake_older(batch: Batch, moved: Sequence[Snapshot]) -> None:
    """Have the older versions of Files looked at whose latest one may have moved: Salesforce tells of that alone."""
    newest: dict[str, int] = {}
    for one in moved:
        if (
            one.file is not None
            and not one.file.waits
            and one.file.number > max(1, newest.get(one.file.document_id, 0))
        ):
            newest[one.file.document_id] = one.file.number
    if not newest or not batch.leased.token:
        return
    rows = await _versions_of(batch, newest)
    latest = {file: max(_number(row) for row in rows if _file(row) == file) for file in {_file(row) for row in rows}}
    files = {file for file, number in newest.items() if latest.get(file) == number}
    older = [str(row["Id"]) for row in rows if _file(row) in files and _number(row) < latest[_file(row)]]
    await links.mark_seen(batch.runtime.database, Kind.DOCUMENT, older, [], batch.leased.lane)


async def wake_versions(batch: Batch, document_id: str, but: str) -> None:
    """Have the versions of a File looked at, but for one: all of them are on another record with it.

    Raises  VendorError
    """
    ids = [str(row["Id"]) for row in await _versions_of(batch, [document_id])]
    await links.mark_seen(
        batch.runtime.database, Kind.DOCUMENT, [id_ for id_ in ids if id_ != but], [], batch.leased.lane
    )


async def _versions_of(batch: Batch, document_ids: Collection[str]) -> list[dict[str, Any]]:
    return await batch.salesforce.select(
        batch.rules.table.object,
        ["ContentDocumentId", "VersionNumber"],
        search.of_files(sorted(document_ids)),
        ["ContentDocumentId"],
        _MOST_VERSIONS,
    )


def _file(row: Mapping[str, Any]) -> str:
    return str(row.get("ContentDocumentId"))


def _number(row: Mapping[str, Any]) -> int:
    return int(row["VersionNumber"])


def _with_origin(version: Snapshot, there: Mapping[str, str | None], earlier: Mapping[str, str]) -> Snapshot:
    """Give a version with its patient's doctor and the document that it replaces."""
    assert version.file is not None
    doctor = there.get(version.file.contact_id or "")
    return replace(version, file=replace(version.file, doctor=doctor, earlier=earlier.get(version.id)))


async def _filed(
    batch: Batch, by_id: Mapping[str, Link], versions: Mapping[str, Snapshot]
) -> dict[str, tuple[str, str | None]]:
    """Give, by link id, the patient that a document is known to be of, and that one's record in Salesforce."""
    kept = await documents.of_links(batch.runtime.database, [id_ for id_ in versions if by_id[id_].is_pair])
    patients = {id_: one.patient_id for id_, one in kept.items() if one.patient_id is not None}
    records = await documents.records_of(batch.runtime.database, set(patients.values()))
    return {id_: (patient, records.get(patient)) for id_, patient in patients.items()}


async def _patients_there(batch: Batch, record_ids: Sequence[str]) -> dict[str, str | None]:
    """Give, of patients' records that are there in Salesforce, the doctor by DrChrono's id; None where they name none.

    Raises  VendorError
    """
    if not record_ids:
        return {}
    table = batch.runtime.mappings[Kind.PATIENT]
    row = table.row_of("doctor")
    names = row.selected if row is not None else ()
    found = await batch.salesforce.read(table.object, names, table.external_id, record_ids, [])
    reader = SideReader(table)
    seen = [reader.salesforce(record) for record in found]
    return {one.id: one.fields.get(row.name) if row is not None else None for one in seen}


async def has_chart(batch: Batch, patient: str) -> bool:
    """Say whether DrChrono shows a patient's chart; where it does not, the patient is looked at, and fails by itself.

    Raises  VendorError
    """
    assert batch.drchrono is not None
    if await batch.drchrono.read(batch.runtime.mappings[Kind.PATIENT].path, patient) is not None:
        return True
    await links.ask_about(batch.runtime.database, RecordRef(Side.DRCHRONO, Kind.PATIENT, patient), batch.leased.lane)
    return False


async def without_record(batch: Batch, patients: Collection[str]) -> frozenset[str]:
    """Give, of patients by DrChrono's ids, those whose record is not there in Salesforce, which are looked at by now.

    Raises  VendorError
    """
    records = await documents.records_of(batch.runtime.database, patients)
    there = await _patients_there(batch, sorted(records.values()))
    gone = frozenset(patient for patient, record in records.items() if record not in there)
    for patient in sorted(gone):
        await links.ask_about(
            batch.runtime.database, RecordRef(Side.DRCHRONO, Kind.PATIENT, patient), batch.leased.lane
        )
    return gone


async def _earlier(batch: Batch, lone: Mapping[str, Snapshot]) -> tuple[dict[str, str], set[str]]:
    """Say of versions that are new to us what comes before them.

    Gives  by a version's Id the document of the latest version before it that is one; the Ids of those before which
           one is on its way
    """
    newer = [one for one in lone.values() if one.file is not None and one.file.number > 1]
    if not newer:
        return {}, set()
    rows = await _versions_of(batch, {one.file.document_id for one in newer if one.file})
    refs = {RecordRef(Side.SALESFORCE, Kind.DOCUMENT, str(row["Id"])) for row in rows}
    known = await dependencies.drchrono_ids_of(batch.runtime.database, refs)
    ids = [str(row["Id"]) for row in rows]
    coming = await links.on_their_way(batch.runtime.database, Kind.DOCUMENT, ids, Side.SALESFORCE)
    found: dict[str, str] = {}
    waiting: set[str] = set()
    for one in newer:
        assert one.file is not None
        before = {
            (_number(row), str(row["Id"]))
            for row in rows
            if _file(row) == one.file.document_id and _number(row) < one.file.number
        }
        if any(id_ in coming for _, id_ in before):
            waiting.add(one.id)
        if documents_before := [id_ for _, id_ in sorted(before) if (Kind.DOCUMENT, id_) in known]:
            found[one.id] = known[Kind.DOCUMENT, documents_before[-1]]
    return found, waiting


async def _replaced(batch: Batch, lone: Mapping[str, Snapshot], taken: Collection[str]) -> set[str]:
    """Give the Ids of versions that name a document which a newer version of their File is: they are none any more."""
    old = {one.id: one.file for one in lone.values() if one.key in taken and one.file is not None}
    if not old:
        return set()
    rows = await _versions_of(batch, {file.document_id for file in old.values()})
    refs = {RecordRef(Side.SALESFORCE, Kind.DOCUMENT, str(row["Id"])) for row in rows}
    known = await dependencies.drchrono_ids_of(batch.runtime.database, refs)
    newest = {
        (_file(row), known[Kind.DOCUMENT, str(row["Id"])]): _number(row)
        for row in rows
        if (Kind.DOCUMENT, str(row["Id"])) in known
    }
    return {
        one.id
        for one in lone.values()
        if (file := old.get(one.id)) is not None and newest.get((file.document_id, one.key or ""), 0) > file.number
    }
