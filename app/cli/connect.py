"""`chronobridge connect drchrono`: says where to go, and waits until somebody has been there."""

import httpx
from rich.console import Console
from rich.text import Text

from app.errors import OtherInstance
from app.operations import connections
from app.runtime import Runtime, open_runtime
from app.settings.fields import Settings
from app.vendors import http


async def wait_for_consent(settings: Settings, console: Console, patience_s: float) -> int:
    """Wait until the practice is connected anew; gives the exit code.

    Raises  Misconfigured when DrChrono's settings are not there, StoreUnavailable
    """
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


async def _answers(runtime: Runtime) -> bool:
    try:
        async with http.client(runtime.settings.public_url, http.trusted(runtime.settings.ca_bundle)) as client:
            return (await client.get("/livez")).is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
