"""What a step tries things out with: both vendors' raw answers, the test patient, the inbox, and whoever is asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, urlencode

from app.errors import OutcomeUnknown, SyncError
from app.operations.first_contact.model import Operator, TrialResult, Verdict
from app.runtime import Runtime
from app.store import deliveries
from app.store.deliveries import DeliveryFilter
from app.sync.model import Kind, Side
from app.vendors.drchrono import answers
from app.vendors.drchrono.answers import Documented
from app.vendors.drchrono.client import MOVED, DrChrono
from app.vendors.http import Reply
from app.vendors.salesforce.client import Salesforce

T = TypeVar("T")

_PATIENT = "/api/patients/{id}"


class NotToldError(Exception):
    """A step cannot tell what it wanted to; its message says why, without a value."""


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as it came; `took_s`: how long it took."""

    reply: Reply
    headers: Mapping[str, str]
    took_s: float

    @property
    def status(self) -> int:
        """The status."""
        return self.reply.status

    def document(self) -> Any:
        """Give its JSON; None where it is none."""
        try:
            return self.reply.json()
        except ValueError:
            return None

    def means(self, call: str, wanted: Documented[T], *, writes: bool = False) -> T:
        """Give what it means to the service.

        Raises  as `answers.said`
        """
        return answers.said(self.reply, call, wanted, writes=writes)


async def to_its_end(write: Coroutine[Any, Any, T]) -> T:
    """Give what a write is answered; one that is under way when the run is cut off is waited for first.

    What was left under way could be done after what is put back.
    """
    sending = asyncio.ensure_future(write)
    try:
        return await asyncio.shield(sending)
    except asyncio.CancelledError:
        await asyncio.wait([sending])
        if isinstance(sending.exception(), OutcomeUnknown):
            raise WriteCutOffError from None
        raise


class WriteCutOffError(asyncio.CancelledError):
    """The run was cut off while a write was under way that was never answered."""


class Memory(Protocol):
    """Where what became of the trials is kept, at once."""

    def record(self, trial_id: str, result: TrialResult) -> None:
        """Keep what became of a trial."""

    def alter(self, what: str) -> None:
        """Keep that something is not as it was found, before it is touched."""

    def restore(self, what: str) -> None:
        """Keep that it is as it was found."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long things are waited for.

    delivery_s  for a delivery
    look_s      between two looks into the inbox
    list_s      after a write, when a list is looked at for it; the last is when it is given up
    """

    delivery_s: float = 120.0
    look_s: float = 1.0
    list_s: tuple[float, ...] = (0.0, 2.0, 8.0, 30.0, 90.0, 240.0, 600.0)


