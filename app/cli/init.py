"""What `chronobridge init` writes and says: a `.env` of one's own, and the way from there to two connected vendors.

An existing file is never touched, and the new one is nobody else's to read from its first byte. The steps name each
secret by its variable and never by its value. They end where `chronobridge check` takes over.

Source  DrChrono's support pages "What is a DrChrono API application" and its API reference; Salesforce's guides to
        external client apps, My Domain and the client credentials flow (read 2026-11)
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from app.errors import Misconfigured
from app.settings.env_file import EXPECTED
from app.settings.types import WebUrl

EVENTS = ("PATIENT_CREATE", "PATIENT_MODIFY", "APPOINTMENT_CREATE", "APPOINTMENT_MODIFY", "APPOINTMENT_DELETE")
_PLAIN = re.compile(r"[A-Za-z0-9.:/_~%\[\]-]+")  # anything else would have to be quoted in a `.env`


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, in lines that fit 80 columns; only an address to paste may be longer."""

    title: str
    lines: tuple[str, ...]


_STEPS = (
    Step(
        "DrChrono: make an API application",
        (
            "Account > API > New Application (the staff permission Settings shows it).",
            "Redirect URI:   {public_url}/connect/drchrono/callback",
            "Into .env: DRCHRONO_CLIENT_ID and DRCHRONO_CLIENT_SECRET from that page, and",
            "uncomment DRCHRONO_WEBHOOK_SECRETS with them.",
            "Share this application with nothing else: not with staging, not with staff",
            "sign-in. A new authorization there can end the tokens in use here.",
        ),
    ),
    Step(
        "Salesforce: make an External Client App",
        (
            "(New Connected Apps can no longer be created by default.)",
            "Setup > External Client App Manager > New External Client App.",
            "Distribution:   Local",
            "Enable OAuth",
            "Callback URL:   https://login.salesforce.com/services/oauth2/success",
            "                (the form wants one; neither sign-in below ever calls it)",
            "OAuth scope:    Manage user data via APIs (api)",
            "Then one way to sign in:",
            "- client credentials: enable that flow, and in the app's policies choose the",
            "  user to run as. Into .env: SALESFORCE_CLIENT_ID, SALESFORCE_CLIENT_SECRET.",
            "- JWT bearer, when no secret may be stored: enable that flow, upload the",
            "  certificate, pre-authorize the user. Into .env: SALESFORCE_CLIENT_ID,",
            "  SALESFORCE_USERNAME, SALESFORCE_PRIVATE_KEY_FILE.",
            "Consumer key (the client id) and secret: the app's Settings tab > OAuth",
            "Settings > Consumer Key and Secret.",
            "Also into .env:",
            "SALESFORCE_LOGIN_URL   Setup > My Domain, the current URL, https:// before it",
            "SALESFORCE_ORG_ID      Setup > Company Information, the id that starts 00D",
        ),
    ),
    Step(
        "Salesforce: objects, fields, messages and permissions",
        (
            "chronobridge salesforce deploy --dry-run      says what would come of it",
            "chronobridge salesforce deploy",
            "An administrator signs in for it in a browser: in the app, enable the device",
            "flow. Messages go to {public_url}/webhooks/salesforce/",
            "Then assign DrChrono Staff and DrChrono Viewer to people.",
        ),
    ),
    Step(
        "Look at the settings, then start",
        (
            "chronobridge check      says what is missing, each with its fix",
            "chronobridge up         runs everything on this machine, the database too",
            "The console:    {public_url}/",
            "Sign in with the value of OPERATOR_TOKEN in .env. People of the clinic",
            "get names and secrets of their own by OPERATORS and VIEWERS.",
        ),
    ),
    Step(
        "DrChrono: register the webhook, now that the service can answer",
        (
            "In the same application:",
            "Callback URL:   {public_url}/webhooks/drchrono",
            "Secret token:   the value of DRCHRONO_WEBHOOK_SECRETS in .env",
            f"Events:         {', '.join(EVENTS[:2])},",
            f"                {', '.join(EVENTS[2:])}",
            "Save, then press the verify button.",
        ),
    ),
    Step(
        "Connect the practice, and look again",
        (
            "chronobridge connect drchrono      prints the address to open, and waits",
            "chronobridge check",
        ),
    ),
)


def address(public_url: str) -> str:
    """Give the address in the form the settings take it.

    Raises  Misconfigured when they would not
    """
    plain = public_url if _PLAIN.fullmatch(public_url) else ""
    try:
        return TypeAdapter(WebUrl).validate_python(plain)
    except ValidationError as error:
        problem = error.errors()[0]["msg"].removeprefix("Value error, ")
        expected, example = EXPECTED["PUBLIC_URL"]
        raise Misconfigured(f"--public-url is wrong ({problem}): expected {expected}; for example {example}") from None


def write(path: Path, text: str) -> None:
    """Leave a new, durable file that only its owner can read.

    Raises  FileExistsError when something has that name, a link to nowhere included; OSError when it cannot be written
    """
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
    except OSError:
        path.unlink()  # half a file would stop the next `init` and every start
        raise


def steps(public_url: str) -> Iterator[Step]:
    """Give what is left to do, in order."""
    for step in _STEPS:
        yield Step(step.title, tuple(line.replace("{public_url}", public_url) for line in step.lines))


def print_steps(console: Console, public_url: str) -> None:
    """Print what was written and what comes next; lines are never wrapped, so that addresses can be copied."""

    def say(text: str, style: str | None = None) -> None:
        console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    say("Wrote .env: every setting, with fresh keys and tokens; only you can read it.")
    say("Keep a copy of it apart from the database, which nobody can read without it.")
    say(f"\nThe addresses below follow PUBLIC_URL={public_url}")
    if public_url.startswith("http:"):
        say("That is for trying it on this machine. The vendors need an https address: set")
        say("PUBLIC_URL in .env to it, and put it in the place of this one below.")
    for number, step in enumerate(steps(public_url), 1):
        say(f"\n{number}. {step.title}", "bold")
        for line in step.lines:
            say(f"   {line}")
    say("\nAfter a change of .env start the service again.")
