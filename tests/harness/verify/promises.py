"""The promises of the design, in its order and the README's words, each with the checker that can find it broken."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.harness.verify.checks_calls import no_limit_crossed, no_loops, thrift
from tests.harness.verify.checks_ours import honest_probes, one_hurts_itself, only_where_declared
from tests.harness.verify.checks_sides import both_agree, effect_once, nothing_lost, outages_repaired
from tests.harness.verify.seen import Found, History


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise: its number in the design, what is said, and what of a history breaks it."""

    number: int
    words: str
    check: Callable[[History], Found]


PROMISES = (
    Promise(1, "Nothing acknowledged is lost", nothing_lost),
    Promise(2, "At least once in, effect once out", effect_once),
    Promise(3, "Both sides agree when the edits stop", both_agree),
    Promise(4, "No loops", no_loops),
    Promise(5, "One poisoned record hurts only itself", one_hurts_itself),
    Promise(6, "No vendor limit is crossed", no_limit_crossed),
    Promise(7, "n changed records cost about n/100 Salesforce calls", thrift),
    Promise(8, "Patient data only where declared", only_where_declared),
    Promise(9, "Honest probes", honest_probes),
    Promise(10, "Outages longer than the vendors' patience repair themselves", outages_repaired),
)
