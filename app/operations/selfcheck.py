"""Self-check: every check in the order a person would go about it, at a terminal or in the background of the web.

Our own part comes first, then each vendor, then what came in.
"""

import asyncio
import secrets
import shlex
import stat
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
from ulid import ULID

from app.errors import StoreUnavailable
from app.metrics.definitions import FORWARDED
from app.operations import backfill, document_checks, vendor_checks
from app.operations.health.model import CheckState, Finding, good, not_yet, red, warn
from app.ports import By
from app.runtime import Runtime
from app.store import counters, key_rotation, links, queue_stats
from app.store.schema import is_behind
from app.sync.model import Side
from app.vendors import http
from app.vendors.drchrono import wire
from app.vendors.drchrono.wire import EVENT_KINDS

SERVICE, EVENTS = "This service", "Events received"
NAMES: Mapping[Side, str] = {Side.DRCHRONO: "DrChrono", Side.SALESFORCE: "Salesforce"}


@dataclass(frozen=True, slots=True)
class SettingsOrigin:
    """What only whoever has read the settings knows of them.

    secret_files  where secrets lie, by what names the file
    near_misses   gives a sentence for each name that is almost that of a setting, when it is asked
    """

    secret_files: Mapping[str, Path] = field(default_factory=dict)
    near_misses: Callable[[], Sequence[str]] = list


_UNKNOWN = SettingsOrigin()


async def check_everything(runtime: Runtime, origin: SettingsOrigin = _UNKNOWN) -> AsyncIterator[Finding]:
    """Look at everything and say how each thing is, as soon as it is known.

    Nothing is changed by it, but that what Salesforce says of its objects is kept for the workers.
    """
    async for part, finding in _everything(runtime, origin):
        yield replace(finding, part=part)


async def _everything(runtime: Runtime, origin: SettingsOrigin) -> AsyncIterator[tuple[str, Finding]]:
    async for finding in _settings(runtime, origin):
        yield SERVICE, finding
    database = await check_database(runtime)
    yield SERVICE, database
    yield SERVICE, await check_redis(runtime)
    is_there = database.state is not CheckState.RED
    try:
        if is_there:
            async for finding in check_keys(runtime):
                yield SERVICE, finding
            async for finding in vendor_checks.check_drchrono(runtime):
                yield NAMES[Side.DRCHRONO], finding
            async for finding in vendor_checks.check_staff_sign_in(runtime):
                yield NAMES[Side.DRCHRONO], finding
        else:
            says = "not looked at: its token is in the database"
            yield NAMES[Side.DRCHRONO], red("drchrono", says, "fix the database first")
        async for finding in vendor_checks.check_salesforce(runtime):
            yield NAMES[Side.SALESFORCE], finding
        if Side.DRCHRONO in runtime.settings.connected:
            yield EVENTS, await check_webhook_address(runtime)
        if is_there:
            yield EVENTS, await check_proxies(runtime)
            if backfill.may_load(runtime):
                yield EVENTS, await check_backfill(runtime)
            async for finding in check_deliveries(runtime):
                yield EVENTS, finding
    except StoreUnavailable:
        yield SERVICE, red("database", "went away while we looked", "check that it runs, its disk and DATABASE_URL")


async def _settings(runtime: Runtime, origin: SettingsOrigin) -> AsyncIterator[Finding]:
    for finding in check_settings(runtime, origin.near_misses()):
        yield finding
    yield check_files(runtime, origin.secret_files)
    async for finding in document_checks.check_documents(runtime):
        yield finding


def check_settings(runtime: Runtime, near_misses: Sequence[str]) -> list[Finding]:
    """Look which settings are there; those that are have the right form, or nothing would have started."""
    unset = [NAMES[side] for side in Side if side not in runtime.settings.connected]
    says = f"what is set has the right form; not set yet: those of {' and '.join(unset)}"
    found = [not_yet("settings", says) if unset else good("settings", "complete, every value of the right form")]
    for sentence in near_misses:
        problem, _, fix = sentence.partition(": ")
        found.append(warn("settings", problem, fix))
    return found


_SAMPLE = 200


_SLOW_S = 10.0


_MOUNTED = Path("/run/secrets")  # in a container, where nobody else is


def check_files(runtime: Runtime, secret_files: Mapping[str, Path]) -> Finding:
    """Look whether other users of this machine may read or write what is secret, or the embedded database."""
    files = dict(secret_files)
    if runtime.database.is_sqlite:
        path = runtime.database.path
        beside = (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm"))
        files |= {f"DATABASE_URL {one.name}": one for one in beside}
    open_to_all = {name: path for name, path in files.items() if _is_open_to_others(path)}
    if not open_to_all:
        return good("files", "what is secret is not for other users of this machine to read")
    paths = " ".join(shlex.quote(str(path)) for path in open_to_all.values())
    return red("files", f"other users may read or write {', '.join(open_to_all)}", f"chmod o= {paths}")


def _is_open_to_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IRWXO) and not path.absolute().is_relative_to(_MOUNTED)
    except OSError:
        return False


