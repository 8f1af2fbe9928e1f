"""DrChrono's documents: listed, read, uploaded, changed, archived, and the bytes of each as they come.

The bytes lie at an address that the record names, which may be another host's (`file_host.py`) and expires; a fresh one
costs one call. An upload is one call of the hour like any other. A POST makes a document each time, so one whose answer
never came is an unknown outcome; one that was cut before its end has made nothing.

Source  DrChrono API reference, documents; reference 5.7: `metatags` is a JSON array as text, `document` may be null on
        a 201, DELETE sets `archived`
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from app.errors import ContentGone, DocumentNotReady, Unavailable, Unreadable
from app.sync.file_types import extension_of
from app.sync.model import Side
from app.vendors.drchrono import wire
from app.vendors.drchrono.client import DrChrono
from app.vendors.drchrono.file_host import CALL, no_bytes_yet
from app.vendors.multipart import FormPart, Multipart, SourceFailedError, UploadFile

PATH = "/api/documents"
_SIDE = Side.DRCHRONO.value


def _always() -> None:
    """Let a write start."""


class DrChronoDocuments:
    """The documents of the connected practice, in the lane of the client that it is given."""

    def __init__(self, client: DrChrono) -> None:
        self._client = client

    async def pages(self, *, patient: str = "", since: str = "", doctor: str = "") -> AsyncIterator[list[Any]]:
        """Give the documents page by page, as DrChrono cuts them; any row may be anything.

        since   those that were changed since, as DrChrono writes a moment
        Raises  as `DrChrono.read`
        """
        asked = {"patient": patient, "since": since, "doctor": doctor}
        async for rows, _ in self._client.places(PATH, {name: value for name, value in asked.items() if value}):
            yield rows

    async def read(self, document_id: str) -> dict[str, Any] | None:
        """Give one document as DrChrono holds it now, None where it is gone or not shown to us.

        Raises  as `DrChrono.read`
        """
        return await self._client.read(PATH, document_id)

    @asynccontextmanager
    async def content(self, record: Mapping[str, Any]) -> AsyncIterator[AsyncGenerator[bytes]]:
        """Give the bytes of a document as they come; where its address has expired, by one that is asked for anew.

        Raises  DocumentNotReady (BYTES_MISSING) while DrChrono has no file for it; DocumentRefused (URL_REFUSED);
                ContentGone where the document is not there any more; Unavailable, Unauthorized
        """
        deadline = asyncio.get_running_loop().time() + self._client.timings.transfer_s
        address = _address(record)
        async with AsyncExitStack() as stack:
            try:
                pieces = await stack.enter_async_context(self._opened(address, deadline))
            except DocumentNotReady:
                fresh = await self.read(wire.record_id(record))
                if fresh is None:
                    raise ContentGone(_SIDE, CALL) from None
                pieces = await stack.enter_async_context(self._opened(_address(fresh), deadline))
            yield pieces

    async def upload(
        self, fields: Mapping[str, str], file: UploadFile, may_start: Callable[[], None] = _always
    ) -> dict[str, Any]:
        """Make a document of these fields and a file, and give it as DrChrono answered; a second call makes another.

        fields     doctor, patient, description, date (YYYY-MM-DD), and metatags as the text of a JSON array
        may_start  raises where the request may not be sent any more; asked right before it is
        Gives      the record; its `document` may be null yet
        Raises     OutcomeUnknown where all of it was sent and no answer came; Unavailable, Unauthorized; Rejected, with
                   the fields DrChrono complains of; what the file's pieces raise: nothing was made then
        """
        form = Multipart([FormPart(name, text) for name, text in fields.items()], file, "document")
        try:
            return await self._client.create(PATH, form, may_start)
        except SourceFailedError as failed:
            raise failed.error from None

    async def change(
        self, document_id: str, fields: Mapping[str, str], may_start: Callable[[], None] = _always
    ) -> None:
        """Change exactly these fields of a document: description, date, metatags.

        It is a form, as for `upload`: that is what DrChrono says it takes documents by.
        Raises  as `DrChrono.update`
        """
        form = Multipart([FormPart(name, text) for name, text in fields.items()])
        await self._client.update(PATH, document_id, form, may_start)

    async def archive(self, document_id: str, may_start: Callable[[], None] = _always) -> None:
        """Have DrChrono mark a document as archived, by its DELETE; one that is not there is left so.

        Raises  as `DrChrono.update`, but for Gone
        """
        await self._client.delete(PATH, document_id, may_start)

    @asynccontextmanager
    async def _opened(self, address: str, deadline: float) -> AsyncIterator[AsyncGenerator[bytes]]:
        """Give the bytes at an address; they are a call of the hour only where that is DrChrono's own host."""
        client, budget, token = self._client, self._client.grant.budget, ""
        await client.before(CALL)
        if is_own := client.files.is_own(address):
            await budget.spend(client.lane, CALL)
            token = (await client.broker.current()).value
        async with AsyncExitStack() as stack:
            try:
                pieces = await stack.enter_async_context(client.files.opened(address, token, deadline))
            except Unavailable as error:
                if is_own:
                    await (budget.failed() if error.status is None else budget.answered(error.status))
                raise
            yield pieces


def _address(record: Mapping[str, Any]) -> str:
    found = record.get("document")
    if found in (None, ""):
        raise no_bytes_yet()
    if not isinstance(found, str):
        raise Unreadable(_SIDE, CALL, code="NO_FILE")
    return found


def extension(record: Mapping[str, Any]) -> str:
    """Give the extension that a document's file has, by its address; empty where that shows none."""
    return extension_of(address_path(record) or "")


def address_path(record: Mapping[str, Any]) -> str | None:
    """Give the path of the address of a document's file, without its signature; None where there is none."""
    found = record.get("document")
    try:
        return urlsplit(found).path or None if isinstance(found, str) else None
    except ValueError:
        return None
