"""Every command of `chronobridge`: one function each, no rules of its own.

What a command needs is imported when it runs: the others, `--help` and completion start without it.
"""

import asyncio
import logging
import os
import secrets
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import audit, connect, failures, first_contact, harness, lanes, mapping, notify, queue, salesforce
from app.cli.help import Commands, Heading, Shell, print_completion, print_version
from app.errors import SchemaBehind
from app.sync.model import Kind

if TYPE_CHECKING:
    from app.settings.fields import Settings

app = Commands("Keeps patients and appointments the same in DrChrono and Salesforce.")
_SHORTEST_SECRET = 32  # of an account, as the settings take it


@app.callback()
def _every_command(
    version: Annotated[
        bool,
        typer.Option("--version", help="say which version this is", metavar="", is_eager=True, callback=print_version),
    ] = False,
) -> None:
    """Keeps patients and appointments the same in DrChrono and Salesforce."""


@app.command("init", heading=Heading.SET_UP, examples=("init", "init --public-url https://sync.example.com"))
def init_command(
    public_url: Annotated[
        str, typer.Option(help="the https address at which the vendors will reach this service", metavar="URL")
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


@app.command("hash-secret", heading=Heading.SET_UP, examples=("hash-secret", "hash-secret < secret.txt"))
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


@app.command(heading=Heading.RUN, examples=("migrate",))
def migrate() -> None:
    """Bring the database's schema up to date."""
    from app.operations import maintenance
    from app.settings import env_file

    known = env_file.load()
    tell = partial(print, "chronobridge:", file=sys.stderr)
    asyncio.run(maintenance.migrate(known.database_url, known.ca_bundle, tell))
    print("the database is up to date")


@app.command("rotate-keys", heading=Heading.KEEP, examples=("rotate-keys",))
def rotate_keys() -> None:
    """Encrypt everything in the database again under the newest of ENCRYPTION_KEYS, while the service runs."""
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
        raise SchemaBehind
    print(f"{done.resealed:,} re-encrypted")
    print(done.verdict, file=sys.stdout if done.is_complete else sys.stderr)
    raise typer.Exit(0 if done.is_complete else 1)


@app.command(heading=Heading.RUN, examples=("serve",))
def serve() -> None:
    """Answer the vendors, the probes and the operator."""
    from app.cli import service

    service.serve()


@app.command(heading=Heading.RUN, examples=("work", "work --health"))
def work(
    health: Annotated[bool, typer.Option("--health", help="only say whether a worker of this machine lives")] = False,
) -> None:
    """Apply changes until stopped."""
    if not health:
        from app.cli import service

        service.work()
        return
    from app.operations.maintenance import worker_lives
    from app.settings import env_file

    known = env_file.load()
    lives, says = asyncio.run(worker_lives(known.database_url, known.ca_bundle))
    print(says)
    raise typer.Exit(0 if lives else 1)


_DryRun = Annotated[bool, typer.Option("--dry-run", help="only say what would be done; nothing is written")]
_AsJson = Annotated[bool, typer.Option("--json", help="with --dry-run: for a script")]


@app.command(
    "backfill",
    heading=Heading.ACT,
    examples=("backfill --dry-run", "backfill", "backfill --kind appointment", "backfill --dry-run --json"),
)
def backfill_command(
    kind: Annotated[Kind | None, typer.Option(help="this kind alone")] = None,
    dry_run: _DryRun = False,
    as_json: _AsJson = False,
) -> None:
    """Run the initial sync: load all that both systems hold, also from before; it resumes where it stopped."""
    _compare(kind, since_ever=True, dry_run=dry_run, as_json=as_json)


@app.command(heading=Heading.ACT, examples=("reconcile --dry-run", "reconcile"))
def reconcile(dry_run: _DryRun = False, as_json: _AsJson = False) -> None:
    """Compare what changed in either system since the last reconciliation; the workers apply what differs."""
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


@app.command(heading=Heading.ACT, examples=("replay 01JD8Q3V7N5B2X4C6E8G0H2K4M",))
def replay(ids: Annotated[list[str], typer.Argument(metavar="ID...", help="ids of stored deliveries")]) -> None:
    """Replay stored deliveries: both systems are read, and the workers apply what differs."""
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
    print(f"{told.deliveries} of {len(set(ids))} replayed, {told.records} records are pending by that")
    if told.empty:
        print(f"{told.empty} are about no record that is synced: there is nothing to replay")
    for unknown in told.unknown:
        print(f"{unknown} is no delivery's id: GET /api/v1/deliveries lists them", file=sys.stderr)
    raise typer.Exit(1 if told.unknown else 0)


@app.command(heading=Heading.RUN, examples=("up",))
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
        for line in _welcome(known):
            print(line)
        supervise.watch(children)


def _welcome(known: "Settings") -> list[str]:
    """Say where the console is, how one signs in there, and how everything ends."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(known.host, known.host)  # noqa: S104 - compared, not bound
    ways = ["OPERATOR_TOKEN", *(["a secret of OPERATORS"] if known.operators else [])]
    ways += ["your identity provider"] if known.oidc_issuer else []
    ways += ["your DrChrono account"] if known.drchrono_sign_in_client_id else []
    return [
        f"The console is at http://{host}:{known.port}/ (for others: {known.public_url}/).",
        f"Sign in there with {' or '.join(ways)}; `.env` or the environment holds it.",
        "Ctrl-C stops everything.",
    ]


@app.command("check", heading=Heading.SET_UP, examples=("check", "check --json"))
def check_command(as_json: Annotated[bool, typer.Option("--json", help="for a script")] = False) -> None:
    """Say of each thing whether it is right, and what to do where it is not; exit 1 when anything is red."""
    from rich.console import Console

    from app import log
    from app.cli.check import print_check, print_check_json

    log.configure(logging.ERROR)
    tell = print_check_json if as_json else print_check
    raise typer.Exit(asyncio.run(tell(Console(soft_wrap=True))))


@app.command(
    heading=Heading.SET_UP,
    examples=(
        "completion bash >> ~/.bashrc",
        "completion zsh > ~/.zfunc/_chronobridge",
        "completion fish > ~/.config/fish/completions/chronobridge.fish",
    ),
)
def completion(shell: Annotated[Shell, typer.Argument(help="the shell that you use", metavar="SHELL")]) -> None:
    """Print the script that has your shell complete commands, options and their values."""
    print_completion(shell)


for _name, _group in (("connect", connect.commands), ("disconnect", connect.disconnect_commands)):
    app.add_typer(_group, name=_name, rich_help_panel=Heading.SET_UP)
for _part in (mapping, salesforce, notify):
    app.add_typer(_part.commands, name=_part.__name__.rpartition(".")[2], rich_help_panel=Heading.SET_UP)
app.add_typer(audit.commands, name="audit", rich_help_panel=Heading.KEEP)
for _part in (queue, failures, lanes, first_contact, harness):
    app.add_typer(_part.commands)
