"""What the demo shows at its end: what each side holds, how long changes took, what they cost, and the verdict."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from app.demo.town import Town
from app.sync import mapping
from app.sync.records import Kind, Side


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
    latencies_ms: list[float]
    calls: dict[str, int]
    registered: int
    edits: int
    burst: int

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost and nothing doubled."""
        found = self.compared
        return not (found.missing or found.doubled or found.differing) and found.created == found.patients


def compared(here: Town) -> Compared:
    """Compare every patient with the Contacts that bear its id, through the mapping's own normal forms."""
    table = mapping.load()[Kind.PATIENT]
    patients, contacts = here.patients(), here.contacts()
    by_id: dict[str, list[dict[str, Any]]] = {}
    for contact in contacts:
        by_id.setdefault(str(contact[table.external_id]), []).append(contact)
    differing = {}
    for patient_id, patient in patients.items():
        left = table.read(Side.DRCHRONO, patient_id, patient, version="", confirmed=True)
        for contact in by_id.get(patient_id, [])[:1]:
            right = table.read(Side.SALESFORCE, contact["Id"], contact, version="", confirmed=True)
            names = [
                row.name for row in table.rows.values() if not row.equal(left.fields[row.name], right.fields[row.name])
            ]
            if names:
                differing[patient_id] = names
    writes = Counter(write["op"] for write in here.salesforce.get("/_control/writes").json()["writes"])
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


def latencies(here: Town) -> list[float]:
    """Give for each human edit how long it took to be written to Salesforce, in milliseconds, where it can be told."""
    written: dict[str, list[float]] = {}
    ids = {contact["Id"]: str(contact["DrChrono_Patient_Id__c"]) for contact in here.contacts()}
    for write in here.salesforce.get("/_control/writes").json()["writes"]:
        written.setdefault(ids.get(write["id"], ""), []).append(datetime.fromisoformat(write["at"]).timestamp())
    edits: dict[str, float] = {}
    for edit in here.drchrono.get("/_control/edits").json():
        edits[str(edit["id"])] = float(edit["at"])
    return sorted(
        (max(written[patient_id]) - at) * 1000
        for patient_id, at in edits.items()
        if patient_id in written and max(written[patient_id]) >= at
    )


def show(console: Console, here: Town, report: Report) -> None:
    """Print the tables and the verdict."""
    found = report.compared
    table = Table(title="What each side holds", title_justify="left", show_header=True)
    for column in ("", "DrChrono", "Salesforce"):
        table.add_column(column, justify="left" if not column else "right")
    table.add_row("patients / Contacts", f"{found.patients:,}", f"{found.contacts:,}")
    table.add_row("created", f"{report.registered + report.burst:,} by people", f"{found.created:,} by us")
    table.add_row(
        "changed", f"{report.edits} edits", f"{found.updated:,} updates, {found.unchanged} that changed nothing"
    )
    table.add_row(
        "missing / doubled / differing", "", f"{len(found.missing)} / {len(found.doubled)} / {len(found.differing)}"
    )
    console.print(table)
    if report.latencies_ms:
        times = report.latencies_ms
        console.print(
            f"The front desk's last change of each patient reached Salesforce after {times[len(times) // 2]:,.0f} ms "
            f"(median; fastest {times[0]:,.0f}, slowest {times[-1]:,.0f}, with the killed worker and confirmations in it)."
        )
    drchrono = here.drchrono.get("/_control/calls").json()["counts"]
    spent = sum(n for name, n in here.salesforce.get("/_control/calls").json()["counts"].items() if "/data/" in name)
    gets = sum(n for name, n in drchrono.items() if "/api/" in name)
    console.print(
        f"Calls spent: Salesforce {spent} for {found.created + found.updated:,} writes; DrChrono {gets} (confirming reads)."
    )
    if report.is_good:
        console.print("[bold green]nothing lost, nothing doubled[/]")
    else:
        for name in ("missing", "doubled"):
            if ids := getattr(found, name):
                console.print(f"[red]{name}: {', '.join(ids[:10])}")
        for patient_id, names in list(found.differing.items())[:10]:
            console.print(f"[red]{patient_id} differs in {', '.join(names)}")
