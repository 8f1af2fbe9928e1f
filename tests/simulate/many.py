"""Many histories at once, over all cores, for longer than a test may take.

    python -m tests.simulate.many [--seeds 1000] [--first 1]         what `make simulate` runs
    python -m tests.simulate.many --show 42                          one history, line by line

Each seed tells a plain history, one in five one with documents in its place, and one in three a rough one too
(`rough.py`); `--plain`, `--documents` and `--rough` tell one sort alone, of every seed. One in ten is told on
PostgreSQL; `--database` has all told on one kind. A seed whose history breaks a promise is told up to there; add it to
`KEPT` once it holds again.
"""

import argparse
import os
import random
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import AsyncExitStack, nullcontext
from functools import cache
from time import monotonic

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tests.postgresql import with_a_template
from tests.simulate.hand import DOCUMENTED, Mix
from tests.simulate.history import is_on_postgresql, stage
from tests.simulate.rough import ROUGH
from tests.simulate.running import runner

_AT_ONCE = 10
_ROUGH = 1 / 3  # of all seeds
_DOCUMENTED = 1 / 5  # likewise, in place of a plain one
PLAIN = Mix()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--show", type=int)
    sort = parser.add_mutually_exclusive_group()
    sort.add_argument("--plain", action="store_const", dest="sort", const=PLAIN)
    sort.add_argument("--documents", action="store_const", dest="sort", const=DOCUMENTED)
    sort.add_argument("--rough", action="store_const", dest="sort", const=ROUGH)
    parser.add_argument("--database", choices=["sqlite", "postgresql"])
    given, console = parser.parse_args(), Console(soft_wrap=True)
    is_on = is_on_postgresql if given.database is None else {"sqlite": _never, "postgresql": _always}[given.database]
    seeds = range(given.first, given.first + given.seeds) if given.show is None else [given.show]
    with with_a_template() if any(map(is_on, seeds)) else nullcontext() as server:
        where = server and server.url, is_on
        if given.show is None:
            return _all([*_sorts(seeds, given.sort)], where, console)
        (told,) = _told([(given.show, given.sort or PLAIN)], where)
        console.print(_shown(told))
        return bool(told.complaints)


def _always(_seed):
    return True


def _never(_seed):
    return False


def _sorts(seeds, sort):
    """Give each seed with the mix of what it tells."""
    for seed in seeds:
        has_documents = sort is None and random.Random(f"{seed} has documents").random() < _DOCUMENTED
        if sort is not ROUGH:
            yield seed, DOCUMENTED if has_documents or sort is DOCUMENTED else PLAIN
        if sort is ROUGH or (sort is None and random.Random(f"{seed} is rough").random() < _ROUGH):
            yield seed, ROUGH


@cache
def _here(*where):
    """Give this process's runner and stage, and what keeps it open: what is compiled for one history, all find."""
    running, is_open = runner(), AsyncExitStack()
    return running, running.run(is_open.enter_async_context(stage(*where))), is_open


def _shown(told):
    """Give a history as any terminal takes it: rough ones hold half letters and control characters."""
    return escape(str(told).encode("utf-8", "backslashreplace").decode())


def _told(asked, where):
    """Tell some histories, one after the other, in this process."""
    running, one, _ = _here(*where)
    return [running.run(one.tells(*seed_and_mix)) for seed_and_mix in asked]


def _brief(asked, where):
    """Tell some histories; one that fails is told again, up to where it first does."""
    running, one, _ = _here(*where)
    told = zip(asked, _told(asked, where), strict=True)
    return [found if not found.complaints else running.run(one.shortest(*again)) for again, found in told]


def _all(asked, where, console):
    bad, edits, writes, overtaken = [], 0, 0, 0
    batches = [asked[at : at + _AT_ONCE] for at in range(0, len(asked), _AT_ONCE)]
    words = TextColumn("{task.completed:.0f} of {task.total:.0f}, {task.fields[rate]:.1f}/s, {task.fields[bad]} failed")
    with (
        Progress(BarColumn(), words, TimeRemainingColumn(), console=console, speed_estimate_period=60) as progress,
        ProcessPoolExecutor(os.cpu_count()) as pool,
    ):
        task = progress.add_task("histories", total=len(asked), bad=0, rate=0.0)
        started, count = monotonic(), 0
        for done in as_completed([pool.submit(_brief, batch, where) for batch in batches]):
            for told in done.result():
                edits, writes, overtaken = edits + told.edits, writes + told.writes, overtaken + told.overtaken
                if told.complaints:
                    bad.append(f"{told.seed}{told.sort}")
                    console.print(_shown(told))
            count += len(done.result())
            progress.update(task, completed=count, bad=len(bad), rate=count / (monotonic() - started))
    console.print(f"{len(asked)} histories: {edits} edits by people, {writes} writes by us that changed something;")
    console.print(f"{overtaken} fields were edited between our look and our write, and that edit was overwritten")
    console.print("every promise held" if not bad else f"broken by seeds {'; '.join(sorted(bad))}", style="bold")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
