"""`chronobridge first-contact`: tries out at the real vendors what could only be assumed before, and reports it."""

import asyncio
import logging
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.help import Commands, Heading

if TYPE_CHECKING:
    from rich.console import Console

    from app.operations.first_contact.model import Trial, TrialResult, TrialStep
    from app.operations.first_contact.run import Wanted
    from app.settings.fields import Settings

commands = Commands()
_STYLES = {"as assumed": ("✓", "green"), "differs": ("≠", "yellow"), "not tried": ("·", "dim")}


@commands.command(
    "first-contact",
    heading=Heading.SET_UP,
    examples=("first-contact --steps", "first-contact --read-only", "first-contact --patient 220000101"),
)
def first_contact(  # noqa: PLR0913 - each is an option
    patient: Annotated[str | None, typer.Option(help="the DrChrono id of a test patient", metavar="ID")] = None,
    yes: Annotated[
        list[str] | None, typer.Option(help="a step that may begin unasked; again for each", metavar="STEP")
    ] = None,
    again: Annotated[
        list[str] | None, typer.Option(help="a step to try once more; again for each", metavar="STEP")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="the file to write, or to go on with", metavar="FILE")] = None,
    *,
    steps: Annotated[bool, typer.Option("--steps", help="only list the steps, and what each does")] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="ask nobody, change nothing")] = False,
    beyond_tenth: Annotated[
        bool, typer.Option("--beyond-tenth", help="spend more than a tenth of DrChrono's hour")
    ] = False,
) -> None:
    """Try out at the real vendors what could only be assumed before, and write a report of it.

    Reads first; each step that changes something is asked for, and puts back what was there.
    """
    from rich.console import Console

    from app import log
    from app.operations.first_contact.run import STEPS, Wanted
    from app.settings import env_file

    log.configure(logging.CRITICAL)  # an answer that differs is what is looked for here
    console, allowed = Console(soft_wrap=True), frozenset(yes or ())
    if unknown := {*allowed, *(again or ())} - {step.id for step in STEPS}:
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: `--steps` lists the steps")
    if steps:
        for step in STEPS:
            print(f"{step.id}: {step.side.value}, {step.means.value}: {step.does}")
        return
    path = report or Path(f"first-contact-{datetime.now(UTC):%Y-%m-%d}.json")
    operator = TerminalOperator(console, allowed, is_there=sys.stdin.isatty() and not read_only)
    wanted = Wanted(patient, tuple(again or ()), beyond_tenth=beyond_tenth)
    raise typer.Exit(asyncio.run(run_first_contact(env_file.load(), path, operator, wanted)))


async def run_first_contact(settings: "Settings", path: Path, operator: "TerminalOperator", wanted: "Wanted") -> int:
    """Try everything out that is open, and write the report; gives the exit code.

    Raises  Misconfigured, OtherInstance, StoreUnavailable
    """
    from app.operations.first_contact.report import TrialReport
    from app.operations.first_contact.run import STEPS, calls_of, open_steps, run
    from app.runtime import open_runtime
    from app.sync.model import Side

    report = TrialReport.opened(path, datetime.now(UTC))
    for what in report.altered:
        operator.tell(f"NOT PUT BACK for certain by a run before: {what}. Look at it, and correct it by hand.")
    async with open_runtime(settings) as runtime:
        left = open_steps(report, wanted.again)
        calls = ", ".join(f"{calls_of(left, side)} of {side.value}" for side in Side)
        operator.tell(
            f"{len(left)} of {len(STEPS)} steps are open: {calls} calls at most, of the quota that all share."
        )
        is_whole = False
        try:
            is_whole = await run(runtime, report, operator, wanted)
        except typer.Abort:
            operator.tell("Stopped; run it again to go on.")
        finally:
            shown = report.write_for_people(STEPS, runtime)
            operator.tell(f"\n{operator.summary()}\n{shown}\n{path}")
    return 0 if is_whole and not report.altered else 1


class TerminalOperator:
    """Whoever sits at the terminal.

    allowed   steps that begin unasked
    is_there  somebody can be asked
    """

    def __init__(self, console: "Console", allowed: frozenset[str], *, is_there: bool) -> None:
        self._console, self._allowed, self._is_there = console, allowed, is_there
        self._verdicts: Counter[str] = Counter()

    async def allows(self, step: "TrialStep") -> bool:
        """Say whether a step may begin; nobody there has only allowed what the command line names."""
        if step.id in self._allowed:
            return True
        if not self._is_there:
            return False
        self.tell(f"\n{step.id} {step.means.value}: it {step.does} ({step.calls} calls).")
        with _interruptible():
            return typer.confirm("Shall it?", default=False)

    async def is_done(self, what: str) -> bool:
        """Say, once it is so, that something was done."""
        if not self._is_there:
            return False
        self.tell(what)
        with _interruptible():
            return typer.confirm("Is it done?", default=True)

    async def says(self, question: str) -> bool | None:
        """Say whether something is so; None where nobody can tell."""
        if not self._is_there:
            return None
        self.tell(question)
        with _interruptible():
            said = typer.prompt("yes, no, or Enter where you cannot tell", default="", show_default=False)
        return {"y": True, "n": False}.get(said.strip().lower()[:1])

    def count_down(self, what: str, left_s: float) -> None:
        """Show what is waited for: at a terminal in place, else nothing."""
        if self._console.is_terminal:
            self._print(f"waiting for {what}: {left_s:.0f} s ", end="\r")

    def tell(self, line: str) -> None:
        """Show a line."""
        self._print(line)

    def show(self, trial: "Trial", result: "TrialResult") -> None:
        """Show what became of a trial."""
        self._verdicts[result.verdict.value] += 1
        mark, style = _STYLES.get(result.verdict.value, ("?", "dim"))
        self._print(f"{mark} {trial.question} {result.seen}", style=style)
        if result.verdict.value == "differs":
            self._print(f"  → {trial.takes_in}")

    def _print(self, line: str, **how: Any) -> None:
        self._console.print(line, markup=False, highlight=False, **how)

    def summary(self) -> str:
        """Give how many trials came to what."""
        return (
            ", ".join(f"{count} {verdict}" for verdict, count in sorted(self._verdicts.items())) or "nothing was open"
        )


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end a prompt at once: the loop would wait for its answer first."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