async def check_database(runtime: Runtime) -> Finding:
    """Look whether the database answers and has its schema."""
    kind = "SQLite" if runtime.database.is_sqlite else "PostgreSQL"
    try:
        async with asyncio.timeout(_SLOW_S):
            if await is_behind(runtime.database):
                return red("database", f"{kind} answers, but its schema is behind", "run `chronobridge migrate`")
    except (StoreUnavailable, TimeoutError):
        return red("database", f"{kind} cannot be reached", "check that it runs, and DATABASE_URL")
    address = runtime.database.address
    if address is not None and not address.is_verified:
        says = f"{kind} answers and is migrated, but nothing proves that it is yours (sslmode={address.tls})"
        return warn("database", says, "use sslmode=verify-full in DATABASE_URL, with sslrootcert or CA_BUNDLE")
    return good("database", f"{kind} answers and is migrated")


async def check_redis(runtime: Runtime) -> Finding:
    """Look whether the doorbell rings."""
    if runtime.settings.redis_url is None:
        says = "REDIS_URL is empty: `up` starts a Valkey of its own; `serve` and `work` find changes every 2 s"
        return good("redis", says)
    if await runtime.wakeup.is_up():
        return good("redis", "answers")
    return red("redis", "does not answer", "check that it runs, and REDIS_URL; meanwhile changes are found every 2 s")


async def check_keys(runtime: Runtime) -> AsyncIterator[Finding]:
    """Look whether the configured keys open what is stored: the newest and the oldest of every sort."""
    if closed := await key_rotation.unopenable_count(runtime.database, runtime.vault, _SAMPLE):
        fix = (
            "put the key that is missing back, at the end of ENCRYPTION_KEYS; where none is, "
            "`chronobridge rotate-keys` names the rows whose text was moved there or changed"
        )
        yield red("encryption keys", f"{closed} of the stored things looked at cannot be read", fix)
    else:
        yield good("encryption keys", "open what is stored")
    bases = await links.latest_bases(runtime.database, _SAMPLE)
    if foreign := sum(not all(map(runtime.keys.knows, base.stamps.values())) for base in bases):
        says = f"{foreign} of the records looked at were agreed on under a key that HASH_KEYS lacks"
        fix = "put that key back, at the end of HASH_KEYS; without it, fields that differ follow their owner"
        yield red("hash keys", says, fix)
    else:
        yield good("hash keys", "know what both systems agreed on")


async def check_webhook_address(runtime: Runtime) -> Finding:
    """Ask ourselves what DrChrono's verification asks, at the address it would use."""
    name, url = "webhook", f"{runtime.settings.public_url}/webhooks/drchrono"
    given = runtime.webhook_secrets.drchrono
    if not given:
        return red(name, "DRCHRONO_WEBHOOK_SECRETS is not set", "set it, with DrChrono's client id and secret")
    if not runtime.settings.drchrono_answers_verification:
        says = "the verification is switched off by DRCHRONO_ANSWERS_VERIFICATION, so the address was not tried"
        return warn(name, says, "set it to true while the webhook is made or its address changed")
    asked = secrets.token_hex(8)
    try:
        async with http.client(url, http.trusted(runtime.settings.ca_bundle)) as client:
            answer = await client.get(url, params={"msg": asked})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        says = f"{url} cannot be reached from here ({type(error).__name__})"
        return red(name, says, "start `chronobridge serve`; check PUBLIC_URL, its certificate and the proxy before it")
    if not answer.is_success:
        return red(
            name, f"{url} answers {answer.status_code}", "let the proxy pass /webhooks/drchrono on to the service"
        )
    if _secret_of(answer) != wire.verification(asked, given)["secret_token"]:
        fix = "restart the service with these settings, or point PUBLIC_URL at it"
        return red(name, f"{url} answers with another secret than the first of DRCHRONO_WEBHOOK_SECRETS", fix)
    if runtime.is_on_loopback:
        says = f"{url} answers the verification rightly, but no vendor can reach this machine's loopback"
        return warn(name, says, "set PUBLIC_URL to the https address that the vendors will use")
    return good(name, f"{url} answers the verification rightly")


