"""`chronobridge connect drchrono`: says where to go, and waits until somebody has been there."""

import asyncio
from time import monotonic

import httpx
from rich.console import Console
from rich.text import Text

from app.operations import connections
from app.ports import StoredToken
from app.runtime import Runtime, open_runtime
from app.settings.fields import Settings
from app.store.vendor_tokens import VendorTokens
from app.sync.model import Side
from app.vendors import http

_LOOK_EVERY_S = 0.5


async def wait_for_consent(settings: Settings, console: Console, patience_s: float) -> int:
    """Wait until the practice is connected anew; gives the exit code.

    Raises  Misconfigured when DrChrono's settings are not there, StoreUnavailable
    """
    async with open_runtime(settings) as runtime:
        connections.drchrono_of(runtime)
        store = VendorTokens(runtime.database, runtime.vault, Side.DRCHRONO)
        before = await store.read()
        address = connections.connect_url(settings)
        console.print(Text(f"Open this in a browser, and sign in with OPERATOR_TOKEN:\n\n  {address}\n"))
        if not await _answers(runtime):
            console.print(Text("Nothing answers there yet: start `chronobridge serve` (or `up`) and mind PUBLIC_URL."))
        with console.status("waiting for the consent … (Ctrl-C gives up, nothing is lost by it)"):
            after = await _changed(store, before, monotonic() + patience_s)
    account = connections.account_of(after.token) if after is not None else None
    if account is None:
        console.print(Text("Nobody has connected the practice meanwhile; run this again when somebody will."))
        return 1
    console.print(Text(f"Connected as {account.username}, practice group {account.practice}.", style="green"))
    for ability in account.abilities:
        lacks = ", ".join((*ability.missing_scopes, *ability.missing_permissions))
        mark = "✓ it can" if ability.is_there else "✗ it cannot"
        console.print(Text(f"  {mark} {ability.what}" + (f" (lacks {lacks})" if lacks else "")))
    return 0


async def _changed(store: VendorTokens, before: StoredToken, deadline: float) -> StoredToken | None:
    """Give the connection once a person has consented; a mere refresh is none."""
    known = _consent(before)
    while monotonic() < deadline:
        stored = await store.read()
        if stored.refused_code is None and _consent(stored) not in (None, known):
            return stored
        await asyncio.sleep(_LOOK_EVERY_S)
    return None


def _consent(stored: StoredToken) -> str | None:
    return ((stored.token or {}).get("account") or {}).get("consent")


async def _answers(runtime: Runtime) -> bool:
    try:
        async with http.client(runtime.settings.public_url, http.trusted(runtime.settings.ca_bundle)) as client:
            return (await client.get("/livez")).is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
