"""A worker that is killed at an await, by its name: where in `workers/` it waits, the first time or the last.

Every task that a pass starts is watched. So it is known at which awaits a pass stands still, and it can be had to end
for good at any of them, whatever was on its way by then.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path

_WORKERS = str(Path(__file__).parents[3] / "workers")


class Awaits:
    """Counts the awaits of what is run, by name; at the `nth` of a name the whole of it is killed."""

    def __init__(self, name="", nth=0):
        self.names, self._name, self._nth, self._main = Counter(), name, nth, None

    async def run(self, coroutine):
        """Run something to its end, or until it is killed; says whether it came to its end."""
        loop = asyncio.get_running_loop()
        before = loop.get_task_factory()
        loop.set_task_factory(self._watching)
        try:
            self._main = loop.create_task(coroutine)
            await asyncio.wait([self._main])
        finally:
            loop.set_task_factory(before)
        with contextlib.suppress(asyncio.CancelledError):
            await self._main
        return not self._main.cancelled()

    def _watching(self, loop, coroutine, **how):
        return asyncio.Task(_Watched(coroutine, self.note), loop=loop, **how)

    def note(self, coroutine):
        name = ""
        while coroutine is not None:
            frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
            if frame is not None and frame.f_code.co_filename.startswith(_WORKERS):
                name = f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}:{frame.f_lineno}"
            coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
        if not name:
            return
        self.names[name] += 1
        if name == self._name and self.names[name] == self._nth:
            self._main.cancel()


class _Watched(Coroutine):
    """A coroutine whose every await is noted."""

    def __init__(self, coroutine, note):
        self._coroutine, self._note = coroutine, note

    def send(self, value):
        waits_for = self._coroutine.send(value)
        self._note(self._coroutine)
        return waits_for

    def throw(self, *error):
        waits_for = self._coroutine.throw(*error)
        self._note(self._coroutine)
        return waits_for

    def close(self):
        self._coroutine.close()

    def __await__(self):
        raise NotImplementedError("a task runs it")
