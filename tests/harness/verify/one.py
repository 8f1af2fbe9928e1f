"""A process that tells one history and judges it; `verify` runs a few of them side by side.

It prints a line of JSON whenever there is news (how far it is, how many faults so far), and a last one with what every
promise came to. A folder that holds a violation is kept, so that its logs can be read.

    python -m tests.harness.verify.one SEED SIZE
"""

import json
import shutil
import signal
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.harness.verify.history import tell
from tests.harness.verify.promises import PROMISES
from tests.harness.verify.seen import Found


@dataclass(frozen=True, slots=True)
class News:
    """How far a history is."""

    seed: int
    act: str
    faults: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a history came to: what was found of each promise, the faults by name, and where its logs are, if kept."""

    seed: int
    found: dict[int, Found]
    faults: dict[str, int]
    edits: int = 0
    took_s: float = 0.0
    kept: str = ""

    @property
    def is_good(self) -> bool:
        """Whether no promise was broken."""
        return not any(found.violations for found in self.found.values())


@dataclass(slots=True)
class _Line:
    """One line that is printed: news, or the outcome."""

    news: News | None = None
    outcome: Outcome | None = None
    problem: str = field(default="")


def parsed(line: str) -> News | Outcome:
    """Give what a line said.

    Raises  ValueError for what is no line of ours
    """
    said = json.loads(line)
    if said.get("news"):
        return News(**said["news"])
    if not said.get("outcome"):
        raise ValueError(said.get("problem", "") or "neither news nor an outcome")
    outcome = said["outcome"]
    found = {
        int(number): Found(one["trials"], tuple(one["violations"])) for number, one in outcome.pop("found").items()
    }
    return Outcome(found=found, **outcome)


def main() -> None:
    """Tell a history and say what it came to."""
    seed, size = int(sys.argv[1]), int(sys.argv[2])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that all it started is stopped
    folder = Path(tempfile.mkdtemp(prefix=f"chronobridge-verify-{seed}-"))
    try:
        history = tell(folder, seed, size, lambda act, faults: _print(_Line(news=News(seed, act, faults))))
    except RuntimeError as error:  # not even the beginning could be made
        _print(_Line(problem=str(error)))
        sys.exit(1)
    found = {promise.number: promise.check(history) for promise in PROMISES}
    edits = sum(len(act.edits) for act in history.acts)
    took_s = history.acts[-1].ended - history.acts[0].began
    outcome = Outcome(seed, found, {str(name): count for name, count in history.faults.items()}, edits, took_s)
    if outcome.is_good:
        shutil.rmtree(folder, ignore_errors=True)
    _print(_Line(outcome=Outcome(seed, found, outcome.faults, edits, took_s, "" if outcome.is_good else str(folder))))


def _print(line: _Line) -> None:
    print(json.dumps(asdict(line)), flush=True)  # noqa: T201 - the lines are what this process is for


if __name__ == "__main__":
    main()
