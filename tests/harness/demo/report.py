"""What the demo shows at its end: what each side holds, how long each change took, what it cost, and the verdict."""

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from app.sync.mappings import file
from app.sync.model import Kind, Side
from tests.harness.cluster import Spent, Town


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the story, and when it began (seconds since 1970)."""

    name: str
    began: float


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison of every patient with its Contact found."""

    patients: int
    contacts: int
    missing: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    differing: dict[str, list[str]] = field(default_factory=dict)
    created: int = 0
    updated: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """The demo's findings."""

    compared: Compared
    latencies_ms: dict[str, list[float]]
    calm: Spent
    spent: Spent
    registered: int
    entered: int
    burst: int

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost and nothing doubled."""
        found = self.compared
        is_equal = not (found.missing or found.doubled or found.differing)
        is_whole = found.patients == found.contacts == self.registered + self.entered + self.burst
        return is_equal and is_whole and found.created == self.registered + self.burst


def compared(here: Town, among: Container[str] | None = None) -> Compared:
    """Compare every patient, or each of these, with the Contacts that bear its id, in the mapping's normal forms."""
    table = file.load()[Kind.PATIENT]
    doctors = {doctor["Id"]: doctor for doctor in here.records("DrChrono_Doctor__c")}
    patients = {id_: patient for id_, patient in here.patients().items() if among is None or id_ in among}
    contacts = [
        one | {"DrChrono_Doctor__r": doctors.get(one["DrChrono_Doctor__c"])}
        for one in here.contacts()
        if among is None or str(one[table.external_id]) in among
    ]
    by_id: dict[str, list[dict[str, Any]]] = {}
    for contact in contacts:
        by_id.setdefault(str(contact[table.external_id]), []).append(contact)
    differing = {}
    for patient_id, patient in patients.items():
        left = table.read(Side.DRCHRONO, patient_id, patient, version="", confirmed=True).fields
        for contact in by_id.get(patient_id, [])[:1]:
            right = table.read(Side.SALESFORCE, contact["Id"], contact, version="", confirmed=True).fields
            if names := [name for name, row in table.rows.items() if not row.equal(left.get(name), right.get(name))]:
                differing[patient_id] = names
    ours = {contact["Id"] for contact in contacts}
    writes = Counter(write["op"] for write in here.writes() if write["id"] in ours)
    return Compared(
        len(patients),
        len(contacts),
        [patient_id for patient_id in patients if patient_id not in by_id],
        [patient_id for patient_id, found in by_id.items() if len(found) > 1],
        differing,
        writes["created"],
        writes["updated"],
        writes["unchanged"],
    )


def latencies(here: Town, phases: Sequence[Phase]) -> dict[str, list[float]]:
    """Give for each phase how long each of its changes took to be written to Salesforce, in milliseconds."""
    table = file.load()[Kind.PATIENT]
    names = {row.names[Side.DRCHRONO]: row.names[Side.SALESFORCE] for row in table.rows.values()}
    ids = {contact["Id"]: str(contact[table.external_id]) for contact in here.contacts()}
    written: dict[str, list[tuple[float, set[str]]]] = {}
    for write in here.writes():
        at = datetime.fromisoformat(write["at"]).timestamp()
        written.setdefault(ids.get(write["id"], ""), []).append((at, set(write["changed"])))
    found: dict[str, list[float]] = {phase.name: [] for phase in phases}
    for edit in here.drchrono.get("/_control/edits").json():
        name = [phase.name for phase in phases if phase.began <= edit["at"]][-1]
        wanted = {names[field] for field in edit["fields"] if field in names}
        after = [at for at, changed in written.get(str(edit["id"]), []) if at >= edit["at"] and changed & wanted]
        if after:
            found[name].append((after[0] - edit["at"]) * 1000)
    return found


def show(console: Console, report: Report) -> None:
    """Print the tables and the verdict."""
    found = report.compared
    sides = Table(title="\nWhat each side holds", title_justify="left", title_style="bold")
    for column in ("", "DrChrono", "Salesforce"):
        sides.add_column(column, justify="right" if column else "left")
    sides.add_row("patients, Contacts", f"{found.patients:,}", f"{found.contacts:,}")
    sides.add_row("missing", "", f"{len(found.missing):,}")
    sides.add_row("doubled", "", f"{len(found.doubled):,}")
    sides.add_row("differing in a field", "", f"{len(found.differing):,}")
    sides.add_row("we created", "", f"{found.created:,}")
    sides.add_row("we updated (of that without effect)", "", f"{found.updated:,} ({found.unchanged:,})")
    console.print(sides)

    times = Table(title="\nHow long each change took, ms", title_justify="left", title_style="bold")
    for column in ("the front desk", "changes", "median", "each, fastest first"):
        times.add_column(column, justify="left" if column.startswith(("the", "each")) else "right")
    for name, each in report.latencies_ms.items():
        ordered = sorted(each)
        median = f"{ordered[len(ordered) // 2]:,.0f}" if ordered else ""
        times.add_row(name, str(len(ordered)), median, " ".join(f"{one:.0f}" for one in ordered))
    console.print(times)

    calls = Table(title="\nCalls spent", title_justify="left", title_style="bold")
    for column in ("", "Salesforce", "DrChrono"):
        calls.add_column(column, justify="right" if column else "left")
    calm, all_ = report.calm, report.spent
    calls.add_row("the front desk's morning", str(calm.salesforce), f"{calm.drchrono} confirming reads")
    calls.add_row(
        f"the burst of {report.burst:,}",
        str(all_.salesforce - calm.salesforce),
        f"{all_.drchrono - calm.drchrono} confirming reads",
    )
    console.print(calls)
    console.print()
    if report.is_good:
        console.print("[bold green]nothing lost, nothing doubled[/]")
    for name, ids in (("missing", found.missing), ("doubled", found.doubled)):
        if ids:
            console.print(f"[red]{name}: {', '.join(ids[:10])}")
    for patient_id, names in list(found.differing.items())[:10]:
        console.print(f"[red]{patient_id} differs in {', '.join(names)}")
