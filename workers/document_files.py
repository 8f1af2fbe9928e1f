"""The files of linked documents: which of them DrChrono may have replaced, told from lists without reading a byte.

A document's bytes may be replaced in DrChrono under its id. What a list shows of its file is a signed address, whose
path is another one then, and the document's stamp has moved. Both together are the sign: an address may be made anew
for each answer, and a stamp moves with every edit. Of the address a keyed hash is kept. Whether the bytes differ is
told by reading them, which the next look does (`match_documents.py`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from app.runtime import Runtime
from app.store import documents, links
from app.store.documents import StoredDocument
from app.sync.documents import is_edited_since, may_have_another_file
from app.sync.model import Kind, Link
from app.vendors.drchrono import wire
from app.vendors.drchrono.documents import address_path

_HASH_CHARACTERS = 24
UNKNOWN_FILE = "? ?"  # what a document's file is known by of which nothing is: no file that is shown


def file_mark(runtime: Runtime, record: Mapping[str, Any]) -> str | None:
    """Give what a document's file is known by: its stamp, and a keyed hash of where it lies; None where it has none."""
    path = address_path(record)
    if path is None:
        return None
    return f"{wire.version(record)[:32]} {runtime.keys.digest(b'file', path.encode())[:_HASH_CHARACTERS]}"


async def with_other_files(
    runtime: Runtime, rows: Sequence[dict[str, Any]], agreed: Mapping[str, Link], told: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Give the rows that tell of something, and those whose file may be another than the one that was read; noted.

    rows    of the documents of linked patients
    agreed  record id -> the link that is weighed by what it holds
    told    record id -> the rows that tell of something by their text
    Raises  StoreUnavailable
    """
    pairs = {id_: link.id for id_, link in agreed.items() if link.is_pair}
    kept = await documents.of_links(runtime.database, list(pairs.values()))
    known = [(row, one) for row in rows if (one := kept.get(pairs.get(wire.record_id(row), ""))) is not None]
    found: dict[str, dict[str, Any]] = {}
    noted: list[StoredDocument] = []
    newly: set[str] = set()
    for row, one in known:
        mark = file_mark(runtime, row)
        if mark is None or one.content_stamp is None:
            continue
        if one.file_read is None:  # it went there from Salesforce: the first that is shown is what we sent
            noted.append(StoredDocument(one.link_id, file_read=mark))
        elif may_have_another_file(one.file_read, mark):
            found[wire.record_id(row)] = row
            noted.append(StoredDocument(one.link_id, file_shown=mark))
            if one.file_shown_at is None or is_edited_since(one.file_shown, mark):
                newly.add(one.link_id)
    await documents.note_files(runtime.database, noted, newly)
    return {**told, **found}


def is_unread(kept: StoredDocument | None) -> bool:
    """Say whether a document's file may be another than the one that was read, and has not been read yet."""
    return kept is not None and may_have_another_file(kept.file_read, kept.file_shown)


async def unread_files(runtime: Runtime, link_ids: Sequence[str]) -> dict[str, StoredDocument]:
    """Give, of linked documents, what is kept of those whose file may be another one by now."""
    kept = await documents.of_links(runtime.database, link_ids)
    return {link_id: one for link_id, one in kept.items() if is_unread(one)}


async def may_become_versions(runtime: Runtime, document_ids: Sequence[str]) -> bool:
    """Say whether one of these documents may become a new version of its File by itself: none of a failed one does."""
    return bool(document_ids and await links.links_to_compare(runtime.database, Kind.DOCUMENT, document_ids))


def is_newer(row: Mapping[str, Any], document_id: object, number: int) -> bool:
    """Say whether a version in Salesforce is a newer one of a File than the so manieth."""
    return row.get("ContentDocumentId") == document_id and int(row["VersionNumber"]) > number
