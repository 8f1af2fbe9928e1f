"""Documents: whose a File is, by the records that it is on; whether it was taken off; which earlier one it replaces.

A File may be on many records. It is the document of the patient whose record it is on; of several patients' it is that
one's it was before, or was uploaded for; where none of them is linked, it is whose comes first. On no patient's any
more it was taken off, which counts as deleted, unless the patient's own record has gone: then the document waits for
its patient, and stays what it was. (Pure.)
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.sync.failure_causes import ON_NO_PATIENT, PARENT_NOT_LINKED, SEVERAL_PATIENTS
from app.sync.mappings.table import Table
from app.sync.model import Deleted, Kind, Link, RecordRef, Side, Snapshot

_LONGEST_MISSING = timedelta(hours=6)  # DrChrono needs seconds to store a file; after hours it never will


@dataclass(frozen=True, slots=True)
class Placement:
    """What is known of the records that a File is on.

    patients  id of a patient's record -> the patient, by DrChrono's id; None where it is linked to none
    filed     the patient that the document is known to be of, and that one's record; None where it is of none yet
    is_there  whether that record is there still
    """

    patients: Mapping[str, str | None]
    filed: tuple[str, str | None] | None = None
    is_there: bool = False


def placed(table: Table, link: Link, version: Snapshot, where: Placement) -> Snapshot | Deleted:
    """Give a version of a File as the document of its patient; as deleted where it was taken off that one's record."""
    assert version.file is not None
    first = version.file.contact_id or ""
    row = table.row_of("patient")
    assert row is not None
    linked = {record: patient for record, patient in where.patients.items() if patient is not None}
    if where.filed is not None and where.filed[0] in linked.values():
        return _of(version, row.name, linked, where.filed[0])
    if where.filed is not None and link.is_pair and not where.is_there:
        fields = {**version.fields, row.name: where.filed[0]}  # on nobody's record now: so it is whose it was
        return replace(version, fields=fields, file=replace(version.file, contact_id=None))
    if first in linked or len(set(linked.values())) == 1:
        return _of(version, row.name, linked, linked.get(first) or next(iter(linked.values())))
    if link.is_pair and not linked:
        return Deleted()
    if where.patients and not linked:
        return _of_strangers(version, row.name, tuple(where.patients))
    return _of_nobody(version, row.name, SEVERAL_PATIENTS if where.patients else ON_NO_PATIENT)


def _of(version: Snapshot, name: str, linked: Mapping[str, str], patient: str) -> Snapshot:
    assert version.file is not None
    record = next(record for record, one in linked.items() if one == patient)
    return replace(version, fields={**version.fields, name: patient}, file=replace(version.file, contact_id=record))


def _of_strangers(version: Snapshot, name: str, records: tuple[str, ...]) -> Snapshot:
    assert version.file is not None
    record = version.file.contact_id if version.file.contact_id in records else records[0]
    nobodys = _of_nobody(version, name, PARENT_NOT_LINKED)
    return replace(nobodys, unlinked={name: record}, file=replace(version.file, contact_id=None, unlinked=records))


def _of_nobody(version: Snapshot, name: str, why: str) -> Snapshot:
    assert version.file is not None
    fields = {one: value for one, value in version.fields.items() if one != name}
    file = replace(version.file, contact_id=None)
    return replace(version, fields=fields, unreadable={**version.unreadable, name: why}, file=file)


def without_inherited_key(version: Snapshot, others: Collection[str]) -> Snapshot:
    """Give a version without the id that it has of another: a new version may have all fields of the one before.

    others  DrChrono's ids of documents that are other versions' by our own links
    """
    return replace(version, key=None) if version.key in others else version


def patient_without_record(table: Table, version: Snapshot) -> RecordRef | None:
    """Give whose a linked document is, where that one's record has gone from Salesforce and the File is on no other's.

    Who may write the File is told by the records that it is on: so nothing is written into it meanwhile.
    """
    row = table.row_of("patient")
    if version.file is None or version.file.contact_id is not None or row is None:
        return None
    patient = version.fields.get(row.name)
    return None if patient is None else RecordRef(Side.DRCHRONO, Kind.PATIENT, patient)


def is_given_up(heard_at: datetime, now: datetime) -> bool:
    """Say whether bytes that are not there are waited for no more, of a document that was heard of at some moment."""
    return now - heard_at > _LONGEST_MISSING


def is_edited_since(before: str | None, shown: str) -> bool:
    """Say whether a document has another stamp than before: its address alone may be made anew for each answer."""
    return before is None or before.split(" ")[0] != shown.split(" ", maxsplit=1)[0]


def may_have_another_file(read: str | None, shown: str | None) -> bool:
    """Say whether a document's file may be another than the one that was read: its stamp and its address have moved.

    read, shown  what each is known by: the document's stamp, and a hash of the address; None where it is not known
    """
    if read is None or shown is None:
        return False
    return all(one != other for one, other in zip(read.split(" "), shown.split(" "), strict=True))
