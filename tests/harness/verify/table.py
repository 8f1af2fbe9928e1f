"""What `verify` shows: a line for each history, the table of promises, and every violation with how to see it again."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from tests.harness.verify.faults import counted
from tests.harness.verify.one import News, Outcome
from tests.harness.verify.promises import PROMISES

_SHOWN = 10  # violations of one promise in one history; the rest are counted


def under_way(news: Sequence[tuple[News, float]]) -> Group:
    """Give the lines of the histories that are being told, each with the seconds it has taken so far."""
    lines = [f"seed {one.seed:<6}{took_s:4.0f} s   {one.act}, {one.faults} faults so far" for one, took_s in news]
    return Group(*(Text(line, style="dim") for line in lines))


def ended(one: Outcome) -> Text:
    """Give the line of a history that has ended."""
    broken = sum(len(found.violations) for found in one.found.values())
    faults = sum(one.faults.values())
    line = Text(f"seed {one.seed:<6}{one.took_s:4.0f} s {one.edits:6,} edits {faults:5,} faults   ")
    verdict = f"{broken} violation{'s' * (broken != 1)}" if broken else "no violation"
    return line.append(verdict, style="red" if broken else "green")


def show(console: Console, outcomes: Sequence[Outcome], took_s: float) -> int:
    """Print the table and every violation; give 0 when there is none, else 1."""
    faults = sum((Counter(one.faults) for one in outcomes), Counter[str]())
    table = Table(
        title="\nWhat was promised, and what was seen",
        title_justify="left",
        title_style="bold",
        show_footer=True,
        pad_edge=False,
    )
    total = sum(len(found.violations) for one in outcomes for found in one.found.values())
    trials = {promise.number: sum(one.found[promise.number].trials for one in outcomes) for promise in PROMISES}
    table.add_column("", justify="right")
    table.add_column("promise", f"{len(outcomes)} {'history' if len(outcomes) == 1 else 'histories'}, {took_s:.0f} s")
    table.add_column("trials", f"{sum(trials.values()):,}", justify="right")
    table.add_column("faults\ninjected", f"{faults.total():,}", justify="right")
    table.add_column("violations", f"{total:,}", justify="right")
    for promise in PROMISES:
        broken = sum(len(one.found[promise.number].violations) for one in outcomes)
        against = counted(faults, promise.number)
        table.add_row(
            str(promise.number),
            promise.words,
            f"{trials[promise.number]:,}",
            f"{against:,}" if against else "none",
            Text(f"{broken:,}", style="bold red" if broken else ""),
        )
    console.print(table)
    for one in outcomes:
        _violations(console, one)
    untried = [promise.words for promise in PROMISES if not trials[promise.number]]
    if untried and outcomes:
        console.print(f"[yellow]nothing was tried of: {', '.join(untried)}")
    console.print(
        f"\n[bold red]{total} violation{'s' * (total != 1)}[/]" if total else "\n[bold green]every promise was kept[/]"
    )
    return 1 if total or not outcomes else 0


def _violations(console: Console, one: Outcome) -> None:
    for promise in PROMISES:
        violations = one.found[promise.number].violations
        for line in violations[:_SHOWN]:
            console.print(Text(f"  {promise.number}  seed {one.seed}: {line}", style="red"), soft_wrap=True)
        if len(violations) > _SHOWN:
            console.print(
                Text(f"  {promise.number}  seed {one.seed}: and {len(violations) - _SHOWN} more", style="red")
            )
    if not one.is_good:
        again = f"chronobridge verify --seeds 1 --first {one.seed}"
        console.print(Text(f"     again: {again}; its logs: {one.kept}"), soft_wrap=True)
