"""What people do with documents in a history: at DrChrono they file, edit, move and archive them, in Salesforce they
upload, tick, edit, share and take off Files; and what either side does not take or show for a while.

`Shelf` is what people know of it: which bytes came from whom. What must be true of documents at rest is in
`document_oracle.py`.
"""

import base64
import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field, replace

from app.store.tables import documents as kept_of_documents
from app.store.tables import links
from app.sync.model import Kind
from tests.simulate.post import event_of
from tests.standins.blobs import HEADS
from tests.standins.scanners import MARKER
from workers.compare.reconcile import compare
from workers.document_poll import poll_documents_when_due

_DRCHRONO, _SALESFORCE = "drchrono", "salesforce"
SHARED = "Share with CRM"
VERSION, LINK, DOCUMENT = "contentversion", "contentdocumentlink", "contentdocument"
KEY, TICK = "DrChrono_Document_Id__c", "Send_To_DrChrono__c"
_FIELDS = {
    KEY: {"kind": "string", "length": 64, "external_id": True, "case_sensitive": True},
    TICK: {"kind": "boolean"},
    "DrChrono_Tags__c": {"kind": "string", "length": 255},
    "DrChrono_Date__c": {"kind": "date"},
    "DrChrono_Archived__c": {"kind": "boolean"},
}
_EXTENSIONS = {"pdf": "pdf", "png": "png", "jpeg": "jpg", "tiff": "tif"}
_TITLES, _DAYS = ("Referral letter", "Consent", "Scan (2020-01-01)"), ("2026-01-02", "2026-01-10")
_TAGS = ((SHARED,), (SHARED,), (SHARED,), (SHARED, "Lab"), ("Lab",), ())
_MALWARE = 0.1  # of what people file and upload where there is a scanner
_COPIED = 0.15  # of all files: somebody has the same bytes twice
_OPERATIONS = {"created": "UPDATE", "updated": "UPDATE", "unchanged": "UPDATE", "undeleted": "UNDELETE"}


@dataclass
class Shelf:
    """What people know of documents: `filed` and `uploaded` by them, and how often which bytes came from a person.

    contents  all bytes there are, by their MD5
    sent      document -> the MD5 of what we uploaded, whatever its file is by now
    replaced  documents under which a person has put another file
    edits     what people have changed, each of which pays for a write
    writes    of ours that changed something; `has_late`: one of them landed long after it was given up on
    """

    filed: set = field(default_factory=set)
    uploaded: set = field(default_factory=set)
    contents: dict = field(default_factory=dict)
    sent: dict = field(default_factory=dict)
    replaced: set = field(default_factory=set)
    came: Counter = field(default_factory=Counter)
    edits: int = 0
    writes: int = 0
    has_late: bool = False

    def takes(self, rng, side, malware=0.0):
        """Give a file of a person's as name and bytes: new ones, or now and then a copy of others.

        malware  how often there is some in it
        """
        if self.contents and rng.random() < _COPIED:
            name, content = self.contents[rng.choice(sorted(self.contents))]
        else:
            kind = rng.choice(sorted(_EXTENSIONS))
            content = HEADS[kind] + f" {len(self.contents)} ".encode() * rng.choice((1, 50))
            content += MARKER if malware and rng.random() < malware else b""
            name = f"scan.{_EXTENSIONS[kind]}"
        self.contents[md5(content)] = name, content
        self.came[side, md5(content)] += 1
        return name, base64.b64encode(content).decode()


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def begins(world):
    """Have an org with the package's fields, and a practice whose files and lists are late, as it may be."""
    for name, column in _FIELDS.items():
        world.person(_SALESFORCE, "POST", "objects/ContentVersion/fields", name=name, **column)
    documents = world.vendors.practice.documents
    documents._keep = _counted(world, documents)
    documents.elapsed_s = lambda: world.clock.ms / 1000
    world.vendors.org.settings.query_all_files = True  # else no list of versions shows those of others
    world.vendors.practice.turn({"document_looks": world.rng.choice((0, 1, 3))})
    documents.list_stale_s = world.rng.choice((0.0, 0.0, 5.0))


def _counted(world, documents):
    """Count what the service changes in documents of DrChrono's."""
    keep = documents._keep

    def kept(record):
        before = documents.records.get(record["id"], {})
        if any(before.get(name) != value for name, value in record.items() if name != "updated_at"):
            _counts(world)
        if not before and world.vendors.author is not None:
            world.shelf.sent[record["id"]] = documents.files[record["id"]].blob.md5
        return keep(record)

    return kept


def _counts(world):
    if world.vendors.author is not None:
        world.shelf.writes += 1
        world.shelf.has_late |= world.vendors.is_late


def opens(world):
    """Both sides take any file again, and DrChrono's hour is a new one."""
    world.vendors.spent_until_ms = 0
    org = world.vendors.org.settings
    org.file_storage_full, org.daily_versions = False, 10**6
    _takes_at_most(world, 0)


