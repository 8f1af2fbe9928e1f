"""What a number for Prometheus is: a name, a type, a meaning, and for each label every value it may have.

A label has no other value, so that nothing anybody sends or does makes more series: what is not among them counts as
`other`. So no id, code or text of a vendor's can come in, and never a patient's value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

OTHER = "other"


class Type(StrEnum):
    """What Prometheus may do with it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `labels`: label -> every value it may have; `buckets`: the upper bounds of a histogram's."""

    name: str
    type: Type
    help: str
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)
    buckets: tuple[float, ...] = ()

    def bounded(self, given: Sequence[str]) -> tuple[str, ...]:
        """Give the values of the labels, in their order, `other` in place of each that is none of them."""
        known = zip(given, self.labels.values(), strict=True)
        return tuple(str(value) if value in allowed else OTHER for value, allowed in known)

    @property
    def most_series(self) -> int:
        """How many series there can be of it."""
        most = 1
        for allowed in self.labels.values():
            most *= len({*allowed, OTHER})
        return most * (len(self.buckets) + 3 if self.buckets else 1)