async def check_proxies(runtime: Runtime) -> Finding:
    """Look whether requests came by a proxy that nobody trusts: to us, all behind it have one address.

    Raises  StoreUnavailable
    """
    name, trusted = "proxies", runtime.settings.trusted_proxies
    if trusted:
        return good(name, f"X-Forwarded-For counts from {', '.join(trusted)}")
    if any(saved.startswith(FORWARDED.name) for saved in await counters.everything(runtime.database)):
        says = "requests came with X-Forwarded-For, and TRUSTED_PROXIES is empty: all behind the proxy look like one"
        return warn(name, says, "set TRUSTED_PROXIES to the proxy's address")
    return good(name, "no request came by a proxy")


async def check_backfill(runtime: Runtime) -> Finding:
    """Say what was there before both sides were connected and waits for a person's word; that is no failure.

    Raises  StoreUnavailable
    """
    said = backfill.note(await backfill.states(runtime))
    if said is None:
        return good("initial sync", "what was there before both systems were connected is loaded, or pending")
    return Finding("initial sync", CheckState.OK, *said)


def _secret_of(answer: httpx.Response) -> object:
    try:
        document = answer.json()
    except ValueError:
        return None
    return document.get("secret_token") if isinstance(document, dict) else None


async def check_deliveries(runtime: Runtime) -> AsyncIterator[Finding]:
    """Say when the last delivery of each kind came; one that never came is no failure."""
    latest = await queue_stats.latest_deliveries(runtime.database)
    told = set()
    if runtime.webhook_secrets.drchrono:
        told |= {(Side.DRCHRONO.value, kind.value) for kind in set(EVENT_KINDS.values()) & runtime.mappings.keys()}
    if runtime.webhook_secrets.outbound or runtime.webhook_secrets.events:
        told |= {(Side.SALESFORCE.value, kind.value) for kind, one in runtime.mappings.items() if not one.is_one_way}
    for side, kind in sorted(told | latest.keys()):
        name = f"last delivery: {side} {kind}"
        if (side, kind) not in latest:
            yield not_yet(name, "none yet")
            continue
        at = ULID.from_str(latest[side, kind]).datetime
        yield good(
            name, f"{at.isoformat(sep=' ', timespec='seconds')}, {_ago((datetime.now(UTC) - at).total_seconds())}"
        )


def _ago(seconds: float) -> str:
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {name} ago"
    return f"{max(seconds, 0):.0f} s ago"


_CHECKS = {Side.DRCHRONO: vendor_checks.check_drchrono, Side.SALESFORCE: vendor_checks.check_salesforce}


async def try_out(runtime: Runtime, side: Side) -> list[Finding]:
    """Try a side out, as `chronobridge check` does; nothing is changed by it, and it costs a few calls.

    Raises  StoreUnavailable
    """
    return [finding async for finding in _CHECKS[side](runtime)]


_MOST_S = 120.0


@dataclass(frozen=True, slots=True)
class CheckRun:
    """A check: who began it and when, what it has found, and when it ended; None while it goes on."""

    by: str
    began_at: datetime
    findings: tuple[Finding, ...] = ()
    ended_at: datetime | None = None


class CheckRuns:
    """Checks in the background of a process, one at a time; the last one is there for everybody to read.

    most_s  a check that takes longer is cut off, and says so
    """

    def __init__(self, runtime: Runtime, origin: SettingsOrigin, most_s: float = _MOST_S) -> None:
        self._runtime, self._origin, self._most_s = runtime, origin, most_s
        self._task: asyncio.Task[None] | None = None
        self.latest: CheckRun | None = None

    @property
    def is_running(self) -> bool:
        """Whether one is under way."""
        return self._task is not None and not self._task.done()

    def begin(self, by: By) -> None:
        """Begin a check, unless one is under way."""
        if not self.is_running:
            self.latest = CheckRun(by.name or by.role, datetime.now(UTC))
            self._task = asyncio.create_task(self._run(self.latest), name="check")

    async def end(self) -> None:
        """Return once none is under way any more, however it ended."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def stop(self) -> None:
        """Cut off what is under way."""
        if self._task is not None:
            self._task.cancel()
            await self.end()

    async def _run(self, run: CheckRun) -> None:
        try:
            async with asyncio.timeout(self._most_s):
                async for finding in check_everything(self._runtime, self._origin):
                    self.latest = run = replace(run, findings=(*run.findings, finding))
        except TimeoutError:
            says = f"it did not end in {self._most_s:.0f} s, so the rest is not known"
            late = red("check", says, "see which line comes last, and what it looks at; then check again")
            run = replace(run, findings=(*run.findings, replace(late, part=SERVICE)))
        finally:
            self.latest = replace(run, ended_at=datetime.now(UTC))
