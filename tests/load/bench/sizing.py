"""What clinics of some sizes ask of the service: reckoned from what the bench measured and what the vendors allow.

Nothing here is measured at a clinic. What a doctor's day is made of is an assumption, and stands beside the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass

DOCTORS = (5, 50, 500)
DRCHRONO_AN_HOUR = 500
# of a doctor's day: what DrChrono tells of visits and charts, what is edited in Salesforce; patients of a doctor
TOLD, EDITED, PATIENTS = 140, 10, 2_500
BUSIEST_HOUR, BUSIEST_MINUTES = 0.15, 3  # its part of a day; the busiest minutes of it are so many times as busy
BACKFILL_SHARE = 0.6  # of DrChrono's hour, as long as others have use for the rest
BULK_CALLS_PER_1000 = 2.2  # DrChrono's list, page by page
DELIVERY_KB, FINISHED_KB, LINK_KB = 1.2, 0.5, 1.0
WITH_CONTENTS_DAYS, KEPT_DAYS = 30, 400


@dataclass(frozen=True, slots=True)
class Costs:
    """What the bench measured: of a change that comes alone, which is what a clinic's day is made of."""

    cpu_ms: float
    salesforce_calls: float
    drchrono_reads_per_100: float
    load_calls_per_1000: float
    load_s_per_1000: float


NEEDED = (
    "lone_edit_cpu_ms", "lone_edit_calls", "drchrono_reads_per_100_webhooks",
    "first_load_calls", "first_load_s", "first_load_patients",
)  # fmt: skip


def costs(measures: Mapping[str, float]) -> Costs | None:
    """Give what is needed of all measures; None where some of it was not measured."""
    if any(name not in measures for name in NEEDED):
        return None
    cpu_ms, calls, reads, load_calls, load_s, loaded = (measures[name] for name in NEEDED)
    return Costs(cpu_ms, calls, reads, load_calls * 1000 / loaded, load_s * 1000 / loaded)


def table(of: Costs) -> str:
    """Give the sizing table, a column for each clinic."""
    columns = [_column(of, doctors) for doctors in DOCTORS]
    head = [
        "| doctors | " + " | ".join(f"{doctors:,}" for doctors in DOCTORS) + " |",
        "|---" * (len(DOCTORS) + 1) + "|",
    ]
    rows = [f"| {name} | " + " | ".join(column[name] for column in columns) + " |" for name in columns[0]]
    return "\n".join([*head, *rows, ""])


def _column(of: Costs, doctors: int) -> dict[str, str]:
    told, edited, patients = doctors * TOLD, doctors * EDITED, doctors * PATIENTS
    changes = told + edited
    a_second = changes * BUSIEST_HOUR * BUSIEST_MINUTES / 3600
    drchrono = (edited + told * of.drchrono_reads_per_100 / 100) * BUSIEST_HOUR
    loaded_h = max(
        patients * BULK_CALLS_PER_1000 / 1000 / (DRCHRONO_AN_HOUR * BACKFILL_SHARE),
        patients * of.load_s_per_1000 / 1000 / 3600,
    )
    kept_kb = told * (WITH_CONTENTS_DAYS * DELIVERY_KB + (KEPT_DAYS - WITH_CONTENTS_DAYS) * FINISHED_KB)
    return {
        "changes a day": f"{changes:,}",
        "changes a second in the busiest minutes": f"{a_second:.2g}",
        "CPU they take then, of one core": f"{a_second * of.cpu_ms / 10:.2g} %",
        "Salesforce calls a day": f"{changes * of.salesforce_calls:,.0f}",
        f"DrChrono calls in the busiest hour, of {DRCHRONO_AN_HOUR}": f"{drchrono:,.0f}",
        "patients; first load of them": f"{patients:,}; {_span(loaded_h)}",
        "Salesforce calls of that": f"{patients * of.load_calls_per_1000 / 1000:,.0f}",
        "database after 400 days": f"{(kept_kb + patients * 3 * LINK_KB) / 1e6:.2g} GB",
    }


def _span(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{max(hours * 60, 1):.0f} min"
