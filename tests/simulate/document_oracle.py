"""What must be true of documents once everything is at rest; said in words, as in `oracle.py`.

None is twice on a side but by a person's hand, and each is of one patient with the same bytes on both sides, or
somebody is told why not. The truth is what both vendors hold, and `Shelf`: who brought which bytes there.
"""

import json
import re
from collections import Counter

from app.store.tables import failures, links
from tests.simulate.documents import KEY, SHARED, TICK, VERSION, on_records, versions
from tests.simulate.vendors import DRCHRONO, SALESFORCE

_DATED, _REPLACED = re.compile(r" \(\d{4}-\d\d-\d\d\)$"), re.compile(r" \[replaced by document \d+\]$")
KIND = "document"


async def complaints(world):
    """Give every promise about documents that is broken."""
    every = {row.id: row for row in await world.rows(links)}
    known = {id_: row for id_, row in every.items() if row.kind == KIND}
    failed = {row.link_id: row for row in await world.rows(failures)}
    waiting = {row.drchrono_id for id_, row in every.items() if row.kind == "patient" and id_ in failed}
    found = [*_twice(world), *_unscanned(world)]
    by_document = {row.drchrono_id: row for row in known.values() if row.drchrono_id}
    by_version = {row.salesforce_id: row for row in known.values() if row.salesforce_id}
    pairs = {id_: row.drchrono_id for id_, row in by_version.items()}
    for document in [one for one in world.documents.values() if str(one["patient"]) not in waiting]:
        found += _document(world, document, by_document.get(str(document["id"])), failed, pairs)
    for version in versions(world).values():
        found += _version(world, version, by_version.get(version["Id"]), failed)
    if not world.shelf.has_late:
        found += _thrift(world)
    return found


def reason(world, link, row, held):
    """Say why a failure of a document is not explained by what happened; nothing where it is.

    held  DrChrono's ids of what fails: a chart that a Contact names is not linked to it then
    """
    document = world.documents.get(int(link.drchrono_id or 0))
    version = versions(world).get(link.salesforce_id)
    on = [world.partner(SALESFORCE, one) for one in on_records(world, version)] if version else []
    match row.cause:
        case "file_sent_already":
            came = version and world.shelf.came
            return (
                "" if came and sum(came[side, version["Checksum"]] for side in (DRCHRONO, SALESFORCE)) > 1 else "once"
            )
        case "gone_in_salesforce":
            return version and any(on) and document and document["archived"] is False and "its File is there"
        case "INSUFFICIENT_ACCESS_OR_READONLY":  # a person's File that is on no record is nobody's else to edit
            return version and on_records(world, version) and "its File is on a record"
        case "INVALID_CROSS_REFERENCE_KEY":
            return document and world.partner(DRCHRONO, document["patient"]) and "its patient has a Contact"
        case "gone_in_drchrono":
            return document and "its document is there"
        case "parent_missing" | "parent_dismissed":
            patient = document and document["patient"]
            has_contact = document is None or (str(patient) not in held and world.partner(DRCHRONO, patient))
            has_contact = has_contact and (document is not None or link.drchrono_id is None)  # it vanished untold
            first = version and version["FirstPublishLocationId"]
            of = [world.partner(SALESFORCE, first)] if version and first in on_records(world, version) else on
            has_chart = version is None or any(one in world.charts for one in of)
            return has_contact and has_chart and "its patient is on both sides"
        case "file_on_no_patient":
            return any(on) and "it is on a patient's Contact"
        case "parent_not_linked":
            return any(one and str(one) not in held for one in on) and "it is on a patient's Contact"
        case "file_of_several_patients":
            return "" if len(set(on)) > 1 else "it is on one patient's Contact"
        case "document_malware_found":
            contents = {document and _bytes_at_drchrono(world, document), version and version["Checksum"]}
            found = set() if world.scanner is None else world.scanner.found
            return contents.isdisjoint(found) and "nothing was found in it"
    return "nothing explains it"


def _bytes_at_drchrono(world, document):
    return world.vendors.practice.documents.files[document["id"]].blob.md5


def _twice(world):
    """Of the same bytes we make no more on a side than people have brought to the other."""
    for (side, content), count in _made(world).items():
        across = SALESFORCE if side == DRCHRONO else DRCHRONO
        most = world.shelf.came[across, content]
        if count > most:
            yield f"{count} documents in {side} with bytes of which {most} were brought to {across}: twice"


def _made(world):
    """Give what we have made, by its side and MD5."""
    every = world.vendors.org.tables[VERSION].rows.values()
    made = Counter((DRCHRONO, content) for id_, content in world.shelf.sent.items() if id_ in world.documents)
    made.update((SALESFORCE, one["Checksum"]) for one in every if one["Id"] not in world.shelf.uploaded)
    return made


def _unscanned(world):
    """Where there is a scanner, nothing arrives but what it called clean."""
    if world.scanner is not None:
        for side, content in _made(world):
            if content not in world.scanner.clean:
                yield f"a document was made in {side} that the scanner never called clean"


def _is_shared(document):
    tags = json.loads(document["metatags"] or "[]")
    return SHARED in tags


