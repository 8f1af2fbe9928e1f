"""`chronobridge …`: one function per command, no rules of its own. Exit 0 good, 1 failed, 2 wrong usage or settings."""

import asyncio
import logging
import os
import secrets
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import audit, connect, first_contact, harness, mapping, notify, salesforce
from app.cli.imports import finding_no_garbage
from app.errors import Misconfigured, StoreUnavailable, SyncError
from app.sync.model import Kind

if TYPE_CHECKING:
    from app.operations.lanes import LaneName

app = typer.Typer(
    help="Keeps patients and appointments the same in DrChrono and Salesforce.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a traceback shows messages and locals, and both may hold a value
)
_SHORTEST_SECRET = 32  # of an account, as the settings take it
for _name, _group in (("connect", connect.commands), ("disconnect", connect.disconnect_commands)):
    app.add_typer(_group, name=_name)
for _part in (audit, mapping, notify, salesforce):
    app.add_typer(_part.commands, name=_part.__name__.rpartition(".")[2])


def main() -> None:
    """Run a command; a wrong setting ends it with one line and no traceback.

    Whatever a command writes (database, keys, logs) is nobody else's to read.
    """
    os.umask(0o077)
    try:
        app()
    except Misconfigured as error:
        print(f"chronobridge: {error}", file=sys.stderr)
        sys.exit(2)
    except StoreUnavailable as error:
        print(f"chronobridge: {error}; check DATABASE_URL and that the database runs", file=sys.stderr)
        sys.exit(1)
    except SyncError as error:
        print(f"chronobridge: {error}; `chronobridge check` says what is wrong", file=sys.stderr)
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - said by class and place, never by its message
        from app import log

        log.configure(logging.ERROR)
        log.command_failed(error)
        sys.exit(1)


@app.command("init")
def init_command(
    public_url: Annotated[
        str, typer.Option(help="the https address at which the vendors will reach this service")
    ] = "http://127.0.0.1:8000",
) -> None:
    """Write a commented `.env` with fresh keys into this folder, and say what comes next."""
    from rich.console import Console

    from app.cli.init import address, print_steps, write
    from app.settings import env_file

    url = address(public_url)
    try:
        write(Path(".env"), env_file.render(env_file.fresh(url)))
    except FileExistsError:
        print("chronobridge: .env is already there and stays as it is", file=sys.stderr)
        raise typer.Exit(1) from None
    except OSError as error:
        print(f"chronobridge: .env cannot be written here: {error.strerror}", file=sys.stderr)
        raise typer.Exit(1) from None
    print_steps(Console(), url)


@app.command("hash-secret")
def hash_secret_command() -> None:
    """Print the hash of a secret, which OPERATORS and VIEWERS take in its place; it is typed unseen, or piped in."""
    from app.operations.accounts import hash_secret

    is_typed = sys.stdin.isatty()
    secret = typer.prompt("Secret", hide_input=True, err=True) if is_typed else sys.stdin.readline().strip()
    if len(secret) < _SHORTEST_SECRET:
        print(
            f"chronobridge: a secret has {_SHORTEST_SECRET} characters at least: openssl rand -hex 32", file=sys.stderr
        )
        raise typer.Exit(2)
    print(hash_secret(secret))


@app.command()
def migrate() -> None:
    """Bring the database's schema up to date."""
    from app.operations import maintenance
    from app.settings import env_file

    known = env_file.load()
    tell = partial(print, "chronobridge:", file=sys.stderr)
    asyncio.run(maintenance.migrate(known.database_url, known.ca_bundle, tell))
    print("the database is up to date")


@app.command("rotate-keys")
def rotate_keys() -> None:
    """Seal everything in the database anew under the newest of ENCRYPTION_KEYS, while the service runs."""
    from rich.console import Console

    from app.cli.progress import showing
    from app.operations import maintenance
    from app.operations.audit import by_command
    from app.settings import env_file
    from app.settings.types import secret_values

    known = env_file.load()
    with showing(Console()) as say:
        keys = secret_values(known.encryption_keys)
        rotation = maintenance.rotate_keys(
            known.database_url, known.ca_bundle, keys, by_command(), lambda at: say(str(at), at.rows, at.of)
        )
        done = asyncio.run(rotation)
    if done is None:
        print("chronobridge: the database's schema is behind; run: chronobridge migrate", file=sys.stderr)
        raise typer.Exit(1)
    print(f"{done.resealed:,} sealed anew")
    print(done.verdict, file=sys.stdout if done.is_complete else sys.stderr)
    raise typer.Exit(0 if done.is_complete else 1)


