"""The report of a first contact: what was tried, kept in a JSON file after every trial, and the same for people.

Whoever runs it again goes on where it stood. What of the test patient is not as it was found stands there before it is
touched, so that a process that is killed leaves word of it. No value and no id of a patient is in either file.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from app.errors import Misconfigured
from app.operations.first_contact.model import Trial, TrialResult, TrialStep, Verdict
from app.runtime import Runtime

_FORM = 1


class TrialReport:
    """What was tried, and what became of it; each change is in the file before the next call is made."""

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        self.path, self._document = path, document

    @classmethod
    def opened(cls, path: Path, now: datetime) -> "TrialReport":
        """Give the report of a file, or a new one where there is none.

        Raises  Misconfigured where the file is something else
        """
        try:
            document = json.loads(path.read_text())
        except FileNotFoundError:
            document = {"form": _FORM, "begun_at": now.isoformat(timespec="seconds"), "trials": {}, "altered": []}
        except (OSError, ValueError):
            document = None
        if not isinstance(document, dict) or document.get("form") != _FORM:
            raise Misconfigured(f"{path} is no report of a first contact: expected another --report, or none")
        return cls(path, document)

    def result(self, trial_id: str) -> TrialResult | None:
        """Give what became of a trial; None where it was not tried yet."""
        found = self._document["trials"].get(trial_id)
        return found and TrialResult(Verdict(found["verdict"]), found["seen"], found["shapes"])

    def is_settled(self, step: TrialStep) -> bool:
        """Say whether nothing of a step is open any more."""
        found = [self.result(trial.id) for trial in step.trials]
        return all(one is not None and one.verdict.is_settled for one in found)

    @property
    def altered(self) -> list[str]:
        """What may not be as it was found."""
        return list(self._document["altered"])

    def record(self, trial_id: str, result: TrialResult, now: datetime) -> None:
        """Keep what became of a trial."""
        shown = {**asdict(result), "verdict": result.verdict.value, "at": now.isoformat(timespec="seconds")}
        self._document["trials"][trial_id] = shown
        self._save()

    def alter(self, what: str) -> None:
        """Keep that something is touched."""
        self._document["altered"] = [*{*self.altered, what}]
        self._save()

    def restore(self, what: str) -> None:
        """Keep that something is as it was found."""
        self._document["altered"] = [one for one in self.altered if one != what]
        self._save()

    def _save(self) -> None:
        _write(self.path, json.dumps(self._document, indent=2, ensure_ascii=False) + "\n")

    def write_for_people(self, steps: Iterable[TrialStep], runtime: Runtime) -> Path:
        """Write all trials beside the file, with what was assumed; gives where."""
        path = self.path.with_suffix(".md")
        _write(path, "\n".join(_lines(self, steps, runtime)) + "\n")
        return path


def assumed(trial: Trial, runtime: Runtime) -> str:
    """Give what the service goes by."""
    return trial.assumes if isinstance(trial.assumes, str) else trial.assumes(runtime)


def _lines(report: TrialReport, steps: Iterable[TrialStep], runtime: Runtime) -> Iterable[str]:
    yield "# First contact"
    yield ""
    yield "What the vendors really do, beside what the service assumes. No value of a patient stands here."
    for what in report.altered:
        yield f"\n**Not put back for certain**: {what}. Look at it, and correct it by hand."
    side = None
    for step in steps:
        if step.side is not side:
            side = step.side
            yield f"\n## {side.value}\n"
            yield "| question | assumed | seen | verdict | what takes a difference in |"
            yield "|---|---|---|---|---|"
        for trial in step.trials:
            result = report.result(trial.id) or TrialResult(Verdict.NOT_TRIED, "")
            cells = (trial.question, assumed(trial, runtime), result.seen, result.verdict.value, trial.takes_in)
            yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _write(path: Path, text: str) -> None:
    """Put a whole file in a file's place, for nobody else to read."""
    new = path.with_name(f".{path.name}.new")
    with open(new, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    new.replace(path)
