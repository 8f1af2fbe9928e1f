"""`chronobridge salesforce retrieve` at a terminal: the package as the org has it, as files or as differences."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.text import Text

from app.cli.deploy import outbound_token
from app.cli.sign_in import Seat, with_rights
from app.operations.package import package_for
from app.operations.retrieve import retrieve
from app.settings.fields import Settings
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.metadata.archive import Package
from app.vendors.salesforce.metadata.diff import differences


async def retrieve_package(
    settings: Settings,
    source: Mapping[str, bytes],
    console: Console,
    user: str | None,
    output: Path | None,
    *,
    as_json: bool,
) -> int:
    """Retrieve the package, and print what differs or write it into a folder; gives the exit code, 1 for differences.

    Raises  VendorError, Misconfigured
    """
    quiet = Console(stderr=True, soft_wrap=True) if as_json else console

    async def work(org: Salesforce, seat: Seat) -> int:
        package = package_for(source, settings.public_url, outbound_token(settings), seat.integration)
        with quiet.status("retrieving …"):
            files = await retrieve(org, package)
        if output is None:
            return _print_differences(package, files, console, as_json=as_json)
        _write(files, output)
        quiet.print(Text(f"{len(files)} files in {output}"))
        return 0

    return await with_rights(settings, quiet, user, work)


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    for name, text in files.items():
        path = folder / name
        if path.resolve().is_relative_to(folder.resolve()):  # the names come from outside
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)


def _print_differences(package: Package, files: Mapping[str, bytes], console: Console, *, as_json: bool) -> int:
    found = differences(package.files, files)
    if as_json:
        console.print(Text(json.dumps({"same": not found, "differences": [asdict(one) for one in found]}, indent=2)))
        return 1 if found else 0
    for one in found:
        console.print(Text.assemble(("~ ", "yellow"), (one.component, "bold"), f": {one.says}"))
    if found:
        console.print(Text(f"{len(found)} differ; `chronobridge salesforce deploy` makes them as the mapping says"))
        return 1
    console.print(Text(f"all {package.count} components are as the mapping says", style="green"))
    return 0