@app.command()
def serve() -> None:
    """Answer the vendors, the probes and the operator."""
    with finding_no_garbage():
        from app import log
        from app.main import create_app
        from app.settings import env_file
        from app.sync.mappings import file
        from app.web.server import limits_of_this_process, server

    known = env_file.load()
    file.load(known.mapping_file)
    log.configure()
    _say_when_behind(known.database_url, known.ca_bundle)
    for name in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them again once it has stopped: that is a good end
        signal.signal(name, lambda *_: sys.exit(0))
    server(
        create_app(known, has_the_process=True),
        host=known.host,
        port=known.port,
        proxies=known.trusted_proxies,
        is_secure=known.is_secure,
        limits=limits_of_this_process(),
    ).run()


@app.command()
def work(health: Annotated[bool, typer.Option(help="only say whether a worker of this machine lives")] = False) -> None:
    """Apply changes until stopped."""
    from app import log
    from app.settings import env_file

    known = env_file.load()
    if health:  # before anything else is imported: a probe runs every few seconds
        from app.operations.maintenance import worker_lives

        lives, says = asyncio.run(worker_lives(known.database_url, known.ca_bundle))
        print(says)
        raise typer.Exit(0 if lives else 1)
    with finding_no_garbage():
        import uvloop

        from app.sync.mappings import file
        from workers.main import work as work_on

    file.load(known.mapping_file)
    log.configure()
    _say_when_behind(known.database_url, known.ca_bundle)
    uvloop.run(work_on(known))


_DryRun = Annotated[bool, typer.Option("--dry-run", help="only say what would be done; nothing is written")]
_AsJson = Annotated[bool, typer.Option("--json", help="with --dry-run: for a script")]


@app.command("backfill")
def backfill_command(
    kind: Annotated[Kind | None, typer.Option(help="this kind alone")] = None,
    dry_run: _DryRun = False,
    as_json: _AsJson = False,
) -> None:
    """Load all that both sides hold, parents first, also what was there before; it goes on where it stood."""
    _compare(kind, since_ever=True, dry_run=dry_run, as_json=as_json)


@app.command()
def reconcile(dry_run: _DryRun = False, as_json: _AsJson = False) -> None:
    """Have everything looked at that has changed on either side since the last time; the workers apply it."""
    _compare(None, since_ever=False, dry_run=dry_run, as_json=as_json)


def _compare(kind: Kind | None, *, since_ever: bool, dry_run: bool, as_json: bool) -> None:
    from app import log
    from app.cli.dry_run import compare_or_preview
    from app.settings import env_file

    log.configure(logging.ERROR)
    if as_json and not dry_run:
        raise typer.BadParameter("--json goes with --dry-run")
    work = compare_or_preview(env_file.load(), kind, since_ever=since_ever, dry_run=dry_run, as_json=as_json)
    raise typer.Exit(0 if asyncio.run(work) else 1)


@app.command()
def replay(ids: Annotated[list[str], typer.Argument(metavar="ID...", help="ids of stored deliveries")]) -> None:
    """Run stored deliveries again: both sides are looked at, and the workers apply what differs."""
    from app import log
    from app.operations.audit import by_command
    from app.operations.deliveries import ReplayResult
    from app.operations.deliveries import replay as again
    from app.runtime import open_runtime
    from app.settings import env_file

    log.configure(logging.ERROR)

    async def work() -> ReplayResult:
        async with open_runtime(env_file.load()) as runtime:
            return await again(runtime, ids, by_command())

    told = asyncio.run(work())
    print(f"{told.deliveries} of {len(set(ids))} run again, {told.records} records are due by that")
    if told.empty:
        print(f"{told.empty} tell of no record that is synced: there is nothing to run")
    for unknown in told.unknown:
        print(f"{unknown} is no delivery's id: GET /api/v1/deliveries lists them", file=sys.stderr)
    raise typer.Exit(1 if told.unknown else 0)