def _takes_at_most(world, most_bytes):
    practice = world.vendors.practice
    practice.settings = replace(practice.settings, document_most_bytes=most_bytes)


# what there is


def versions(world):
    return {row["Id"]: row for row in world.vendors.org.tables[VERSION].live()}


def on_records(world, version):
    """Give the Contacts that a version's File is on, in the order they were put there."""
    found = [one for one in world.vendors.org.tables[LINK].live() if one["ContentDocumentId"] == _file_of(version)]
    return {one["LinkedEntityId"]: one["Id"] for one in found if one["LinkedEntityId"] in world.contacts}


def _file(world, side):
    """Give a file of a person's."""
    return world.shelf.takes(world.rng, side, 0.0 if world.scanner is None else _MALWARE)


def _file_of(version):
    return version["ContentDocumentId"]


def _latest(world):
    return {id_: row for id_, row in versions(world).items() if row["IsLatest"]}


def _any(world, ids):
    known = list(ids)
    return world.rng.choice(known) if known else None


# what people at the practice do


async def document_filed(world, mix):
    chart = _any(world, world.charts)
    if not chart:
        return False
    name, content = _file(world, _DRCHRONO)
    made = world.person(
        _DRCHRONO, "POST", "documents", patient=chart, description=world.rng.choice(_TITLES),
        date=world.rng.choice(_DAYS), metatags=json.dumps(world.rng.choice(_TAGS)), name=name, file=content,
    )  # fmt: skip
    world.shelf.filed.add(made["id"])
    return True


async def _known(world):
    """Give the documents but for those that we have uploaded and do not know of yet."""
    linked = {row.drchrono_id for row in await world.rows(links) if row.kind == Kind.DOCUMENT}
    return [id_ for id_ in world.documents if id_ in world.shelf.filed or str(id_) in linked]


def _edits_document(world, document, **fields):
    if not document:
        return False
    world.shelf.edits += 1
    return world.person(_DRCHRONO, "PATCH", f"documents/{document}", **fields) is not None


async def document_edited(world, mix):
    name, values = world.rng.choice((("description", _TITLES), ("date", _DAYS), ("metatags", _TAGS)))
    value = world.rng.choice(values)
    fields = {name: json.dumps(value) if name == "metatags" else value}
    return _edits_document(world, _any(world, world.documents), **fields)


async def document_archived(world, mix):
    return _edits_document(world, _any(world, world.documents), archived=True)


async def document_restored(world, mix):
    return _edits_document(world, _any(world, world.documents), archived=False)


async def document_refiled(world, mix):
    """Somebody files a document with another patient; one that we do not know of would be looked for in vain there."""
    chart = _any(world, world.charts)
    return bool(chart) and _edits_document(world, _any(world, await _known(world)), patient=chart)


async def document_replaced(world, mix):
    """Somebody puts another file under a document: one that a list has shown by now, if it is ours; a second later."""
    shown = {row.link_id for row in await world.rows(kept_of_documents) if row.file_read is not None}
    ours = {row.drchrono_id for row in await world.rows(links) if row.id in shown}
    now = world.vendors.practice.clock.stamp()
    may = [id_ for id_, one in world.documents.items() if one["updated_at"] != now]
    document = _any(world, [id_ for id_ in may if id_ in world.shelf.filed or str(id_) in ours])
    if not document:
        return False
    world.shelf.replaced.add(document)
    name, content = _file(world, _DRCHRONO)
    return _edits_document(world, document, name=name, file=content)


async def document_vanished(world, mix):
    """It is gone for good, and DrChrono tells nobody."""
    document = _any(world, world.documents)
    return bool(document) and world.person(_DRCHRONO, "DELETE", f"documents/{document}") is not None


# what people in Salesforce do


async def file_uploaded(world, mix):
    contact = _any(world, world.contacts)
    return bool(contact) and _uploads(world, FirstPublishLocationId=contact)


async def file_versioned(world, mix):
    """Somebody uploads a newer version of a File, whose fields may be those of the one before."""
    version = _any(world, _latest(world))
    return bool(version) and _uploads(world, ContentDocumentId=versions(world)[version]["ContentDocumentId"])


def _uploads(world, **place):
    name, content = _file(world, _SALESFORCE)
    is_ticked = world.rng.random() < 0.7
    given = {"Title": world.rng.choice(_TITLES), "PathOnClient": name, "VersionData": content, TICK: is_ticked}
    made = world.person(_SALESFORCE, "POST", "records/ContentVersion", **given, **place)
    if made is not None:
        world.shelf.uploaded.add(made["Id"])
    return made is not None


def _edits_version(world, **fields):
    version = _any(world, _latest(world))
    if not version:
        return False
    world.shelf.edits += 1
    return world.person(_SALESFORCE, "PATCH", f"records/ContentVersion/{version}", **fields) is not None


