"""`chronobridge mapping …`: see the mapping with what either side says of it, and check another before it is used."""

import asyncio
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.help import Commands

if TYPE_CHECKING:
    from rich.console import Console

    from app.operations.mapping import MappedField, MappedKind, OrgAnswer
    from app.settings.fields import Settings
    from app.sync.mappings.misfits import Misfit
    from app.sync.mappings.table import Mappings
    from app.sync.model import Kind, Side

commands = Commands("See the mapping, and check another before it is used.")
_AsJson = Annotated[bool, typer.Option("--json", help="for a script")]
_File = Annotated[Path, typer.Argument(metavar="FILE", help="a mapping file, or default, person-accounts, wide")]


@commands.command(examples=("mapping show", "mapping show --json"))
def show(*, as_json: _AsJson = False) -> None:
    """Show the mapping in use: a row a field, its type in both systems, and what does not fit; exit 1 when red."""
    from app import log
    from app.settings import env_file

    log.configure(logging.ERROR)
    raise typer.Exit(asyncio.run(_show(env_file.load(), as_json=as_json)))


@commands.command(examples=("mapping check mapping.toml", "mapping check person-accounts"))
def check(file: _File, *, as_json: _AsJson = False) -> None:
    """Check a mapping: by itself, against DrChrono's documentation, and with the org where it can be asked."""
    from app import log
    from app.sync.mappings import file as mapping_file

    log.configure(logging.ERROR)
    raise typer.Exit(asyncio.run(_check(mapping_file.load(file), as_json=as_json)))


@commands.command(examples=("mapping preview mapping.toml --limit 500",))
def preview(
    file: _File,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="go through so many records of each kind and side, not all")
    ] = None,
    *,
    as_json: _AsJson = False,
) -> None:
    """Say what a mapping would write, on which side and field, with masked samples; nothing is written."""
    from rich.console import Console

    from app import log
    from app.cli.mapping_preview import print_preview
    from app.settings import env_file
    from app.sync.mappings import file as mapping_file

    log.configure(logging.ERROR)
    work = print_preview(env_file.load(), Console(), mapping_file.load(file), limit, as_json=as_json)
    raise typer.Exit(0 if asyncio.run(work) else 1)


async def _show(settings: "Settings", *, as_json: bool) -> int:
    from app.errors import OtherInstance
    from app.operations.mapping import judged, last_answers
    from app.runtime import open_runtime

    answers: Mapping[Kind, OrgAnswer]
    async with open_runtime(settings) as runtime:
        try:
            await runtime.must_be_ours()
            answers, why = await _asked_now(settings, runtime.mappings)
        except OtherInstance as error:
            answers, why = {}, f"Salesforce was not asked: {error}"
        if why:
            answers = await last_answers(runtime, runtime.mappings)
            why = f"{why}; what it last said is shown" if answers else why
        return _print(judged(runtime.mappings, answers), why, as_json=as_json)


async def _check(mappings: "Mappings", *, as_json: bool) -> int:
    from app.errors import Misconfigured
    from app.operations.mapping import judged
    from app.settings import env_file

    try:
        answers, why = await _asked_now(env_file.load(), mappings)
    except Misconfigured as error:
        answers, why = {}, f"Salesforce was not asked: {error}"
    return _print(judged(mappings, answers), why, as_json=as_json)


async def _asked_now(settings: "Settings", mappings: "Mappings") -> tuple[Mapping["Kind", "OrgAnswer"], str]:
    """Give what the org says of a mapping, or why it was not asked."""
    from app.errors import VendorError
    from app.operations.mapping import ask_org_of_all
    from app.runtime import open_salesforce
    from app.sync.model import Side

    if Side.SALESFORCE not in settings.connected:
        return {}, "Salesforce was not asked: its settings are not there"
    try:
        async with open_salesforce(settings) as client:
            return await ask_org_of_all(client, mappings), ""
    except VendorError as error:
        return {}, f"Salesforce was not asked: it does not answer ({error.cause})"


def _print(kinds: list["MappedKind"], why: str, *, as_json: bool) -> int:
    """Print the mapping, and why the org was not asked; gives the exit code."""
    from rich.console import Console

    from app.operations.mapping import mapping_as_json

    console = Console(soft_wrap=True)
    if as_json:
        document = {**mapping_as_json(kinds), "not_asked": why or None}
        console.print(json.dumps(document, indent=2), markup=False, highlight=False)
    else:
        for kind in kinds:
            _print_kind(console, kind)
        if why:
            console.print(why, style="yellow", markup=False, highlight=False)
        _print_verdict(console, kinds)
    return int(any(kind.is_red for kind in kinds))


def _print_verdict(console: "Console", kinds: list["MappedKind"]) -> None:
    found = [one for kind in kinds for one in kind.all_misfits]
    reds = sum(one.is_fatal for one in found)
    says = f"{reds} red, {len(found) - reds} to look at" if found else "everything fits, as far as it is known"
    console.print(says, style="bold red" if reds else "bold green", markup=False, highlight=False)


def _print_kind(console: "Console", kind: "MappedKind") -> None:
    from rich.table import Table

    from app.sync.model import Side

    console.print(f"\n{kind.kind}: {kind.object}, linked by {kind.external_id}", style="bold", highlight=False)
    table = Table(pad_edge=False)
    for heading in ("DrChrono", "", "Salesforce", "wins", "codec"):
        table.add_column(heading)
    for field in kind.fields:
        style = "red" if field.is_red else "yellow" if field.misfits else None
        here, there = (_side(field, side) for side in (Side.DRCHRONO, Side.SALESFORCE))
        table.add_row(here, "↔" if field.is_two_way else "→", there, _winner(field), field.codec, style=style)
    console.print(table, soft_wrap=False)
    for one in kind.all_misfits:
        print_misfit(console, one)


def _side(field: "MappedField", side: "Side") -> str:
    return f"{field.names[side]}\n  {field.types[side] or '(not said)'}"


def _winner(field: "MappedField") -> str:
    from app.sync.mappings.table import OnConflict
    from app.sync.model import Side

    if field.on_conflict is OnConflict.HOLD:
        return "a person"
    return {Side.DRCHRONO: "DrChrono", Side.SALESFORCE: "Salesforce"}[field.owner]


def print_misfit(console: "Console", misfit: "Misfit") -> None:
    """Print what does not fit, and what to do about it."""
    from rich.text import Text

    mark, color = ("✗", "red") if misfit.is_fatal else ("!", "yellow")
    console.print(Text.assemble((f"{mark} ", color), misfit.says))
    console.print(Text(f"  → {misfit.fix}"))
