"""Salesforce's files: versions of a file, the records that they are on, and the bytes of each version.

A file is a ContentDocument with one or more ContentVersions, whose bytes never change; ContentDocumentLinks say which
records it is on. Those are asked for by record or by file alone, for Salesforce refuses any other filter, and versions
by what the links name: so nothing is asked per file, and an integration user sees what it sees through a record.

Source  Object Reference, ContentVersion and ContentDocumentLink (read 2026-11); reference/salesforce.md 4.8, 12
"""

import json
import re
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import requests

from app.errors import ContentGone, EdgeAnswered, OutcomeUnknown, Rejected, Unavailable, VendorError
from app.sync.failure_causes import FILE_TYPE_BLOCKED, FILES_SPENT
from app.sync.mappings.codecs import is_record_id
from app.sync.model import Side
from app.vendors.http import MISFIT
from app.vendors.multipart import FormPart, Multipart, SourceFailedError, UploadFile
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.wire import RecordRefused, moment, refused

VERSION, LINK = "ContentVersion", "ContentDocumentLink"
STANDARD = (
    "ContentDocumentId",
    "Title",
    "PathOnClient",
    "FileExtension",
    "ContentSize",
    "Checksum",
    "IsLatest",
    "VersionNumber",
)
_SIDE = Side.SALESFORCE.value
_VERSIONS = re.compile("content(publication|version)", re.IGNORECASE)
_VIEWER = "V"  # of a link: who may see the record may read the file
AS_THE_RECORD = "I"  # and who may edit the record may edit the file
_UPLOAD, _DOWNLOAD, _LINKED = "POST sobjects/ContentVersion", "GET VersionData", "POST sobjects/ContentDocumentLink"
_DAY_IS_SPENT = re.compile(r"ContentPublication\s?Limit", re.IGNORECASE)
_IS_BLOCKED = re.compile(r"support the following file types", re.IGNORECASE)
_DAY_LOOK_S = 1_800.0  # the day is one that rolls: some are free again any hour


@dataclass(frozen=True, slots=True)
class FilesOfOthers:
    """How many files of other users were looked at, and how many of them we may read and not edit."""

    count: int
    read_only: int


@dataclass(frozen=True, slots=True)
class FileLimits:
    """What of its limits on files the org says: (the most, what is left); None where it says nothing of one.

    versions  how many versions may be made in 24 hours
    storage_mb  of all files together
    """

    versions: tuple[int, int] | None
    storage_mb: tuple[int, int] | None


