"""What another mapping would write before it is used: counted by field, with masked samples; nothing is written.

Both sides are gone through as for a comparison, in its lane; a kind that both mappings have alike is left out. Rows
that the other mapping has as the one in use count what that one would write as well; the others are told apart by how
they differ.
"""

import asyncio
import json
from dataclasses import replace
from typing import Any

from rich.console import Console

from app.cli import progress
from app.cli.backfill import explain, is_connected
from app.cli.dry_run import dry_run_as_json, quiet, show_dry_run
from app.cli.mapping import print_misfit
from app.errors import VendorError
from app.operations.mapping import FieldChange, ask_org_of_all, changes, is_same, judged
from app.runtime import Runtime, open_runtime
from app.settings.fields import Settings
from app.sync.mappings.table import Mappings
from app.sync.model import Kind, Lane, Side
from app.vendors.salesforce.org_description import OrgMappings
from workers.compare.checkpoint import DryRun
from workers.compare.preview import preview
from workers.compare.reconcile import ORDER

Changes = dict[Kind, dict[str, FieldChange]]


async def print_preview(
    settings: Settings, console: Console, wanted: Mappings, limit: int | None, *, as_json: bool
) -> bool:
    """Print what another mapping would write; False where that could not be found out, or not to the end.

    Raises  StoreUnavailable
    """
    async with open_runtime(settings) as runtime:
        if not is_connected(runtime, console):
            return False
        await runtime.must_be_ours()
        try:
            return await preview_mapping(runtime, console, wanted, limit, as_json=as_json)
        except VendorError as error:
            _say(console, explain(error), "red")
            return False


async def preview_mapping(
    runtime: Runtime, console: Console, wanted: Mappings, limit: int | None, *, as_json: bool
) -> bool:
    """Print the same by a runtime that has the mapping in use.

    Raises  VendorError, StoreUnavailable
    """
    pairs = {kind: (runtime.mappings.get(kind), wanted.get(kind)) for kind in ORDER}
    found = {kind: changes(*pair) for kind, pair in pairs.items() if not is_same(*pair)}
    seen: dict[Kind, DryRun] = {}
    if (fitted := await fitted_to_org(runtime, console, wanted, as_json=as_json)) is None:
        return False
    is_whole = await _go_through(fitted, console, found, seen, limit, as_json=as_json)
    if as_json:
        kinds = [_as_json(kind, differing, seen.get(kind)) for kind, differing in found.items()]
        document = {"interrupted": not is_whole, "kinds": kinds}
        console.print(json.dumps(document, indent=2), markup=False, highlight=False, soft_wrap=True)
        return is_whole
    for kind, differing in found.items():
        _show(fitted, console, kind, differing, seen.get(kind))
    if not found:
        _say(console, "it is the mapping in use: nothing was gone through")
    if not is_whole:
        _say(console, "interrupted: this is what was counted by then", "yellow")
    _say(console, "nothing was written; after MAPPING_FILE is changed, `chronobridge backfill` has it applied")
    return is_whole


async def fitted_to_org(
    runtime: Runtime, console: Console, wanted: Mappings, *, as_json: bool = False
) -> Runtime | None:
    """Give the runtime with another mapping, fitted to what the org says now; None where nothing is read by that.

    What does not fit is printed, unless a script reads.

    Raises  VendorError
    """
    assert runtime.salesforce is not None
    answers = await ask_org_of_all(runtime.salesforce.on(Lane.COMPARE), wanted)
    kinds = judged(wanted, answers)
    is_readable = all(field.types[Side.SALESFORCE] for kind in kinds for field in kind.fields)
    for misfit in (one for kind in kinds for one in kind.all_misfits if not as_json or not is_readable):
        print_misfit(console, misfit)
    if not is_readable:
        _say(console, "fields that are not there cannot be read: nothing was gone through", "red")
        return None
    mappings = OrgMappings(wanted)
    mappings.fit({wanted[kind].object: one.described for kind, one in answers.items() if one.described is not None})
    return replace(runtime, mappings=mappings)


async def _go_through(
    runtime: Runtime, console: Console, found: Changes, seen: dict[Kind, DryRun], limit: int | None, *, as_json: bool
) -> bool:
    """Count into `seen` what every kind would have written; False where it was interrupted.

    Raises  VendorError
    """
    with quiet() if as_json else progress.showing(console) as say:

        async def tell(one: DryRun) -> None:
            read = one.read.total()
            say(f"{one.kind}s read", read, read)

        try:
            for kind in (one for one in found if one in runtime.mappings):
                seen[kind] = DryRun(kind, limit=limit, changed=frozenset(found[kind]))
                await preview(runtime, kind, None, Lane.COMPARE, tell, seen[kind])
        except asyncio.CancelledError:  # Ctrl-C; asked twice, it ends at once
            return False
    return True


def _show(runtime: Runtime, console: Console, kind: Kind, found: dict[str, FieldChange], seen: DryRun | None) -> None:
    if kind not in runtime.mappings:
        _say(
            console, f"\n{kind}s: not mapped any more; nothing of them is written, and both systems keep what they hold"
        )
        return
    table = runtime.mappings[kind]
    if seen is not None:
        notes = {name: found[name].value if name in found else "as now" for name in table.rows}
        show_dry_run(table, console, seen, notes)
        _say(console, f"  {seen.by_change:,} of the linked would be written because of rows that the mapping changes")
    for name, change in found.items():
        if change is FieldChange.DROPPED:
            _say(console, f"  {name}: dropped; nothing of it is written any more, and both systems keep what they hold")
        else:
            row = table.rows[name]
            _say(console, f"  {name}: {change.value} ({row.names[Side.DRCHRONO]} and {row.shown(Side.SALESFORCE)})")
    if not found:
        _say(console, "  its rows are as in the mapping in use; conditions, constants, object or external id are not")


def _as_json(kind: Kind, found: dict[str, FieldChange], seen: DryRun | None) -> dict[str, Any]:
    told = {"kind": kind.value, "mapping": {name: change.name.lower() for name, change in found.items()}}
    return told if seen is None else {**dry_run_as_json(seen), **told, "written_by_change": seen.by_change}


def _say(console: Console, text: str, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
