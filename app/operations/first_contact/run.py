"""Runs a first contact: one step after the other, each that changes anything only where somebody says yes.

What is settled is not tried again. The calls are counted in the vendor's quota and in the tenth of it that people's
questions have, unless more was allowed; where that is spent, the run ends and can go on later.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from app.errors import Unavailable, VendorError
from app.operations import audit
from app.operations.first_contact import (
    document_writes,
    drchrono_deliveries,
    drchrono_reads,
    drchrono_writes,
    salesforce_reads,
    salesforce_writes,
)
from app.operations.first_contact.context import NotToldError, TrialContext, Waits
from app.operations.first_contact.model import Means, Operator, TrialResult, TrialStep, Verdict
from app.operations.first_contact.report import TrialReport
from app.ports import Action
from app.runtime import Runtime
from app.store import lanes
from app.sync.failure_causes import HOUR_IS_SPENT
from app.sync.model import Lane, Side

STEPS: tuple[TrialStep, ...] = (
    *drchrono_reads.STEPS,
    *drchrono_writes.STEPS,
    *(step for step in document_writes.STEPS if step.side is Side.DRCHRONO),
    *drchrono_deliveries.STEPS,
    *salesforce_reads.STEPS,
    *salesforce_writes.STEPS,
    *(step for step in document_writes.STEPS if step.side is Side.SALESFORCE),
)
_SPENT = "the calls of this hour are spent"
TRIALS = {trial.id: trial for step in STEPS for trial in step.trials}


class _Kept:
    """Keeps what steps come to in the report, and shows it."""

    def __init__(self, runtime: Runtime, report: TrialReport, operator: Operator) -> None:
        self._runtime, self._report, self._operator = runtime, report, operator
        self.alter, self.restore = report.alter, report.restore

    def record(self, trial_id: str, result: TrialResult) -> None:
        self._report.record(trial_id, result, self._runtime.now())
        self._operator.show(TRIALS[trial_id], result)

    def close(self, step: TrialStep, verdict: Verdict, why: str) -> None:
        """Keep of what a step has not come to what kept it from it; what was settled before stays so."""
        for trial in step.trials:
            found = self._report.result(trial.id)
            if found is None or not found.verdict.is_settled:
                self.record(trial.id, TrialResult(verdict, why))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be tried.

    patient       the id of the test patient
    again         steps that are tried though they are settled
    beyond_tenth  more than a tenth of the hour may be called
    """

    patient: str | None = None
    again: Collection[str] = ()
    beyond_tenth: bool = False
    waits: Waits = field(default_factory=Waits)


def open_steps(report: TrialReport, again: Collection[str] = ()) -> list[TrialStep]:
    """Give the steps that are still to be tried, in their order."""
    return [step for step in STEPS if step.id in again or not report.is_settled(step)]


def calls_of(steps: Collection[TrialStep], side: Side) -> int:
    """Give how many calls of a side steps take, at most."""
    return sum(step.calls for step in steps if step.side is side)


async def run(runtime: Runtime, report: TrialReport, operator: Operator, wanted: Wanted) -> bool:
    """Try everything out that is open; gives False where calls ran out, so that it is to be run again.

    Raises  OtherInstance where the database belongs to another installation, StoreUnavailable
    """
    await runtime.must_be_ours()
    kept, spent = _Kept(runtime, report, operator), set[Side]()
    context = _context(runtime, kept, operator, wanted)
    if wanted.patient is not None and not await lanes.is_paused(runtime.database, Lane.LIVE):
        operator.tell("The lane `live` is not paused, so the test's edits may travel: `chronobridge pause` before.")
    for step in open_steps(report, wanted.again):
        why = _SPENT if step.side in spent else _obstacle(step, context)
        if why is None and step.is_asked and not await operator.allows(step):
            why = "nobody said yes"
        if why is not None:
            kept.close(step, Verdict.NOT_TRIED, why)
            continue
        try:
            await _try_out(step, context)
        except NotToldError as error:
            kept.close(step, Verdict.CANNOT_TELL, str(error))
        except (LookupError, TypeError, ValueError, AttributeError) as error:  # what came is of no shape we thought of
            kept.close(step, Verdict.CANNOT_TELL, f"an answer has another shape ({type(error).__name__}): report this")
        except VendorError as error:
            if isinstance(error, Unavailable) and error.code == HOUR_IS_SPENT:
                spent.add(step.side)
                kept.close(step, Verdict.NOT_TRIED, _SPENT)
                minutes = (error.retry_in_s or 0) / 60
                operator.tell(f"No call of {step.side.value} is left now; run it again in {minutes:.0f} minutes.")
            else:
                kept.close(step, Verdict.CANNOT_TELL, f"{error.call} failed: {error.cause}")
    return not spent


async def _try_out(step: TrialStep, context: TrialContext) -> None:
    assert step.try_out is not None
    if step.means is Means.WRITE:
        await audit.note_command(context.runtime, Action.TRY_OUT, f"first contact, {step.id}")
    await step.try_out(context)


def _context(runtime: Runtime, kept: _Kept, operator: Operator, wanted: Wanted) -> TrialContext:
    drchrono, salesforce = runtime.drchrono, runtime.salesforce
    if not wanted.beyond_tenth:
        drchrono = drchrono and drchrono.on(Lane.CONFIRM, runtime.questions[Side.DRCHRONO].admit)
        salesforce = salesforce and salesforce.on(Lane.CONFIRM, runtime.questions[Side.SALESFORCE].admit)
    return TrialContext(runtime, operator, kept, wanted.patient, drchrono, salesforce, wanted.waits)


def _obstacle(step: TrialStep, context: TrialContext) -> str | None:
    """Give why a step cannot be tried now; None where it can."""
    if step.means is Means.NEVER:
        return step.does
    if (context.drchrono if step.side is Side.DRCHRONO else context.salesforce) is None:
        return "that side is not connected: its settings are not there"
    if step.of is not None and step.of not in context.runtime.mappings:
        return f"the mapping has no [{step.of.value}] table"
    if step.is_patients and context.patient is None:
        return "it needs a test patient: --patient ID"
    return None
