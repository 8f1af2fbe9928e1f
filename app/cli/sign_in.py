"""Whose session a command of Salesforce's uses: the settings' own user's, or an administrator's who signs in.

An administrator types a code into a browser; what that gives lives as long as the command, in memory alone.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import typer
from rich.console import Console
from rich.text import Text

from app.errors import Misconfigured, SyncError, Unauthorized, VendorError
from app.operations.deploy import may_not_deploy
from app.runtime import device_grant, open_salesforce
from app.settings.fields import Settings
from app.sync.model import Side
from app.vendors.salesforce import org_setup
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.device_flow import EXPIRED, SESSION_OVER
from app.vendors.salesforce.org_setup import OrgKind, OrgUser

_ID_CHARACTERS = 15
_WORDS = {
    "OTHER_ORG": "that user belongs to another org than SALESFORCE_ORG_ID names; sign in to the right one",
    "access_denied": "access was denied in the browser; run it again, and press Allow",
    "expired_token": "nobody has signed in meanwhile; run it again when somebody will",
    "invalid_grant": "the code was used or has expired; run it again",
    "invalid_client_id": "SALESFORCE_CLIENT_ID is not the consumer key of an app of this org",
    "unsupported_response_type": "enable the device flow in the app: its Settings tab, OAuth Settings, Flow Enablement",
    "invalid_request": "enable the device flow in the app: its Settings tab, OAuth Settings, Flow Enablement",
    SESSION_OVER: "the administrator's session at Salesforce is over; run it again, and sign in",
}


class NotSignedInError(Exception):
    """Nobody is signed in who may go on; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Seat:
    """What the org is, and who the service is there; `own` is the session of that user."""

    own: Salesforce
    kind: OrgKind
    integration: OrgUser


def must_be_the_org(settings: Settings, meant: str | None) -> None:
    """Let a command go on in the org that the settings name, where that is the one that is meant.

    meant   its id, or its address; None: nobody says
    Raises  Misconfigured
    """
    if Side.SALESFORCE not in settings.connected:
        raise Misconfigured("Salesforce is not connected: expected SALESFORCE_LOGIN_URL, _CLIENT_ID and _ORG_ID")
    assert settings.salesforce_org_id is not None
    is_meant = meant is None or (
        meant.removeprefix("https://").rstrip("/").casefold()
        == str(settings.salesforce_login_url).removeprefix("https://").rstrip("/").casefold()
        or meant[:_ID_CHARACTERS] == settings.salesforce_org_id[:_ID_CHARACTERS]
    )
    if not is_meant:
        raise Misconfigured(
            f"--org names {meant}, the settings {settings.salesforce_org_id} at {settings.salesforce_login_url}: "
            "expected the same org; correct the one that is wrong"
        )


async def with_rights(
    settings: Settings, console: Console, username: str | None, work: Callable[[Salesforce, Seat], Awaitable[int]]
) -> int:
    """Do something as the settings' own user, or as an administrator where that user may not; gives the exit code.

    username  an administrator, who signs in at once; None: only where it is needed, and somebody is there to ask
    Raises    VendorError
    """
    try:
        async with open_salesforce(settings) as own:
            seat = Seat(own, await org_setup.kind_of(own), await org_setup.current_user(own))
            console.print(Text(f"{seat.kind.words}; the service is {seat.integration.username} there"))
            if username is None:
                try:
                    return await work(own, seat)
                except SyncError as error:
                    if not may_not_deploy(error):
                        raise
                if not _is_offered(seat, console):
                    return 1
            async with _open_administrator(settings, console, username) as org:
                return await work(org, seat)
    except NotSignedInError as error:
        console.print(Text(str(error), style="red"))
        return 1


def _is_offered(seat: Seat, console: Console) -> bool:
    """Say that the integration user may not, and whether an administrator will sign in now."""
    name = seat.integration.username
    console.print(Text(f"{name} may not change the org, which is as it should be: an administrator has to.", "yellow"))
    if console.is_terminal and sys.stdin.isatty():
        return typer.confirm("Sign in as an administrator in a browser now?", default=True)
    console.print(Text("Run it again with --user and an administrator's username, and sign in in a browser."))
    return False


@asynccontextmanager
async def _open_administrator(settings: Settings, console: Console, username: str | None) -> AsyncIterator[Salesforce]:
    """Have an administrator sign in, and open the org for them.

    username  who it must be; None: whoever does
    Raises    NotSignedInError, VendorError
    """
    grant = device_grant(settings)
    async with open_salesforce(settings, grant) as org:
        try:
            code = await grant.begin()
            console.print(Text(f"Open this in a browser and sign in{f' as {username}' if username else ''}:\n"))
            console.print(Text(f"  {code.address}\n"))
            console.print(Text.assemble("and enter this code there: ", (code.typed, "bold"), "\n"))
            with console.status("waiting for the sign-in … (Ctrl-C gives up, nothing is lost by it)"):
                await grant.wait(code)
            user = await org_setup.current_user(org)
        except Unauthorized as error:
            raise NotSignedInError(explain_sign_in(error)) from None
        if username and user.username.casefold() != username.casefold():
            raise NotSignedInError(f"signed in as {user.username}, not as {username}: run it again as the one you mean")
        console.print(Text(f"signed in as {user.username}"))
        yield org


def explain_sign_in(error: VendorError) -> str:
    """Say why nobody is signed in, and what to do."""
    words = _WORDS.get(error.code)
    return words or f"Salesforce refuses the sign-in ({error.cause}); run: chronobridge check"


def is_over(error: VendorError) -> bool:
    """Say whether an administrator has to sign in again."""
    return error.code in (SESSION_OVER, EXPIRED)
