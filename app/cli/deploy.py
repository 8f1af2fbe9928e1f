"""`chronobridge salesforce deploy` at a terminal: whose session, how far it is, and what came of it.

Interrupted, it has the deployment canceled; interrupted again, it leaves it to the org, where its id finds it.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from app.cli import progress
from app.cli.check import print_finding
from app.cli.sign_in import Seat, explain_sign_in, is_over, with_rights
from app.errors import Misconfigured, VendorError
from app.operations import deploy
from app.operations.deploy import PATIENCE, Patience
from app.operations.health.model import is_good
from app.operations.package import package_for
from app.settings.fields import Settings
from app.settings.types import secret_values
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.metadata.archive import Package
from app.vendors.salesforce.metadata.deployment import Deployment, DeployOptions, Problem, TestLevel
from app.vendors.salesforce.metadata.problems import fix_of

_MOST_NAMES = 12
INTEGRATION_SET = "DrChrono_Integration"


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """What a person wants deployed. `user`: the administrator who signs in; `follow`: a deployment under way.

    patience  how long the org is waited for
    """

    dry_run: bool = False
    user: str | None = None
    level: TestLevel | None = None
    follow: str | None = None
    patience: Patience = PATIENCE


async def deploy_package(
    settings: Settings, source: Mapping[str, bytes], console: Console, wanted: DeployRequest
) -> int:
    """Deploy a project's files and say what came of it; gives the exit code.

    Raises  VendorError, Misconfigured
    """

    async def work(org: Salesforce, seat: Seat) -> int:
        package = package_for(source, settings.public_url, outbound_token(settings), seat.integration)
        _must_take(package, settings)
        if not settings.is_secure:
            console.print(Text("PUBLIC_URL is no https address, so Salesforce will not reach the service", "yellow"))
        code, ended = await _deployed(org, seat, package, console, wanted)
        if ended is None:
            return code
        token = next(iter(secret_values(settings.salesforce_event_tokens)), None)
        signed = bool(settings.salesforce_event_signing_keys)
        findings = await deploy.finish(org, package, INTEGRATION_SET, seat.integration, token, signed=signed)
        for one in findings:
            print_finding(console, one)
        return 0 if is_good(findings) else 1

    return await with_rights(settings, console, wanted.user, work)


def _must_take(package: Package, settings: Settings) -> None:
    """Let a package go where the API that is called knows all of it."""
    ours = settings.salesforce_api_version
    if float(ours) < float(package.version):
        raise Misconfigured(f"SALESFORCE_API_VERSION is {ours}: expected {package.version}, which the package needs")


def outbound_token(settings: Settings) -> str:
    """Give the token that the outbound messages' address ends in.

    Raises  Misconfigured where there is none
    """
    tokens = secret_values(settings.salesforce_outbound_tokens)
    if not tokens:
        raise Misconfigured(
            "SALESFORCE_OUTBOUND_TOKENS is missing: expected a secret; for example openssl rand -hex 32"
        )
    return tokens[0]


async def _deployed(
    org: Salesforce, seat: Seat, package: Package, console: Console, wanted: DeployRequest
) -> tuple[int, Deployment | None]:
    """Give the exit code, and the deployment where it put something into the org."""
    options = deploy.options_of(package, seat.kind, wanted.level, check_only=wanted.dry_run)
    if wanted.follow is None:
        tests = f", {options.level}" if options.level else ""
        console.print(Text(f"{package.count} components of API {package.version}{tests}"))
    ended = await run_deployment(org, package.zipped(), options, console, wanted.patience, wanted.follow)
    is_good_end = ended is not None and print_end(ended, console)
    return (0, None if ended is None or ended.is_check else ended) if is_good_end else (1, None)


async def run_deployment(
    org: Salesforce,
    archive: bytes,
    options: DeployOptions,
    console: Console,
    patience: Patience = PATIENCE,
    id_: str | None = None,
) -> Deployment | None:
    """Send a zip and watch it to its end, or watch the one of an id; None where its end is not known.

    Raises  VendorError where it was not begun
    """
    is_interrupted = False
    if id_ is None:
        with console.status("sending the package …"):
            sending = asyncio.ensure_future(deploy.begin(org, archive, options, patience))
            try:
                id_ = await asyncio.shield(sending)
            except asyncio.CancelledError:  # the org may have it: nobody could cancel it without its id
                is_interrupted = _go_on_after_interrupt()
                id_ = await sending
    console.print(Text(f"deployment {id_}"))
    go_on = f"chronobridge salesforce deploy --follow {id_}"
    try:
        with _watching(console) as watch:
            try:
                if not is_interrupted:
                    return await deploy.follow(org, id_, watch, patience)
            except asyncio.CancelledError:
                _go_on_after_interrupt()
            console.print(Text(f"canceling it … (Ctrl-C again leaves it to the org; then: {go_on})"))
            ended = await deploy.call_off(org, id_, watch, patience)
    except VendorError as error:
        says = explain_sign_in(error) if is_over(error) else f"the org does not answer any more ({error.cause})"
        console.print(Text(f"{says}; the deployment goes on there, and {go_on} finds it", style="red"))
        return None
    if ended is None:
        console.print(Text(f"the org has not canceled it yet; {go_on} says what became of it", style="red"))
    return ended


def _go_on_after_interrupt() -> bool:
    """Take an interruption for what it says, so that what is left to do can be waited for."""
    if (task := asyncio.current_task()) is not None:
        task.uncancel()
    return True


def print_end(ended: Deployment, console: Console) -> bool:
    """Say what came of a deployment; gives whether it succeeded."""
    for one in ended.problems:
        _print_problem(one, console, is_warning=one.is_warning or ended.is_success)
    if not ended.is_success:
        _print_failure(ended, console)
        return False
    new = len(ended.created)
    counts = [f"{new} new"] * bool(new) + [f"{len(ended.changed) - new} changed"] * (len(ended.changed) > new)
    of = f"{', '.join(counts)} of {ended.components[1]} components" if counts else ""
    if ended.is_check:
        says = f"the org would take it: {of}" if of else "the org would take it, and nothing would change"
        console.print(Text(f"{says}; nothing was changed (dry run)", style="green"))
    else:
        says = f"deployed: {of}" if of else f"nothing to do: all {ended.components[1]} components are there as they are"
        console.print(Text(says, style="green"))
    for name in ended.changed[:_MOST_NAMES]:
        console.print(Text(f"  {'+' if name in ended.created else '~'} {name}"))
    if len(ended.changed) > _MOST_NAMES:
        console.print(Text(f"  … and {len(ended.changed) - _MOST_NAMES} more"))
    return True


def _print_problem(one: Problem, console: Console, *, is_warning: bool) -> None:
    mark, color = ("!", "yellow") if is_warning else ("✗", "red")
    place = f" ({one.place})" if one.place else ""
    console.print(
        Text.assemble((f"{mark} ", color), (f"{one.type} {one.name}".strip(), "bold"), f"{place}: {one.says}")
    )
    if not is_warning and (fix := fix_of(one.says)):
        console.print(Text(f"  → {fix}"))


def _print_failure(ended: Deployment, console: Console) -> None:
    if ended.is_canceled:
        console.print(Text("canceled: nothing was changed", style="yellow"))
        return
    errors = sum(not one.is_warning for one in ended.problems)
    said = f" {ended.says}" if ended.says else ""
    console.print(Text(f"{ended.status.lower()}, {errors} wrong: nothing was changed.{said}", style="red"))
    if ended.says and (fix := fix_of(ended.says)):
        console.print(Text(f"  → {fix}"))
    console.print(Text(f"  Setup, Deployment Status shows {ended.id} too"))


@contextmanager
def _watching(console: Console) -> Iterator[deploy.Watch]:
    with progress.showing(console, "") as say:
        known: list[Deployment] = []

        def watch(at: Deployment | None) -> None:
            known[:] = [at] if at else known
            if not known:
                return
            done, of = known[0].components
            tests, of_tests = known[0].tests
            beside = known[0].status.lower() if at else "the org does not answer, and is waited for"
            if of_tests and done == of:
                say("tests", tests, of_tests, beside)
            else:
                say("components", done, of, beside)

        yield watch