_Lane = Annotated[str, typer.Argument(metavar="LANE", help="live, retry, confirm, compare, backfill or all")]


@app.command()
def pause(
    lane: _Lane = "all",
    reason: Annotated[str, typer.Option(help="why; shown wherever the lane is")] = "",
) -> None:
    """Pause a lane: its work stays in it, and nothing of it is written."""
    from app import log
    from app.cli import lanes
    from app.settings import env_file

    log.configure(logging.ERROR)
    name = _lane(lane)
    asyncio.run(lanes.pause(env_file.load(), name, reason))
    print(f"paused: {name}")


@app.command()
def resume(
    lane: _Lane = "all",
    *,
    restored: Annotated[
        bool, typer.Option("--restored", help="after a backup was restored: compare, show, and ask first")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="with --restored: do not ask, go on")] = False,
) -> None:
    """Resume a lane, or all of them; after a restored backup only what was looked at is written."""
    from rich.console import Console

    from app import log
    from app.cli import lanes
    from app.settings import env_file

    log.configure(logging.ERROR)
    name, known = _lane(lane), env_file.load()
    if not restored:
        asyncio.run(lanes.resume(known, name))
        print(f"resumed: {name}")
        return

    def is_meant() -> bool:
        return yes or typer.confirm("Is that right, and shall it be written?")

    raise typer.Exit(0 if asyncio.run(lanes.resume_restored(known, Console(), is_meant)) else 1)


def _lane(name: str) -> "LaneName":
    from app.operations.lanes import LaneName

    try:
        return LaneName(name)
    except ValueError:
        raise typer.BadParameter(f"{name} is no lane; there are {', '.join(LaneName)}") from None


@app.command("queue")
def queue_command(as_json: Annotated[bool, typer.Option("--json", help="for a script")] = False) -> None:
    """Say what waits, what failed, which lanes are paused and why, and when it will be caught up."""
    from rich.console import Console

    from app import log
    from app.cli.queue import print_queue
    from app.settings import env_file

    log.configure(logging.ERROR)
    asyncio.run(print_queue(env_file.load(), Console(soft_wrap=as_json), as_json=as_json))


@app.command()
def up() -> None:
    """Run everything on this machine: migrate, one web, one worker, and a Valkey when REDIS_URL is empty."""
    from app.cli import supervise
    from app.settings import env_file
    from app.sync.mappings import file

    known = env_file.load()
    file.load(known.mapping_file)
    migrate()
    env, children = dict(os.environ), []
    if known.redis_url is None:
        port, password = supervise.free_port(), secrets.token_urlsafe(32)
        env["REDIS_URL"] = f"redis://:{password}@127.0.0.1:{port}/0"
        children.append(supervise.valkey(Path("var/valkey"), port, password))
    command = [sys.executable, "-m", "app.cli"]
    children += [supervise.Child(name, [*command, name], env) for name in ("serve", "work")]
    with supervise.supervised(children):
        for child in children:
            child.start()
        print(f"chronobridge answers on http://{known.host}:{known.port} (Ctrl-C stops everything)")
        supervise.watch(children)


@app.command("check")
def check_command(as_json: Annotated[bool, typer.Option("--json", help="for a script")] = False) -> None:
    """Say of each thing whether it is right, and what to do where it is not; exit 1 when anything is red."""
    from rich.console import Console

    from app import log
    from app.cli.check import print_check, print_check_json

    log.configure(logging.ERROR)
    tell = print_check_json if as_json else print_check
    raise typer.Exit(asyncio.run(tell(Console(soft_wrap=True))))


for command in (first_contact.first_contact, harness.demo, harness.verify):
    app.command()(command)


def _say_when_behind(database_url: str, ca_bundle: Path | None) -> None:
    from app.operations import maintenance

    try:
        if asyncio.run(maintenance.is_behind(database_url, ca_bundle)):
            print("chronobridge: the database's schema is behind; run: chronobridge migrate", file=sys.stderr)
    except StoreUnavailable as error:
        print(f"chronobridge: {error}; starting anyway", file=sys.stderr)
