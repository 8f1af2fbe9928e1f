"""The outlook as a careful admin reads it: per kind what would change, field by field, with masked samples."""

from rich.console import Console
from rich.table import Table

from app.cli import progress
from app.cli.backfill import NAMES, explain, is_connected
from app.errors import VendorError
from app.runtime import Runtime, open_runtime
from app.settings.fields import Settings
from app.sync.failure_causes import fix
from app.sync.model import Kind, Lane
from workers.compare.preview import DryRun, preview
from workers.compare.reconcile import ORDER, compared_up_to


async def print_dry_run(settings: Settings, console: Console, kind: Kind | None, *, since_ever: bool) -> bool:
    """Print what comparing a kind or all would do; False where that could not be found out.

    Raises  StoreUnavailable
    """
    async with open_runtime(settings) as runtime:
        if not is_connected(runtime, console):
            return False
        found: dict[Kind, DryRun] = {}
        with progress.showing(console) as say:
            for one in [one for one in ORDER if one in runtime.mappings and kind in (None, one)]:
                try:
                    found[one] = await _looked(runtime, one, say, since_ever=since_ever)
                except VendorError as error:
                    console.print(f"{one}s: {explain(error)}", style="red", markup=False, soft_wrap=True)
                    return False
        for each in found.values():
            _show(runtime, console, each)
        console.print("nothing was written, on either side or here")
    return True


async def _looked(runtime: Runtime, kind: Kind, say: progress.Say, *, since_ever: bool) -> DryRun:
    lane = Lane.BACKFILL if since_ever else Lane.COMPARE
    since = None if since_ever else await compared_up_to(runtime, kind)

    def tell(found: DryRun) -> None:
        read = found.read.total()
        say(f"{kind}s read", read, read)

    return await preview(runtime, kind, since, lane, tell)


def _show(runtime: Runtime, console: Console, found: DryRun) -> None:
    read = " and ".join(f"{count:,} of {NAMES[side]}" for side, count in found.read.items()) or "nothing"
    console.print(
        f"\n[bold]{found.kind}s[/]: {read} read, {found.prospect.records:,} of the linked would change", highlight=False
    )
    for line in _new(found):
        console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    if found.prospect.fields:
        console.print(_fields(runtime, found))
    if found.stops:
        console.print(
            f"  [red]the brake would stop this until you resume its lane: {found.stops}",
            highlight=False,
            soft_wrap=True,
        )


def _new(found: DryRun) -> list[str]:
    """Say what is new to us, and what would be left to people."""
    lines = []
    if found.created:
        lines.append(f"{found.created:,} would be created in Salesforce")
    if found.linked:
        lines.append(f"{found.linked:,} would be linked to one that is there; DrChrono is asked once about each")
    if found.wanted:
        lines.append(f"{found.wanted:,} ask to be taken over to DrChrono; each is searched for there first")
    if found.prospect.deletes:
        lines.append(f"{found.prospect.deletes:,} deletions would be carried over")
    for cause, count in (found.unclear + found.prospect.holds).most_common():
        lines.append(f"{count:,} would wait for a person: {cause}; {fix(cause)}")
    return lines


def _fields(runtime: Runtime, found: DryRun) -> Table:
    table = Table("field", "written in", pad_edge=False)
    table.add_column("records", justify="right")
    table.add_column("emptied", justify="right")
    table.add_column("samples (masked)")
    mapped = runtime.mappings[found.kind]
    for (side, name), count in found.prospect.fields.most_common():
        blanks = found.prospect.blanks[side, name]
        samples = "\n".join(f"{one.record_id}: {one.before} → {one.after}" for one in found.samples[side, name])
        table.add_row(mapped.name_of(name, side), NAMES[side], f"{count:,}", f"{blanks:,}" if blanks else "", samples)
    return table
