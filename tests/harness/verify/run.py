"""`chronobridge verify`: histories drawn from seeds, a few side by side, one line for each, and a table at the end.

It needs no account. 0: no promise was broken; 1: one was.
"""

import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.live import Live

from app.cli.supervise import Child, stop_all
from tests.harness.cluster import ROOT
from tests.harness.verify.one import News, Outcome, parsed
from tests.harness.verify.table import ended, show, under_way

BESIDE = 3  # histories at a time; they mostly wait: for retries, for probes, for silence
SIZE = 40  # how many things people do while everything goes wrong


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted: how many histories (None: until time is up), from which seed on, and for how long at most."""

    seeds: int | None
    minutes: float | None
    first: int = 1
    size: int = SIZE

    def drawn(self) -> Iterator[int]:
        """Give the seeds, until there are enough or time is up."""
        deadline = None if self.minutes is None else time.monotonic() + self.minutes * 60
        for number in itertools.count() if self.seeds is None else range(self.seeds):
            if deadline is not None and time.monotonic() >= deadline:
                return
            yield self.first + number


@dataclass(slots=True)
class Telling:
    """A history that is being told by a process of its own; `read` is how far its lines were read."""

    seed: int
    child: Child
    news: News
    began: float = field(default_factory=time.monotonic)
    outcome: Outcome | None = None
    read: int = 0
    strange: str = ""

    def hears(self) -> None:
        """Take in what the process has said since."""
        assert self.child.log is not None
        with self.child.log.open() as log:
            log.seek(self.read)
            for line in log:
                if not line.endswith("\n"):
                    break
                self.read += len(line.encode())
                self._takes(line)

    def _takes(self, line: str) -> None:
        try:
            said = parsed(line)
        except json.JSONDecodeError:
            self.strange = line.strip() or self.strange  # of a traceback the last line says most
            return
        except ValueError as error:
            self.strange = str(error)
            return
        if isinstance(said, News):
            self.news = said
        else:
            self.outcome = said


def verify(asked: Asked, console: Console) -> int:
    """Tell the histories, show what they came to, and give the exit code."""
    console.rule("[bold]Chronobridge: the promises, against stand-ins of both vendors")
    began = time.monotonic()
    try:
        outcomes = _told(asked, console)
    except (RuntimeError, KeyboardInterrupt) as error:
        console.print(f"[red]verify broke off: {error}" if str(error) else "stopped")
        return 1
    return show(console, outcomes, time.monotonic() - began)


def _told(asked: Asked, console: Console) -> list[Outcome]:
    outcomes: list[Outcome] = []
    running: list[Telling] = []
    seeds = asked.drawn()
    with TemporaryDirectory(prefix="chronobridge-verify-") as folder, Live(console=console, transient=True) as live:
        try:
            while True:
                while len(running) < BESIDE and (seed := next(seeds, None)) is not None:
                    running.append(_started(Path(folder), seed, asked.size))
                if not running:
                    return sorted(outcomes, key=lambda one: one.seed)
                for one in running[:]:
                    is_over = not one.child.is_running
                    one.hears()
                    if is_over:
                        running.remove(one)
                        outcomes.append(_outcome(one))
                        console.print(ended(outcomes[-1]))
                live.update(under_way([(one.news, time.monotonic() - one.began) for one in running]))
                time.sleep(0.2)
        finally:
            stop_all([one.child for one in running])


def _started(folder: Path, seed: int, size: int) -> Telling:
    command = [sys.executable, "-m", "tests.harness.verify.one", str(seed), str(size)]
    env = dict(os.environ) | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    child = Child(f"history {seed}", command, env, folder / f"{seed}.log")
    child.start()
    return Telling(seed, child, News(seed, "starting", 0))


def _outcome(one: Telling) -> Outcome:
    if one.outcome is None:
        raise RuntimeError(f"the history of seed {one.seed} ended without an outcome: {one.strange or 'it was killed'}")
    return one.outcome
