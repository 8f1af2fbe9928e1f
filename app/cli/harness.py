"""`chronobridge demo` and `verify`: both are told by tests/harness, which a checkout and the demo image have.

What runs here never imports it: it becomes that program, so signals, the terminal and the exit code are its own.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from app.cli.help import Commands, Heading

ROOT = Path(__file__).parents[2]
_NEEDED = ("harness", "standins")
commands = Commands()


@commands.command(heading=Heading.RUN, examples=("demo", "demo --once"))
def demo(
    once: Annotated[bool, typer.Option("--once", help="end after the story instead of staying up")] = False,
) -> None:
    """Tell the whole story on this machine, with simulators of both vendors."""
    _become("tests.harness.demo", *(["--once"] if once else []))


@commands.command(heading=Heading.RUN, examples=("verify", "verify --minutes 10", "verify --seeds 20 --first 100"))
def verify(
    seeds: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="how many histories (3, unless --minutes is given)")
    ] = None,
    minutes: Annotated[float | None, typer.Option(min=0.1, metavar="N", help="begin new histories for so long")] = None,
    first: Annotated[
        int, typer.Option(min=1, metavar="SEED", help="the first seed; each further history has the next")
    ] = 1,
    size: Annotated[int, typer.Option(min=8, max=60, metavar="N", help="how much people do in a history")] = 40,
) -> None:
    """Put the guarantees to the test, with faults, against simulators of both vendors; exit 1 when one is broken."""
    if seeds is None and minutes is None:
        seeds = 3
    asked = {"--seeds": seeds, "--minutes": minutes, "--first": first, "--size": size}
    given = [(name, str(value)) for name, value in asked.items() if value is not None]
    _become("tests.harness.verify", *(word for pair in given for word in pair))


def _become(module: str, *arguments: str) -> None:
    """Go on as a module of the checkout, whatever the folder one is in; say what is missing where there is none."""
    missing = [f"tests/{name}" for name in _NEEDED if not (ROOT / "tests" / name).is_dir()]
    if missing:
        print(
            f"chronobridge: {' and '.join(missing)} missing in {ROOT}: run this in a checkout, or in the demo image",
            file=sys.stderr,
        )
        raise typer.Exit(1)
    paths = filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
    env = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    os.execve(sys.executable, [sys.executable, "-P", "-m", module, *arguments], env)  # noqa: S606 - our own program