class SalesforceFiles:
    """The files of the connected org, in the lane of the client that it is given.

    fields  what is read of a version beside what every one has
    """

    def __init__(self, org: Salesforce, fields: Sequence[str] = ()) -> None:
        self._org = org
        self._names = tuple(dict.fromkeys(["Id", *STANDARD, "SystemModstamp", "LastModifiedById", *fields]))

    async def versions(
        self, ids: Collection[str] = (), external_id: str = "", external_ids: Collection[str] = ()
    ) -> list[dict[str, Any]]:
        """Give the versions with one of these Ids, or with one of these values of the external id field.

        Raises  as `Salesforce.read`
        """
        asked = {"Id IN {}": list(ids)}
        if external_id:
            asked[f"{external_id} IN {{}}"] = list(external_ids)
        return await self._org.matching(VERSION, self._names, asked)

    async def deleted_of_ours(self, external_id: str, value: str, since: datetime) -> list[str]:
        """Give the Ids of the versions that we made since a moment, with this external id, and somebody has deleted.

        Raises  as `Salesforce.read`
        """
        made = f"CreatedById = {{}} AND CreatedDate >= {moment(since)} AND IsDeleted = true"
        us = await self._org.user_id()
        return await self._org.where(VERSION, f"{external_id} = {{}} AND {made}", value, us, deleted=True)

    async def of_records(
        self, record_ids: Collection[str], *, latest_only: bool = True
    ) -> dict[str, list[dict[str, Any]]]:
        """Give the versions of the files that are on each of some records, by the record's Id: two queries as a rule.

        latest_only  the published version of each file, not those before it
        Raises       as `Salesforce.read`
        """
        on = await self._links("LinkedEntityId IN {}", record_ids)
        versions = await self._of_documents({document for document, _ in on}, latest_only=latest_only)
        by_document: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for one in versions:
            by_document[str(one.get("ContentDocumentId"))].append(one)
        found: dict[str, list[dict[str, Any]]] = {one: [] for one in record_ids}
        for document, record in on:
            found.setdefault(record, []).extend(by_document[document])
        return found

    async def with_checksum(self, record_id: str, md5: str) -> list[dict[str, Any]]:
        """Give every version, of the files that are on a record, whose bytes have this MD5.

        Raises  as `Salesforce.read`
        """
        versions = (await self.of_records([record_id], latest_only=False))[record_id]
        return [one for one in versions if str(one.get("Checksum", "")).lower() == md5.lower()]

    async def linked_records(self, document_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Give the Ids of what each of some files is on, by its ContentDocumentId: records, users, libraries.

        Raises  as `Salesforce.read`
        """
        found: dict[str, list[str]] = {one: [] for one in document_ids}
        for document, record in await self._links("ContentDocumentId IN {}", document_ids):
            found.setdefault(document, []).append(record)
        return {document: tuple(records) for document, records in found.items()}

    @asynccontextmanager
    async def content(self, version_id: str) -> AsyncIterator[AsyncGenerator[bytes]]:
        """Give the bytes of a version as they come.

        Raises  ContentGone where it is not there, or not shown to us; Unavailable, Unauthorized, Rejected
        """
        path = f"sobjects/{VERSION}/{quote(version_id, safe='')}/VersionData"
        async with AsyncExitStack() as stack:
            try:
                pieces = await stack.enter_async_context(self._org.opened(path, _DOWNLOAD))
            except Rejected as error:
                if error.status == requests.codes.not_found:
                    raise ContentGone(_SIDE, _DOWNLOAD, status=error.status) from None
                raise
            yield pieces

    async def upload(self, fields: Mapping[str, Any], file: UploadFile) -> str:
        """Make a version of these fields and a file, and give its Id; a second call makes a second one.

        fields  of the version, by their API names: Title; FirstPublishLocationId for a new file on that record, or
                ContentDocumentId for a new version of a file
        Raises  OutcomeUnknown where all of it was sent and no answer came; Unavailable (FILES_SPENT where the org may
                make no more today), Unauthorized, Rejected (FILE_TYPE_BLOCKED); what the file's pieces raise: nothing
                was made then
        """
        entity = json.dumps({"PathOnClient": file.name, **fields})
        form = Multipart([FormPart("entity_content", entity, "application/json")], file, "VersionData")
        try:
            made = await self._org.upload(f"sobjects/{VERSION}/", _UPLOAD, form)
        except Rejected as error:
            raise _of_files(error) from None
        except SourceFailedError as failed:
            raise failed.error from None
        if not is_record_id(made.get("id"), Side.SALESFORCE):  # it was made, and nobody knows which it is
            raise EdgeAnswered(_SIDE, _UPLOAD, code=MISFIT)
        return str(made["id"])

    async def link(self, document_id: str, record_id: str) -> None:
        """Put a file on a record, as open as that is; nothing changes where it is on it.

        Whoever edits the record edits the file: we ourselves, too, where the file is another user's.

        Raises  as `Salesforce.update`
        """
        fields = {"ContentDocumentId": document_id, "LinkedEntityId": record_id, "ShareType": AS_THE_RECORD}
        answer = await self._org.raw("POST", f"sobjects/{LINK}/", _LINKED, fields)
        if answer.status_code == requests.codes.created:
            return
        if any(record_id in records for records in (await self.linked_records([document_id])).values()):
            return
        said = answer.json()
        raise refused(answer.status_code, said, _LINKED, writes=True)

    async def unlink(self, document_id: str, record_id: str) -> bool:
        """Take a file off a record, and say whether it was on it; the file stays.

        Raises  as `Salesforce.update`; Rejected
        """
        asked = {"ContentDocumentId IN {}": [document_id]}
        rows = await self._org.matching(LINK, ("Id", "LinkedEntityId"), asked)
        ids = [row["Id"] for row in rows if row.get("LinkedEntityId") == record_id]
        if not ids:
            return False
        for result in await self._org.delete(ids):
            if isinstance(result, OutcomeUnknown):
                raise result
            if isinstance(result, RecordRefused) and result.code != "ENTITY_IS_DELETED":
                raise Rejected(_SIDE, "DELETE composite/sobjects", code=result.code, fields=result.fields)
        return True

    async def of_others(self, record_ids: Collection[str]) -> FilesOfOthers:
        """Give how many files on some records are other users', and how many of those their records let nobody edit.

        Raises  as `Salesforce.read`
        """
        us, shares = (await self._org.user_id())[:15], defaultdict[str, set[str]](set)
        names = ("Id", "ContentDocumentId", "ShareType", "ContentDocument.OwnerId")
        for row in await self._org.matching(LINK, names, {"LinkedEntityId IN {}": list(record_ids)}):
            owner = str((row.get("ContentDocument") or {}).get("OwnerId"))
            if owner[:15] != us:
                shares[str(row.get("ContentDocumentId"))].add(str(row.get("ShareType")))
        return FilesOfOthers(len(shares), sum(each == {_VIEWER} for each in shares.values()))

    async def limits(self) -> FileLimits:
        """Give what the org says of its limits on files.

        The day's versions have no documented name in /limits; seen is ContentPublicationLimit.
        Raises  as `Salesforce.read`
        """
        said: Any = await self._org.called("GET limits", lambda library: library.limits(), writes=False)
        versions = next((one for name, one in said.items() if _VERSIONS.search(name)), None)
        return FileLimits(_limit(versions), _limit(said.get("FileStorageMB")))

    async def _links(self, condition: str, ids: Collection[str]) -> list[tuple[str, str]]:
        rows = await self._org.matching(LINK, ("Id", "ContentDocumentId", "LinkedEntityId"), {condition: list(ids)})
        return [(str(row.get("ContentDocumentId")), str(row.get("LinkedEntityId"))) for row in rows]

    async def _of_documents(self, document_ids: Collection[str], *, latest_only: bool) -> list[dict[str, Any]]:
        condition = "ContentDocumentId IN {}"
        asked = {f"({condition} AND IsLatest = true)" if latest_only else condition: sorted(document_ids)}
        return await self._org.matching(VERSION, self._names, asked)


def _of_files(error: Rejected) -> VendorError:
    """Give what a refusal of an upload means that is told by its words alone: the code with them is any.

    Source  the words are observed by users of the API; they are documented nowhere
    """
    if _DAY_IS_SPENT.search(error.message):
        return Unavailable(_SIDE, _UPLOAD, status=error.status, code=FILES_SPENT, retry_in_s=_DAY_LOOK_S)
    if _IS_BLOCKED.search(error.message):
        return Rejected(_SIDE, _UPLOAD, status=error.status, code=FILE_TYPE_BLOCKED)
    return error


def _limit(said: Any) -> tuple[int, int] | None:
    found = tuple(said.get(name) for name in ("Max", "Remaining")) if isinstance(said, dict) else ()
    return found if len(found) == 2 and all(isinstance(one, int) for one in found) else None  # type: ignore[return-value]  # noqa: PLR2004
