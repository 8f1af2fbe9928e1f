"""From rings to passes: at once when idle, in full batches when much comes in.

A ring that finds a pass running only marks that there is more; so while a pass waits for Salesforce, what comes in
gathers into the next batch. A second pass beside the first starts only behind a full batch.
"""

import asyncio
from collections.abc import Iterable

from app.errors import StoreUnavailable
from app.log import log
from app.runtime import Runtime
from app.sync.records import Kind
from workers.sync import sync, take

FULL = 200
_PASSES_AT_ONCE = 3


class Drain:
    """Works off what is due, kind by kind, whenever it is rung."""

    def __init__(self, run: Runtime) -> None:
        self._run = run
        self._tasks: dict[Kind, set[asyncio.Task[None]]] = {kind: set() for kind in run.mappings}
        self._more: set[Kind] = set()
        self._is_stopping = False

    def ring(self, kinds: Iterable[str]) -> None:
        """Have these kinds looked at soon; returns at once."""
        for kind in self._tasks.keys() & {Kind(kind) for kind in kinds}:
            self._more.add(kind)
            if all(task.done() for task in self._tasks[kind]):
                self._start(kind)

    async def stop(self) -> None:
        """Let the passes under way end, and start no more."""
        self._is_stopping = True
        for tasks in self._tasks.values():
            await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, kind: Kind) -> None:
        task = asyncio.create_task(self._work_off(kind), name=f"drain {kind}")
        self._tasks[kind].add(task)
        task.add_done_callback(self._tasks[kind].discard)

    async def _work_off(self, kind: Kind) -> None:
        while not self._is_stopping:
            self._more.discard(kind)
            try:
                work = await take(self._run, kind)
                is_full = work is not None and len(work.taken.due) == FULL
                if is_full and len(self._tasks[kind]) < _PASSES_AT_ONCE:
                    self._start(kind)
                if work is not None:
                    self.ring(kind.value for kind in await sync(work))
            except StoreUnavailable:
                log.warning("database.away", kind=kind.value, advice="the sweep looks again in seconds")
                return
            except Exception:  # noqa: BLE001 - the wrapper: one bad pass must not end the worker; its leases run out
                log.exception("pass.failed", kind=kind.value)
                return
            if not is_full and (len(self._tasks[kind]) > 1 or (work is None and kind not in self._more)):
                return
