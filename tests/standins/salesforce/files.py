"""Files: a document, its versions, and the links that put it on records; what each may say, and what follows from it.

A version's bytes never change: other bytes are a new version. A link says where a document is seen, and a merge moves
it without a word. A file that is seen by way of a record alone is found by its id, or by whoever may query all files.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.standins.blobs import Blob
from tests.standins.salesforce.errors import ApiError, RecordError
from tests.standins.salesforce.metadata.xml_parts import flag, parts, text
from tests.standins.salesforce.org import Org
from tests.standins.salesforce.records import Row, Table
from tests.standins.salesforce.rules import Call
from tests.standins.salesforce.schema import Kind
from tests.standins.salesforce.soql import Compare, Group, Query

DOCUMENT, VERSION, LINK = "ContentDocument", "ContentVersion", "ContentDocumentLink"
_TYPES = {"pdf": "PDF", "png": "PNG", "jpg": "JPG", "jpeg": "JPG", "tif": "TIFF", "tiff": "TIFF", "txt": "TEXT"}
_RESTRICTION = "Implementation restriction: "
_UNFILTERED = (
    f"{_RESTRICTION}ContentDocumentLink requires a filter by a single Id on ContentDocumentId or LinkedEntityId using "
    "the equals operator or multiple Id's using the IN operator."
)
_ON_OTHERS = (
    f"{_RESTRICTION}filtering on non-id fields is only permitted when filtering by ContentDocumentLink.LinkedEntityId "
    "using the equals operator."
)


def extension_of(path: str) -> str:
    """What stands behind the last full stop of a file's name, in small letters; empty without one."""
    name = path.replace("\\", "/").rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""


def address(version: str, kind: str, row: Mapping[str, Any], name: str) -> str:
    """Where the bytes of a field are."""
    return f"/services/data/{version}/sobjects/{kind}/{row['Id']}/{name}"


def with_addresses(version: str, kind: Kind, row: Row) -> Row:
    """The row as an answer has it: in place of bytes, where they are."""
    return {
        name: address(version, kind.name, row, name) if isinstance(value, Blob) else value
        for name, value in row.items()
    }


def check(call: Call, table: Table, values: Row, row: Row | None) -> None:
    """What is asked of files alone; nothing of an old record of another object.

    Raises
        RecordError  the file or the link is refused

    """
    if table.kind.name in {DOCUMENT, VERSION} and not call.human:
        document_id = (row or {}).get("ContentDocumentId") or values.get("ContentDocumentId")
        _check_editor(call.org, row["Id"] if row and table.kind.name == DOCUMENT else document_id)
    if row is not None:
        return
    if table.kind.name == VERSION:
        _check_version(call, values)
    elif table.kind.name == LINK:
        there = _on(call.org, values.get("LinkedEntityId"), values.get("ContentDocumentId"))
        if there is not None:
            message = (
                f"Document with ID: {values['ContentDocumentId']} is already linked with the entity with ID: "
                f"{values['LinkedEntityId']}"
            )
            raise RecordError("DUPLICATE_VALUE", message, ["LinkedEntityId"])


def _check_editor(org: Org, document_id: str | None) -> None:
    """A file is edited by its owner, its collaborators, and by way of a record whose editors are its own."""
    document = org.tables[DOCUMENT.lower()].rows.get(document_id or "")
    if document is None or document["OwnerId"] == org.user:
        return
    for link in links_of(org, document["Id"]):
        on = next((table for table in org.tables.values() if link["LinkedEntityId"] in table.rows), None)
        if link["ShareType"] == "C" and link["LinkedEntityId"] == org.user:
            return
        if link["ShareType"] == "I" and on is not None and on.kind.name != "User" and on.kind.updateable:
            return
    raise RecordError("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", status=403)


def _check_version(call: Call, values: Row) -> None:
    settings, blob = call.org.settings, values.get("VersionData")
    missing = [name for name in ("PathOnClient", "VersionData") if not values.get(name)]
    # That a file without a byte counts as none is recalled; a person at the screen gets one in.
    if not missing and not call.human and isinstance(blob, Blob) and not blob.size:
        missing = ["VersionData"]
    if missing:
        raise RecordError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing)
    extension = extension_of(values["PathOnClient"])
    if extension in settings.blocked_extensions:  # the words are observed, the code is inferred
        message = f"Your company doesn't support the following file types: .{extension}"
        raise RecordError("FIELD_INTEGRITY_EXCEPTION", message, ["PathOnClient"])
    if settings.file_storage_full:
        raise RecordError("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded")
    if call.org.versions_made >= settings.daily_versions:  # likewise
        code = settings.daily_versions_code
        status = 500 if code == "UNKNOWN_EXCEPTION" else 400
        raise RecordError(code, "ContentPublication Limit exceeded.", status=status)


