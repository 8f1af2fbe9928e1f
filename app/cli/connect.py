"""`chronobridge connect drchrono` and `disconnect drchrono`: says where to go, waits for the consent; forgets it.

What a command needs is imported when it runs, as everywhere at the command line: the others start without it.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.help import Commands

if TYPE_CHECKING:
    from rich.console import Console

    from app.runtime import Runtime
    from app.settings.fields import Settings

commands, disconnect_commands = Commands("Connect a vendor."), Commands("Disconnect a vendor.")


@commands.command("drchrono", examples=("connect drchrono", "connect drchrono --wait 60"))
def connect_drchrono(
    wait: Annotated[float, typer.Option(help="how many minutes to wait for the consent", metavar="MINUTES")] = 15.0,
) -> None:
    """Print the address to open, and wait until the practice is connected."""
    from rich.console import Console

    from app import log
    from app.settings import env_file

    log.configure(logging.ERROR)
    raise typer.Exit(asyncio.run(wait_for_consent(env_file.load(), Console(soft_wrap=True), wait * 60)))


@disconnect_commands.command("drchrono", examples=("disconnect drchrono",))
def disconnect_drchrono() -> None:
    """Forget the practice's tokens, and have DrChrono revoke them."""
    from app import log
    from app.operations.audit import by_command
    from app.operations.connections import disconnect
    from app.runtime import open_runtime
    from app.settings import env_file

    log.configure(logging.ERROR)

    async def work() -> bool:
        async with open_runtime(env_file.load()) as runtime:
            return await disconnect(runtime, by_command())

    if asyncio.run(work()):
        print("disconnected: DrChrono has revoked the tokens, and they are forgotten here")
        return
    print("forgotten here, but DrChrono did not confirm the revocation: remove this application's access there")
    raise typer.Exit(1)


async def wait_for_consent(settings: "Settings", console: "Console", patience_s: float) -> int:
    """Wait until the practice is connected anew; gives the exit code.

    Raises  Misconfigured when DrChrono's settings are not there, StoreUnavailable
    """
    from rich.text import Text

    from app.errors import OtherInstance
    from app.operations import connections
    from app.runtime import open_runtime

    async with open_runtime(settings) as runtime:
        connections.drchrono_of(runtime)
        known = await connections.consent_of(runtime)
        address = connections.connect_url(runtime)
        console.print(Text(f"Open this in a browser, and sign in as an operator:\n\n  {address}\n"))
        try:
            await runtime.must_be_ours()
        except OtherInstance as error:  # the page at that address says so, too
            console.print(Text(f"No consent can be given yet: {error}."))
        if not await _answers(runtime):
            console.print(Text("Nothing answers there yet: start `chronobridge serve` (or `up`) and mind PUBLIC_URL."))
        with console.status("waiting for the consent … (Ctrl-C gives up, nothing is lost by it)"):
            account = await connections.await_consent(runtime, known, patience_s)
    if account is None:
        console.print(Text("Nobody has connected the practice meanwhile; run this again when somebody will."))
        return 1
    console.print(Text(f"Connected as {account.username}, practice group {account.practice}.", style="green"))
    for ability in account.abilities:
        lacks = ", ".join((*ability.missing_scopes, *ability.missing_permissions))
        mark = "✓ it can" if ability.is_there else "✗ it cannot"
        console.print(Text(f"  {mark} {ability.what}" + (f" (lacks {lacks})" if lacks else "")))
    return 0


async def _answers(runtime: "Runtime") -> bool:
    import httpx

    from app.vendors import http

    try:
        async with http.client(runtime.settings.public_url, http.trusted(runtime.settings.ca_bundle)) as client:
            return (await client.get("/livez")).is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