async def file_ticked(world, mix):
    return _edits_version(world, **{TICK: True})


async def file_edited(world, mix):
    name, values = world.rng.choice((("Title", _TITLES), ("DrChrono_Date__c", _DAYS), ("DrChrono_Tags__c", _TAGS)))
    value = world.rng.choice(values)
    return _edits_version(world, **{name: "; ".join(value) or None if name == "DrChrono_Tags__c" else value})


async def file_taken_off(world, mix):
    """Somebody takes a File off a Contact."""
    version = _any(world, _latest(world))
    found = on_records(world, versions(world)[version]) if version else {}
    link = _any(world, found.values())
    world.shelf.edits += bool(link)
    return bool(link) and world.person(_SALESFORCE, "DELETE", f"records/ContentDocumentLink/{link}") is not None


async def file_put_on(world, mix):
    """Somebody puts a File on a Contact, be it the first, a second one, or the one that it was taken off."""
    version, contact = _any(world, _latest(world)), _any(world, world.contacts)
    if not version or not contact:
        return False
    world.shelf.edits += 1
    given = {"ContentDocumentId": _file_of(versions(world)[version]), "LinkedEntityId": contact, "ShareType": "I"}
    return world.person(_SALESFORCE, "POST", "records/ContentDocumentLink", **given) is not None


async def file_deleted(world, mix):
    file = _any(world, [row["Id"] for row in world.vendors.org.tables[DOCUMENT].live()])
    world.shelf.edits += bool(file)
    return bool(file) and world.person(_SALESFORCE, "DELETE", f"records/ContentDocument/{file}") is not None


async def file_undeleted(world, mix):
    gone = [row["Id"] for row in world.vendors.org.tables[DOCUMENT].rows.values() if row["IsDeleted"]]
    file = _any(world, gone)
    world.shelf.edits += bool(file)
    return bool(file) and world.person(_SALESFORCE, "POST", f"records/ContentDocument/{file}/undelete") is not None


# what either side does


async def files_refused(world, mix):
    """The org's storage is full, or its day's versions are spent, or a gateway of the practice takes nothing large."""
    org = world.vendors.org.settings
    match world.rng.choice(("storage", "day", "gateway")):
        case "storage":
            org.file_storage_full = True
        case "day":
            org.daily_versions = 0
        case "gateway":
            _takes_at_most(world, 100)
    return True


async def files_taken(world, mix):
    opens(world)
    return True


async def hour_spent(world, mix):
    """Others that share DrChrono's hour have spent it: every call is refused, with how long that lasts."""
    world.vendors.spent_until_ms = world.clock.ms + world.rng.choice((60_000, 600_000, 1_800_000))
    return True


async def documents_compared(world, mix):
    """A worker goes through the documents of both sides: DrChrono tells of none by itself."""
    return await _works(
        world, "compares documents", lambda runtime, inbox: compare(runtime, inbox, Kind.DOCUMENT, world.clock.first)
    )


async def documents_polled(world, mix):
    """A worker lists the documents of patients that were asked for."""
    return await _works(
        world, "lists documents", lambda runtime, inbox: poll_documents_when_due(runtime, inbox, lambda _: None)
    )


async def _works(world, what, job):
    idle = [worker for worker in world.workers if not worker.is_busy]
    if not idle:
        return False
    worker = world.rng.choice(idle)
    worker.does(job(worker.runtime, world.web.app.state.inbox))
    await world.turns.stand_still()
    world.tells(f"{worker.name} {what}")
    return True


def letters(world, call, table, row, op):
    """Send what the package's triggers tell of a change of a File: ids of versions that concern us.

    Of what we write ourselves they tell nothing, as a rule.
    """
    name, of_all = table.kind.name.lower(), world.vendors.org.tables[VERSION].rows.values()
    if name == VERSION and op in ("created", "updated") and not call.human:
        _counts(world)
    if name not in (VERSION, LINK, DOCUMENT) or (not call.human and world.rng.random() < 0.9):
        return
    file = row["Id"] if name == DOCUMENT else _file_of(row)
    of_file = [one for one in of_all if one["ContentDocumentId"] == file]
    if not any(one[TICK] or one[KEY] for one in of_file) or (name == DOCUMENT and op not in ("deleted", "undeleted")):
        return
    if name == LINK:
        of_file, op = [one for one in of_file if one["IsLatest"]], "updated"
    for one in of_file if name != VERSION else [row]:
        world.post.bag.append(event_of("ContentVersion", one, _OPERATIONS.get(op, "DELETE"), world.rng))


async def settles(world):
    """Have every list made that was asked for, and every replaced document say so, until nothing is left to do."""
    worker = world.workers[0] if world.workers else world.hires()
    for _ in range(6):
        world.passes(60_001)
        await poll_documents_when_due(worker.runtime, world.web.app.state.inbox, lambda _: None)
        await world.settles()