def complete(call: Call, table: Table, row: Row) -> None:
    """Fills in what the org itself says of a new file or link."""
    if table.kind.name == LINK:
        row["Visibility"] = row["Visibility"] or "AllUsers"
    if table.kind.name != VERSION:
        return
    org, blob = call.org, row["VersionData"]
    org.versions_made += 1  # and what is deleted again counts as well
    before = latest_of(org, row["ContentDocumentId"])
    name = row["PathOnClient"].replace("\\", "/").rpartition("/")[2]
    extension = extension_of(name)
    row.update(
        IsLatest=True, VersionNumber="1", PublishStatus="P", ContentLocation="S", ContentModifiedDate=call.stamp,
        Origin=row["Origin"] or "C", SharingPrivacy=row["SharingPrivacy"] or "N", OwnerId=row["OwnerId"] or call.user,
        ContentSize=blob.size, Checksum=blob.md5 if org.settings.file_checksums else None,
        FileExtension=extension or None, FileType=_TYPES.get(extension, extension.upper() or "UNKNOWN"),
    )  # fmt: skip
    if before is None:
        row["Title"] = row["Title"] or (name.removesuffix(f".{name.rpartition('.')[2]}") if extension else name)
        row["ContentDocumentId"] = _new_document(call, row)["Id"]
        return
    table.change(before, {"IsLatest": False})
    row.update(Title=row["Title"] or before["Title"], VersionNumber=str(int(before["VersionNumber"]) + 1))
    if org.settings.versions_inherit:
        custom = [column.name for column in table.kind.own if column.name.endswith("__c")]
        row.update({one: before[one] for one in custom if not row[one]})


def _new_document(call: Call, version: Row) -> Row:
    documents = call.org.tables[DOCUMENT.lower()]
    document = documents.blank()
    document.update(
        CreatedDate=call.stamp, CreatedById=call.user, LastModifiedDate=call.stamp, LastModifiedById=call.user,
        SystemModstamp=call.stamp, OwnerId=version["OwnerId"], Title=version["Title"], PublishStatus="P",
    )  # fmt: skip
    documents.add(document)
    return document


def follow(call: Call, table: Table, row: Row, op: str, values: Row) -> None:
    """What a change of a file brings about in the others: links of a new one, and one title for both."""
    org = call.org
    if table.kind.name == DOCUMENT and "Title" in values:
        _change(call, org.tables[VERSION.lower()], latest_of(org, row["Id"]), {"Title": row["Title"]})
    if table.kind.name != VERSION or not row["IsLatest"]:
        return
    documents = org.tables[DOCUMENT.lower()]
    document = documents.rows[row["ContentDocumentId"]]
    same = {name: row[name] for name in ("Title", "FileType", "FileExtension", "ContentSize", "ContentModifiedDate")}
    _change(call, documents, document, {**same, "LatestPublishedVersionId": row["Id"]})
    if op != "created" or row["VersionNumber"] != "1":
        return
    for entity, share in ((row["OwnerId"], "I"), (row["FirstPublishLocationId"], _share_on_records(org))):
        if entity and _on(org, entity, document["Id"]) is None:
            _link(call, document["Id"], entity, share)


def _share_on_records(org: Org) -> str:
    """How a file is shared with those who see a record that it is uploaded to: as the record is, or to be read."""
    return "I" if org.settings.files_set_by_record else "V"


def _change(call: Call, table: Table, row: Row | None, values: Row) -> None:
    if row is not None and any(row[name] != value for name, value in values.items()):
        table.change(row, values)
        row["LastModifiedDate"] = row["SystemModstamp"] = call.stamp
        row["LastModifiedById"] = call.user
        table.touch(row)


def _link(call: Call, document_id: str, entity: str, share: str) -> None:
    links = call.org.tables[LINK.lower()]
    link = links.blank()
    link.update(
        ContentDocumentId=document_id, LinkedEntityId=entity, ShareType=share, Visibility="AllUsers",
        CreatedDate=call.stamp, CreatedById=call.user, SystemModstamp=call.stamp,
    )  # fmt: skip
    links.add(link)
    for tell in call.org.listeners:
        tell(call, links, link, "created", [])


def latest_of(org: Org, document_id: str | None) -> Row | None:
    """The newest version of a document; none of a document that is not there."""
    return next((one for one in versions_of(org, document_id) if one["IsLatest"]), None) if document_id else None


def _holding(table: Table, name: str, value: str) -> list[Row]:
    column = table.kind.field(name, unseen=True)
    assert column is not None
    return table.find_all(column, [value])


