"""The outlook as a careful admin reads it: per kind what would change, field by field, with masked samples."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console
from rich.table import Table

from app.cli import progress
from app.cli.backfill import NAMES, explain, is_connected, is_mapped, run_backfill
from app.errors import OtherInstance, VendorError
from app.operations.backfill import LOAD, keep_counts
from app.runtime import Runtime, open_runtime
from app.settings.fields import Settings
from app.sync.failure_causes import fix
from app.sync.mappings.table import Table as MappingTable
from app.sync.model import Kind, Lane, Side
from workers.compare.checkpoint import DryRun
from workers.compare.preview import preview
from workers.compare.reconcile import ORDER, compared_up_to


async def compare_or_preview(
    settings: Settings, kind: Kind | None, *, since_ever: bool, dry_run: bool, as_json: bool
) -> bool:
    """Compare a kind or all, or only say what that would do; False where it could not be done.

    Raises  SyncError
    """
    console = Console()
    if dry_run:
        return await print_dry_run(settings, console, kind, since_ever=since_ever, as_json=as_json)
    return await run_backfill(settings, console, kind, since_ever=since_ever)


async def print_dry_run(
    settings: Settings, console: Console, kind: Kind | None, *, since_ever: bool, as_json: bool = False
) -> bool:
    """Print what comparing a kind or all would do; False where that could not be found out.

    What there is and would come of it, since ever, is kept as numbers: for `chronobridge check` and the console.

    Raises  StoreUnavailable
    """
    async with open_runtime(settings) as runtime:
        if not is_connected(runtime, console) or not is_mapped(runtime, console, kind):
            return False
        found: dict[Kind, DryRun] = {}
        with quiet() if as_json else progress.showing(console) as say:
            for one in [one for one in ORDER if one in runtime.mappings and kind in (None, one)]:
                try:
                    found[one] = await _looked(runtime, one, say, since_ever=since_ever)
                except VendorError as error:
                    console.print(f"{one}s: {explain(error)}", style="red", markup=False, soft_wrap=True)
                    return False
        if since_ever:
            await _keep(runtime, found)
        if as_json:
            document = {"kinds": [dry_run_as_json(each) for each in found.values()]}
            console.print(json.dumps(document, indent=2), markup=False, highlight=False, soft_wrap=True)
            return True
        for each in found.values():
            show_dry_run(runtime.mappings[each.kind], console, each)
        kept = "; the numbers are kept for `chronobridge check` and the console" if since_ever else ""
        console.print(f"nothing was written at a vendor{kept}", markup=False, highlight=False, soft_wrap=True)
    return True


@contextmanager
def quiet() -> Iterator[progress.Say]:
    """Give what shows no progress."""

    def say(part: str, rows: int, of: int, beside: str = "") -> None:  # noqa: ARG001 - a script reads no progress
        return

    yield say


async def _keep(runtime: Runtime, found: Mapping[Kind, DryRun]) -> None:
    """Keep the numbers; an installation that may not act here keeps none."""
    with suppress(OtherInstance):
        for kind, each in found.items():
            await keep_counts(runtime, kind, each.counts)


def dry_run_as_json(found: DryRun) -> dict[str, Any]:
    """Give what comparing a kind would do, for a script."""
    changes = [
        {"side": side.value, "field": name, "records": count, "emptied": found.prospect.blanks[side, name]}
        for (side, name), count in found.prospect.fields.most_common()
    ]
    told = found.counts.as_json()
    if not found.is_whole:
        told |= {"there": None, "asking": found.counts.asking, "unloaded": found.counts.unloaded}
    return {
        "kind": found.kind.value,
        "read": {side.value: found.read[side] for side in Side},
        **told,
        "linked_would_change": found.prospect.records,
        "would_delete": found.prospect.deletes,
        "linked_would_need_decision": dict(found.prospect.holds),
        "changes": changes,
        "brake": found.stops or None,
    }


async def _looked(runtime: Runtime, kind: Kind, say: progress.Say, *, since_ever: bool) -> DryRun:
    lane = Lane.BACKFILL if since_ever else Lane.COMPARE
    since = None if since_ever else await compared_up_to(runtime, kind)

    async def tell(found: DryRun) -> None:
        read = found.read.total()
        say(f"{kind}s read", read, read)

    return await preview(runtime, kind, since, lane, tell)


def show_dry_run(table: MappingTable, console: Console, found: DryRun, notes: Mapping[str, str] | None = None) -> None:
    """Print what comparing a kind would do; `notes`: what is to be said of a field beside."""
    read = " and ".join(f"{count:,} of {NAMES[side]}" for side, count in found.read.items()) or "nothing"
    console.print(
        f"\n[bold]{found.kind}s[/]: {read} read, {found.prospect.records:,} of the linked would change", highlight=False
    )
    for line in [*_there(table, found), *_new(found)]:
        console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    if found.prospect.fields:
        console.print(_fields(table, found, notes or {}))
    if found.stops:
        console.print(
            f"  [red]the safety limit would stop this until you resume its queue: {found.stops}",
            highlight=False,
            soft_wrap=True,
        )


def _there(table: MappingTable, found: DryRun) -> list[str]:
    """Say what there is, and how what is linked already stands."""
    counts, lines = found.counts, []
    if found.is_whole:
        there = f"{counts.there[Side.DRCHRONO]:,} {found.kind}s in DrChrono"
        lines.append(f"{there}, {counts.there[Side.SALESFORCE]:,} records of {table.object} in Salesforce")
    if counts.left_out:
        lines.append(f"{counts.left_out:,} are none of ours, and left out: breaks, and what DrChrono has deleted")
    if counts.excluded:
        lines.append(f"{counts.excluded:,} are excluded: the mapping leaves them out of what is synced")
    if counts.linked:
        lines.append(f"{counts.linked:,} are linked already")
    for cause, count in counts.failed.most_common():
        lines.append(f"{count:,} are still failing: {cause}; {fix(cause)}")
    for cause, count in counts.held.most_common():
        lines.append(f"{count:,} need review: {cause}; {fix(cause)}")
    if counts.dismissed:
        lines.append(f"{counts.dismissed:,} are dismissed, and left as they are until a value changes")
    if counts.unloaded:
        lines.append(
            f"{counts.unloaded:,} were there before both were connected: left alone until the initial sync, `{LOAD}`"
        )
    return lines


def _new(found: DryRun) -> list[str]:
    """Say what would become of what is new to us, and what would be left to people."""
    counts, lines = found.counts, []
    if counts.matched:
        lines.append(f"{counts.matched:,} would be linked to one that is there; DrChrono is asked once about each")
    lines += [f"{count:,} would be created in {NAMES[side]}" for side, count in counts.created.items() if count]
    if counts.asking:
        lines.append(f"{counts.asking:,} are opted in; each is searched for in DrChrono first")
    if found.prospect.deletes:
        lines.append(f"{found.prospect.deletes:,} deletions would be carried over")
    for cause, count in (counts.decide + found.prospect.holds).most_common():
        lines.append(f"{count:,} would need review: {cause}; {fix(cause)}")
    for cause, count in counts.unfit.most_common():
        lines.append(f"{count:,} would fail until that is fixed: {cause}; {fix(cause)}")
    return lines


def _fields(mapped: MappingTable, found: DryRun, notes: Mapping[str, str]) -> Table:
    table = Table("field", "written in", pad_edge=False)
    table.add_column("records", justify="right")
    table.add_column("emptied", justify="right")
    table.add_column("samples (masked)")
    if notes:
        table.add_column("mapping")
    for (side, name), count in found.prospect.fields.most_common():
        blanks = found.prospect.blanks[side, name]
        samples = "\n".join(f"{one.record_id}: {one.before} → {one.after}" for one in found.samples[side, name])
        note = [notes.get(name, "as now")] if notes else []
        emptied = f"{blanks:,}" if blanks else ""
        table.add_row(mapped.name_of(name, side), NAMES[side], f"{count:,}", emptied, samples, *note)
    return table
