"""The check at a terminal: each line as soon as it is known, or everything at once as JSON."""

import json
from collections.abc import AsyncIterator

from rich.console import Console
from rich.text import Text

from app.errors import Misconfigured
from app.operations.health.model import MARKS, CheckState, Finding, is_good, red, report, warn
from app.operations.selfcheck import SettingsOrigin, check_everything
from app.runtime import open_runtime
from app.settings import env_file

_COLORS = {
    CheckState.OK: "green",
    CheckState.NOT_YET: "bright_black",
    CheckState.WARNING: "yellow",
    CheckState.RED: "red",
}
_FAILED, _WRONG_SETTINGS = 1, 2


async def print_check(console: Console) -> int:
    """Print a line per thing; gives the exit code."""
    found: list[Finding] = []
    with console.status("looking …") as status:
        async for finding in _found():
            found.append(finding)
            print_finding(console, finding)
            status.update(f"looked at {finding.name} …")
    reds = sum(finding.state is CheckState.RED for finding in found)
    console.print(
        Text("everything is right" if not reds else f"{reds} red", style="bold green" if not reds else "bold red")
    )
    return _code(found)


async def print_check_json(console: Console) -> int:
    """Print everything as one JSON document; gives the exit code."""
    found = [finding async for finding in _found()]
    console.print(Text(json.dumps(report(found), indent=2)))
    return _code(found)


def print_finding(console: Console, finding: Finding) -> None:
    """Print a line of a thing, and one of what to do about it where anything is to be done."""
    mark = (f"{MARKS[finding.state]} ", _COLORS[finding.state])
    console.print(Text.assemble(mark, (finding.name, "bold"), f": {finding.says}"))
    if finding.fix is not None:
        console.print(Text(f"  → {finding.fix}"))


async def _found() -> AsyncIterator[Finding]:
    try:
        settings = env_file.load()
        async with open_runtime(settings) as runtime:
            origin = SettingsOrigin(env_file.secret_files(settings), env_file.near_misses)
            async for finding in check_everything(runtime, origin):
                yield finding
    except Misconfigured as error:
        for line in str(error).splitlines():
            problem, _, fix = line.partition(": expected ")
            yield red("settings", problem, f"expected {fix}" if fix else "correct it")
        for sentence in env_file.near_misses():
            problem, _, fix = sentence.partition(": ")
            yield warn("settings", problem, fix)


def _code(found: list[Finding]) -> int:
    if is_good(found):
        return 0
    return _WRONG_SETTINGS if any(one.name == "settings" and one.state is CheckState.RED for one in found) else _FAILED