def versions_of(org: Org, document_id: str) -> list[Row]:
    return _holding(org.tables[VERSION.lower()], "ContentDocumentId", document_id)


def links_to(org: Org, entity: str) -> list[Row]:
    """The links that put documents on this record."""
    return _holding(org.tables[LINK.lower()], "LinkedEntityId", entity)


def links_of(org: Org, document_id: str) -> list[Row]:
    return _holding(org.tables[LINK.lower()], "ContentDocumentId", document_id)


def _on(org: Org, entity: str | None, document_id: str | None) -> Row | None:
    return next((one for one in links_to(org, entity or "") if one["ContentDocumentId"] == document_id), None)


def going_with(org: Org, table: Table, row: Row) -> list[tuple[Table, Row]]:
    """What is deleted when this record is: versions and links of a document, links to a record."""
    links = org.tables[LINK.lower()]
    if table.kind.name == DOCUMENT:
        versions = org.tables[VERSION.lower()]
        gone = [(versions, one) for one in versions_of(org, row["Id"])]
        return gone + [(links, one) for one in links_of(org, row["Id"])]
    return [] if table.kind.name == LINK else [(links, one) for one in links_to(org, row["Id"])]


def may_come_back(org: Org, table: Table, row: Row) -> bool:
    """Whether what went with a record comes back with it: a link does while there is something at its other end."""
    if table.kind.name != LINK:
        return True
    documents = org.tables[DOCUMENT.lower()].rows
    parents = org.tables[LINK.lower()].kind.field("LinkedEntityId", unseen=True)
    assert parents is not None
    rows = [org.tables[name.lower()].rows.get(row["LinkedEntityId"]) for name in parents.parents]
    ends = [documents.get(row["ContentDocumentId"]), next((one for one in rows if one is not None), None)]
    return all(end is not None and not end["IsDeleted"] for end in ends)


def move_links(call: Call, winner: Row, loser: Row) -> None:
    """The loser's files are the winner's; nobody is told, and a file that both had is there once."""
    links = call.org.tables[LINK.lower()]
    for one in links_to(call.org, loser["Id"]):
        if _on(call.org, winner["Id"], one["ContentDocumentId"]) is None:
            links.change(one, {"LinkedEntityId": winner["Id"]})
            one["SystemModstamp"] = call.stamp
            links.touch(one)
        else:
            links.bury(one, call.stamp)


def _required(where: Compare | Group | None) -> Iterator[Compare]:
    """The conditions that every row of the answer meets."""
    if isinstance(where, Compare):
        yield where
    elif where is not None and where.sign == "and":
        for part in where.parts:
            yield from _required(part)


def _every(where: Compare | Group | None) -> Iterator[Compare]:
    if isinstance(where, Compare):
        yield where
    elif where is not None:
        for part in where.parts:
            yield from _every(part)


def _names(query: Query, names: set[str], signs: set[str]) -> bool:
    return any(one.path.lower() in names and one.sign in signs for one in _required(query.where))


def check_query(org: Org, query: Query, table: Table) -> None:
    """Links are asked for by one of their ends, and by what else they say on one record alone.

    Raises
        ApiError  MALFORMED_QUERY

    """
    if table.kind.name != LINK or may_query_all(org):
        return
    if not _names(query, {"contentdocumentid", "linkedentityid", "id"}, {"=", "in"}):
        raise ApiError("MALFORMED_QUERY", _UNFILTERED)
    others = [one for one in _every(query.where) if not one.path.lower().endswith("id")]
    if others and not _names(query, {"linkedentityid"}, {"="}):
        raise ApiError("MALFORMED_QUERY", _ON_OTHERS)


def shown_by(org: Org, query: Query, table: Table, rows: list[Row]) -> list[Row]:
    """The rows that this query may show: of other people's files, those that it names by id."""
    if table.kind.name not in {DOCUMENT, VERSION} or not rows or may_query_all(org):
        return rows
    if _names(query, {"id", "contentdocumentid"} if table.kind.name == VERSION else {"id"}, {"=", "in"}):
        return rows
    return [row for row in rows if row["OwnerId"] == org.user]


def may_query_all(org: Org) -> bool:
    """Whether the user has Query All Files."""
    if org.settings.query_all_files is not None:
        return org.settings.query_all_files
    sets = org.sets_of(org.user)
    return any(
        text(given, "name") == "QueryAllFiles" and flag(given, "enabled")
        for one in org.catalog.of("PermissionSet")
        if one.name in sets
        for given in parts(one.part, "userPermissions")
    )


def permissions(org: Org, table: Table) -> Row:
    """What UserPermissionAccess says of the permissions of the user who asks: one row, which nobody stores."""
    return {**table.blank(), "PermissionsQueryAllFiles": may_query_all(org)}
