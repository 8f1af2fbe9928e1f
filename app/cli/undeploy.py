"""`chronobridge salesforce undeploy` at a terminal: what would go and what it holds, a question, and the deletion."""

from collections.abc import Callable, Mapping

from rich.console import Console
from rich.text import Text

from app.cli.deploy import outbound_token, print_end, run_deployment
from app.cli.sign_in import Seat, with_rights
from app.operations import undeploy
from app.operations.package import package_for
from app.operations.undeploy import Removal
from app.settings.fields import Settings
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.metadata.archive import Package
from app.vendors.salesforce.metadata.deployment import DeployOptions, TestLevel


async def remove_package(
    settings: Settings,
    source: Mapping[str, bytes],
    console: Console,
    user: str | None,
    level: TestLevel | None,
    is_meant: Callable[[str], bool] | None,
) -> int:
    """Show what would be deleted, ask, and delete it; gives the exit code.

    is_meant  asks a person; None: it is only shown
    Raises    VendorError, Misconfigured
    """

    async def work(org: Salesforce, seat: Seat) -> int:
        package = package_for(source, settings.public_url, outbound_token(settings), seat.integration)
        return await _removed(org, seat, package, console, level, is_meant)

    return await with_rights(settings, console, user, work)


async def _removed(
    org: Salesforce,
    seat: Seat,
    package: Package,
    console: Console,
    level: TestLevel | None,
    is_meant: Callable[[str], bool] | None,
) -> int:
    with console.status("looking at what is there …"):
        removal = await undeploy.removal_of(org, seat.own, package)
    if not removal.members:
        console.print(Text("nothing to do: nothing of the package is in the org", style="green"))
        return 0
    print_removal(removal, console)
    if is_meant is None:
        console.print(Text("nothing was changed (dry run)"))
        return 0
    if not is_meant(f"Delete all of this from {seat.kind.name or 'the org'}?"):
        console.print(Text("nothing was changed"))
        return 1

    async def send(archive: bytes) -> bool:
        ended = await run_deployment(org, archive, DeployOptions(level=level), console)
        return ended is not None and print_end(ended, console)

    active = await undeploy.remove(org, package, removal, send)
    if active:
        console.print(Text(f"still active, so nothing was deleted: {', '.join(active)}", style="red"))
        console.print(Text("  → deactivate each in Setup, Flows, and run it again"))
    elif active is None and removal.members.get("Flow"):
        console.print(Text("flows of it may be inactive now; `chronobridge salesforce deploy` makes them active again"))
    elif active is not None:
        console.print(Text("deleted; for some days Setup, the object, Deleted Fields can bring fields back"))
    return 0 if active == [] else 1


def print_removal(removal: Removal, console: Console) -> None:
    """Print what would go, by type, and first what holds data."""
    for one in removal.held:
        if one.records == 0:
            continue
        what = "hold something in it" if one.is_field else "are in it"
        count = f"{one.records:,} records {what}" if one.records is not None else "whether it holds data is not known"
        console.print(Text.assemble(("! ", "yellow"), (one.name, "bold"), f": {count}"))
    for type_, names in sorted(removal.members.items()):
        console.print(Text(f"- {type_}: {', '.join(names)}"))