@dataclass(slots=True)
class TrialContext:
    """One run of the first contact.

    patient  the id of the test patient; None where none was named
    heads    names of the headers of DrChrono's answers; `moved`: the calls that it answered with a redirect
    """

    runtime: Runtime
    operator: Operator
    memory: Memory
    patient: str | None
    drchrono: DrChrono | None
    salesforce: Salesforce | None
    waits: Waits = field(default_factory=Waits)
    heads: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)

    def observe(self, trial_id: str, is_assumed: bool | None, seen: str, **shapes: Any) -> None:
        """Keep what a trial came to; `is_assumed`: None where that cannot be told."""
        verdict = Verdict.CANNOT_TELL if is_assumed is None else Verdict.AS_ASSUMED if is_assumed else Verdict.DIFFERS
        self.memory.record(trial_id, TrialResult(verdict, seen, shapes))

    async def get(self, path: str, call: str = "", **asked: str) -> RawAnswer:
        """Give DrChrono's answer to a read; `call`: its path without ids, where it has one."""
        url = f"{path}?{urlencode(asked)}" if asked else path
        return await self._answered("GET", url, f"GET {call or path}", None)

    async def send(self, method: str, path: str, call: str, fields: dict[str, Any] | None = None) -> RawAnswer:
        """Give DrChrono's answer to a write."""
        return await self._answered(method, path, call, fields)

    async def _answered(self, method: str, url: str, call: str, fields: dict[str, Any] | None) -> RawAnswer:
        assert self.drchrono is not None
        began = monotonic()
        response = await self.drchrono.raw(method, url, call, fields)
        self.heads |= {name.lower() for name in response.headers}
        if response.status_code in MOVED:
            self.moved.add(call)
        return RawAnswer(Reply.of(response), response.headers, monotonic() - began)

    @property
    def patient_path(self) -> str:
        """Where the test patient is."""
        assert self.patient is not None
        return f"/api/patients/{quote(self.patient, safe='')}"

    async def test_patient(self) -> dict[str, Any]:
        """Give the test patient as DrChrono holds it now.

        Raises  VendorError, Gone
        """
        answer, call = await self.get(self.patient_path, _PATIENT), f"GET {_PATIENT}"
        return answers.is_one(answer.means(call, answers.RECORD), self.patient or "", call)

    @asynccontextmanager
    async def altered(self, before: Mapping[str, Any], fields: dict[str, Any]) -> AsyncIterator[RawAnswer]:
        """Change fields of the test patient until the block ends, however it ends; `before`: the whole of it."""
        old, client, patient = {name: before.get(name) for name in fields}, self.runtime.drchrono, self.patient or ""
        assert client is not None

        async def put_back() -> bool:
            await client.update("/api/patients", patient, old)  # whatever is left of our own part of the hour
            now = await client.read("/api/patients", patient)
            return now is not None and {name: now.get(name) for name in old} == old

        async with self.restored(f"DrChrono, test patient: {', '.join(fields)}", put_back):
            yield await to_its_end(self.send("PATCH", self.patient_path, f"PATCH {_PATIENT}", fields))

    @asynccontextmanager
    async def restored(self, what: str, put_back: Callable[[], Awaitable[bool]]) -> AsyncIterator[None]:
        """Put something back when the block ends, also where it is cut off; where it cannot be, that is said and kept.

        what      without a value; kept before anything is touched
        put_back  says whether it is as it was
        """
        self.memory.alter(what)
        is_known = True
        try:
            yield
        except (OutcomeUnknown, WriteCutOffError):
            is_known = False  # what we sent may be done yet, after what we put back
            raise
        finally:
            try:
                is_back = await put_back() and is_known
            except SyncError:
                is_back = False
            if is_back:
                self.memory.restore(what)
                self.operator.tell(f"Put back: {what}.")
            else:
                self.operator.tell(f"NOT PUT BACK for certain: {what}. Look at it, and correct it by hand.")

    async def latest_delivery(self, side: Side) -> str:
        """Give the id of the newest delivery of a side; empty where there never was one."""
        return next(iter(await deliveries.ids(self.runtime.database, DeliveryFilter(side=side), 1)), "")

    async def await_delivery(
        self, what: str, side: Side, after: str, kind: Kind | None = None, record_id: str | None = None
    ) -> Any | None:
        """Give the first delivery that the running service keeps after another one; None when none came in time.

        what    is waited for, in words
        after   the other one's id
        Raises  StoreUnavailable
        """
        wanted, deadline = (
            DeliveryFilter(side=side, kind=kind, record_id=record_id),
            monotonic() + self.waits.delivery_s,
        )
        while True:
            rows = await deliveries.lately(self.runtime.database, wanted, 10)
            if later := [row for row in rows if row.id > after]:
                return later[-1]
            if (left_s := deadline - monotonic()) <= 0:
                return None
            self.operator.count_down(what, left_s)
            await asyncio.sleep(min(self.waits.look_s, left_s))

    async def sleep_until(self, moment: float, what: str) -> None:
        """Wait until a moment of the monotonic clock, and show for what."""
        while (left_s := moment - monotonic()) > 0:
            self.operator.count_down(what, left_s)
            await asyncio.sleep(min(self.waits.look_s, left_s))

    async def kept(self, side: Side, limit: int = 100) -> list[Any]:
        """Give what the running service has kept of a side last, newest first."""
        return await deliveries.lately(self.runtime.database, DeliveryFilter(side=side), limit)

    async def events_of(self, delivery_id: str) -> list[Any]:
        """Give what a delivery says of which record."""
        return (await deliveries.told(self.runtime.database, [delivery_id])).get(delivery_id, [])
