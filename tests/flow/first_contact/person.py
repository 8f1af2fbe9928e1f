"""Whoever runs a first contact in a test: says yes to the steps they are told, and does what they are asked to."""

from collections.abc import Awaitable, Callable

from app.operations.first_contact.context import Waits
from app.operations.first_contact.report import TrialReport
from app.operations.first_contact.run import Wanted, run

SHORT = Waits(delivery_s=0.0, look_s=0.02, list_s=(0.0, 0.0, 0.3))


class Person:
    """`deeds`: what a step asks for by its first word -> what is done then; `words`: what is answered to questions."""

    def __init__(self, *allowed, deed: Callable[[str], Awaitable[None]] | None = None, word=None):
        self.allowed, self.deed, self.word = allowed, deed, word
        self.lines, self.asked = [], []

    async def allows(self, step):
        self.asked.append(step.id)
        return step.id in self.allowed

    async def is_done(self, what):
        self.lines.append(what)
        if self.deed is None:
            return False
        await self.deed(what)
        return True

    async def says(self, question):
        self.lines.append(question)
        return self.word

    def count_down(self, what, left_s):
        pass

    def tell(self, line):
        self.lines.append(line)

    def show(self, trial, result):
        self.lines.append(f"{trial.id}: {result.verdict.value}: {result.seen}")


async def tried(clinic, path, *allowed, patient=None, deed=None, word=None, waits=SHORT, again=()):
    """Run a first contact; gives what was recorded, trial by trial, and the person it was done by."""
    report, person = TrialReport.opened(path, clinic.runtime.now()), Person(*allowed, deed=deed, word=word)
    wanted = Wanted(None if patient is None else str(patient["id"]), again, waits=waits)
    person.is_whole = await run(clinic.runtime, report, person, wanted)
    return report, person


def verdicts(report):
    """Give trial -> verdict of everything that was recorded."""
    return {trial_id: found["verdict"] for trial_id, found in report._document["trials"].items()}
