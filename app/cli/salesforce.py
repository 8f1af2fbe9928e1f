"""`chronobridge salesforce …`: put what the service needs into the org, take it out, and see what is there.

What a command needs is imported when it runs, as everywhere at the command line: the others start without it.
"""

import asyncio
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.help import Commands
from app.vendors.salesforce.metadata.deployment import TestLevel

if TYPE_CHECKING:
    from app.settings.fields import Settings

commands = Commands("Put what the service needs into the Salesforce org.")

_Mapping = Annotated[
    Path | None,
    typer.Option(help="a mapping file, or default, person-accounts, wide; unset: MAPPING_FILE", metavar="FILE"),
]
_Org = Annotated[
    str | None, typer.Option(help="the org that is meant, by id or address; another one is refused", metavar="ORG")
]
_User = Annotated[
    str | None, typer.Option(help="an administrator's username; that person signs in in a browser", metavar="USERNAME")
]
_TestLevel = Annotated[TestLevel | None, typer.Option(help="the tests that the org runs; unset: ours, in production")]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="only say what would come of it; nothing is changed")]


@commands.command(examples=("salesforce package --out ./package",))
def package(
    out: Annotated[Path, typer.Option(help="a new folder, or one that holds such a package", metavar="FOLDER")],
    mapping: _Mapping = None,
) -> None:
    """Write the package of a mapping as source, for `sf project deploy start`."""
    from app.settings import env_file
    from app.sync.mappings import file
    from app.vendors.salesforce.metadata.source import source_files, write

    os.umask(0o022)  # nothing of it is secret, and it is read by others: an image, a repository
    files = source_files(file.load(mapping or env_file.load().mapping_file))
    write(files, out)
    print(f"{len(files)} files in {out}")


@commands.command(
    examples=("salesforce deploy --dry-run", "salesforce deploy", "salesforce deploy --org acme.my.salesforce.com")
)
def deploy(
    mapping: _Mapping = None,
    org: _Org = None,
    user: _User = None,
    test_level: _TestLevel = None,
    follow: Annotated[str | None, typer.Option(help="watch a deployment that was begun before", metavar="ID")] = None,
    *,
    dry_run: _DryRun = False,
) -> None:
    """Deploy what the mapping needs in the org: objects, fields, flows, permissions; again changes nothing."""
    from rich.console import Console

    from app.cli.deploy import DeployRequest, deploy_package

    settings, source = _begin(org, mapping)
    wanted = DeployRequest(dry_run, user, test_level, follow)
    raise typer.Exit(asyncio.run(deploy_package(settings, source, Console(soft_wrap=True), wanted)))


@commands.command(examples=("salesforce undeploy --dry-run", "salesforce undeploy"))
def undeploy(
    mapping: _Mapping = None,
    org: _Org = None,
    user: _User = None,
    test_level: _TestLevel = None,
    *,
    dry_run: _DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask, go on")] = False,
) -> None:
    """Delete from the org what the package names, once it is shown what goes and what it holds."""
    from rich.console import Console

    from app.cli.undeploy import remove_package

    def is_meant(question: str) -> bool:
        return yes or typer.confirm(question, default=False)

    settings, source = _begin(org, mapping)
    asks = None if dry_run else is_meant
    raise typer.Exit(asyncio.run(remove_package(settings, source, Console(soft_wrap=True), user, test_level, asks)))


@commands.command(examples=("salesforce retrieve --diff", "salesforce retrieve --out ./package"))
def retrieve(
    mapping: _Mapping = None,
    org: _Org = None,
    user: _User = None,
    out: Annotated[Path | None, typer.Option(help="write the files into this folder", metavar="FOLDER")] = None,
    *,
    diff: Annotated[
        bool, typer.Option("--diff", help="say what was changed by hand; exit 1 where anything is")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="with --diff: for a script")] = False,
) -> None:
    """Read the package as the org has it, and say what somebody has changed there, or write it into a folder."""
    from rich.console import Console

    from app.cli.retrieve import retrieve_package

    if diff == (out is not None) or (as_json and not diff):
        raise typer.BadParameter("one of --diff and --out is needed; --json goes with --diff")
    settings, source = _begin(org, mapping)
    work = retrieve_package(settings, source, Console(soft_wrap=True), user, out, as_json=as_json)
    raise typer.Exit(asyncio.run(work))


def _begin(org: str | None, mapping: Path | None) -> tuple["Settings", Mapping[str, bytes]]:
    """Give the settings, and the package's files for a mapping; `org`: the one that is meant."""
    from app import log
    from app.cli.sign_in import must_be_the_org
    from app.settings import env_file
    from app.sync.mappings import file
    from app.vendors.salesforce.metadata.source import source_files

    log.configure(logging.ERROR)
    settings = env_file.load()
    must_be_the_org(settings, org)
    return settings, source_files(file.load(mapping or settings.mapping_file))