def _document(world, document, link, failed, pairs):
    """Say what is wrong with a document of DrChrono's and its File; `pairs`: version -> document."""
    name, contact = f"document {document['id']}", world.partner(DRCHRONO, document["patient"])
    if link is None:
        if document["id"] not in world.shelf.filed:
            return [f"{name} is ours, and in no link"]
        is_wanted = _is_shared(document) and not document["archived"] and contact
        return [f"{name} is not in Salesforce, and nobody is told why"] if is_wanted else []
    if link.id in failed:
        return []
    if link.salesforce_id is None:
        is_wanted = _is_shared(document) and not document["archived"] and contact
        return [f"{name} has no File, and nobody is told why"] if is_wanted else []
    version = versions(world).get(link.salesforce_id)
    if version is None:
        is_let_go = document["archived"] or link.excluded_by
        return [] if is_let_go else [f"{name}: its File is gone, and it is not archived"]
    return list(_pair(world, name, document, version, link, contact, pairs))


def _has_living_version(world, version, pairs):
    """Say whether another version of a File is a document that is not archived: the File stays for its sake."""
    of_file = {id_ for id_, one in versions(world).items() if one["ContentDocumentId"] == version["ContentDocumentId"]}
    others = [world.documents.get(int(pairs[id_] or 0)) for id_ in of_file - {version["Id"]} if id_ in pairs]
    return any(one is not None and not one["archived"] for one in others)


def _pair(world, name, document, version, link, contact, pairs):
    is_let_go = link.excluded_by or contact is None or document["archived"]
    is_replaced = is_let_go and document["id"] in world.shelf.replaced  # nobody looks at its file any more
    if not is_replaced and _bytes_at_drchrono(world, document) != version["Checksum"]:
        yield f"{name}: other bytes than {version['Id']}"
    on = {record: world.partner(SALESFORCE, record) for record in on_records(world, version)}
    patients = {patient for patient in on.values() if patient is not None}
    if link.excluded_by or contact is None:
        return
    if document["archived"]:
        is_to_go = world.deletes and not _has_living_version(world, version, pairs)
        if patients and (is_to_go or not version["DrChrono_Archived__c"]):
            yield f"{name} is archived, and {version['Id']} is on {sorted(on)} and not marked, or was to be taken off"
        return
    if not patients:
        yield f"{name}: {version['Id']} was taken off, and it is not archived"
    elif document["patient"] not in patients:
        yield f"{name} is of {document['patient']}, and {version['Id']} on records of {sorted(patients)}"
    if version["DrChrono_Archived__c"]:
        yield f"{name}: {version['Id']} is marked as archived, and it is not"
    if version[KEY] != str(document["id"]):
        yield f"{name}: {version['Id']} names {version[KEY]}"
    yield from _text(name, document, version)


def _text(name, document, version):
    tags = {one.strip().casefold() for one in re.split("[,;]", version["DrChrono_Tags__c"] or "")} - {""}
    pairs = {
        "title": (_REPLACED.sub("", document["description"]), _DATED.sub("", version["Title"])),
        "tags": ({one.casefold() for one in json.loads(document["metatags"] or "[]")}, tags),
        "date": (document["date"], version["DrChrono_Date__c"] or document["date"]),
    }
    for field, (left, right) in pairs.items():
        if left != right:
            yield f"{name}: {field} is {left!r} in DrChrono and {right!r} in Salesforce"


def _version(world, version, link, failed):
    """Say what is wrong with a version that was to be sent to DrChrono: ticked, or made of one that is a document.

    One that was there before an earlier one became a document has nothing of that one, and nobody asked for it. The one
    before is no document any more where its file was replaced in DrChrono.
    """
    patients = {
        patient for one in on_records(world, version) if (patient := world.partner(SALESFORCE, one)) is not None
    }
    if version["Id"] not in world.shelf.uploaded:
        is_linked = link is not None and link.drchrono_id
        return [] if is_linked or _is_replaced(world, version) else [f"{version['Id']} is ours, and in no link"]
    if link is not None and (link.id in failed or link.drchrono_id is not None):
        return []
    if _was_document(world, version) and _is_replaced(world, version):
        return []
    if (version[TICK] or version[KEY]) and len(patients) == 1:
        return [f"{version['Id']} is no document, and nobody is told why"]
    return []


def _was_document(world, version):
    """Say whether the bytes of a version have been in DrChrono."""
    content = version["Checksum"]
    return content in world.shelf.sent.values() or world.shelf.came[DRCHRONO, content] > 0


def _is_replaced(world, version):
    """Say whether a newer version of a File is the document that this one was."""
    of_file = [one for one in versions(world).values() if one["ContentDocumentId"] == version["ContentDocumentId"]]
    newer = [one for one in of_file if int(one["VersionNumber"]) > int(version["VersionNumber"])]
    return any(one[KEY] == version[KEY] for one in newer)


def _thrift(world):
    """Each write that changed something is paid for: an upload by what it brings, the rest by edits."""
    ours = [id_ for id_ in world.documents if id_ not in world.shelf.filed]
    rows = world.vendors.org.tables[VERSION].rows.values()
    made = len(ours) + sum(row["Id"] not in world.shelf.uploaded for row in rows)
    newer = sum(row["VersionNumber"] != "1" for row in rows)
    paid = world.shelf.edits + 2 * made + newer + sum(world.shelf.came.values())
    if world.shelf.writes > paid:
        yield f"{world.shelf.writes} writes to documents for {world.shelf.edits} edits and {made} made: {paid}"
