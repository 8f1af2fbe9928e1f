"""Many histories at once, over all cores, for longer than a test may take.

    python -m tests.simulate.many [--seeds 1000] [--first 1]         what `make simulate` runs
    python -m tests.simulate.many --show 42                          one history, line by line

A seed whose history breaks a promise is told whole; add it to `KEPT` once it holds again.
"""

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import AsyncExitStack
from functools import cache
from time import monotonic

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tests.simulate.history import stage
from tests.simulate.running import runner

_AT_ONCE = 10


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--show", type=int)
    given, console = parser.parse_args(), Console(soft_wrap=True)
    if given.show is not None:
        (told,) = _told([given.show])
        console.print(escape(str(told)))
        return bool(told.complaints)
    return _all(range(given.first, given.first + given.seeds), console)


@cache
def _here():
    """Give this process's runner and stage, and what keeps it open: what is compiled for one history, all find."""
    running, is_open = runner(), AsyncExitStack()
    return running, running.run(is_open.enter_async_context(stage())), is_open


def _told(seeds):
    """Tell some histories, one after the other, in this process."""
    running, one, _ = _here()
    return [running.run(one.tells(seed)) for seed in seeds]


def _brief(seeds):
    """Tell some histories; one that fails is told again, up to where it first does."""
    running, one, _ = _here()
    return [told if not told.complaints else running.run(one.shortest(told.seed)) for told in _told(seeds)]


def _all(seeds, console):
    bad, edits, writes, overtaken = [], 0, 0, 0
    batches = [seeds[at : at + _AT_ONCE] for at in range(0, len(seeds), _AT_ONCE)]
    words = TextColumn("{task.completed:.0f} of {task.total:.0f}, {task.fields[rate]:.1f}/s, {task.fields[bad]} failed")
    with (
        Progress(BarColumn(), words, TimeRemainingColumn(), console=console, speed_estimate_period=60) as progress,
        ProcessPoolExecutor(os.cpu_count()) as pool,
    ):
        task = progress.add_task("histories", total=len(seeds), bad=0, rate=0.0)
        started, count = monotonic(), 0
        for done in as_completed([pool.submit(_brief, batch) for batch in batches]):
            for told in done.result():
                edits, writes, overtaken = edits + told.edits, writes + told.writes, overtaken + told.overtaken
                if told.complaints:
                    bad.append(told.seed)
                    console.print(escape(str(told)))
            count += len(done.result())
            progress.update(task, completed=count, bad=len(bad), rate=count / (monotonic() - started))
    console.print(f"{len(seeds)} histories: {edits} edits by people, {writes} writes by us that changed something;")
    console.print(f"{overtaken} fields were edited between our look and our write, and that edit was overwritten")
    console.print("every promise held" if not bad else f"broken by seeds {sorted(bad)}", style="bold")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
