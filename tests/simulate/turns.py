"""Who may go on: a worker stops before and after every transaction and every call, until it is let on.

So a history decides, from its seed, how two workers interleave and behind which line one dies. A dead worker is never
let on again, and runs no last words.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from time import monotonic
from typing import Any

from tests.simulate.database import Remembering

WORKER = ContextVar("worker", default=None)
ATTEMPT = ContextVar("attempt", default=None)
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """A worker that waits, before or after something; `awaits`: for what, where somebody asks for the names of that."""

    worker: Any
    where: str
    go: Callable[[], None]
    awaits: tuple = ()


class Turns:
    """Everybody who waits, in the order they came. `is_open`: nobody has to. `errors`: what no job should end with."""

    def __init__(self):
        self.waiting, self.is_open, self.errors, self.awaits_of = [], False, [], None

    async def at(self, where):
        """Wait for a turn, if a worker comes here; anybody else passes."""
        worker = WORKER.get()
        if worker is None or self.is_open:
            return
        done = asyncio.get_running_loop().create_future()
        self.park(worker, where, lambda: done.done() or done.set_result(None))
        await done

    def park(self, worker, where, go):
        if self.is_open:
            go()
        else:
            awaits = () if self.awaits_of is None else self.awaits_of(worker)
            self.waiting.append(Turn(worker, where, go, awaits))

    async def lets(self, turn):
        """Let one go on, and wait until everybody stands still again."""
        self.waiting.remove(turn)
        turn.go()
        await self.stand_still()

    async def stand_still(self):
        loop = asyncio.get_running_loop()
        deadline = monotonic() + _PATIENCE_S
        while True:
            await asyncio.sleep(0)
            if not loop._ready:
                return
            assert monotonic() < deadline, "somebody never stops"

    def forget(self, worker):
        """Never let a worker on again."""
        self.waiting = [turn for turn in self.waiting if turn.worker is not worker]


class InTurn(Executor):
    """In place of a worker's threads: a call is made when its turn has come, its answer arrives in a turn of its own.

    It passes no `Executor` method but the one the client uses.
    """

    def __init__(self, turns, worker):
        self._turns, self._worker = turns, worker

    def submit(self, call, /, *args):
        answer, here = Future(), copy_context()

        def go():
            try:
                found, error = here.run(call, *args), None
            except Exception as raised:  # noqa: BLE001 - it is the caller's
                found, error = None, raised
            give = (lambda: answer.set_result(found)) if error is None else (lambda: answer.set_exception(error))
            self._turns.park(self._worker, "after a call to Salesforce", lambda: answer.done() or give())

        self._turns.park(self._worker, "before a call to Salesforce", go)
        return answer


class InTurns(Remembering):
    """A database, already opened, whose transactions wait for their turn."""

    def __init__(self, opened, turns):
        self.__dict__.update(opened.__dict__)
        self._turns = turns

    async def transact(self, work, **how):
        await self._turns.at("before a commit")
        done = await super().transact(work, **how)
        await self._turns.at("after a commit")
        return done
