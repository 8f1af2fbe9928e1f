"""Self-check: every check in the order a person would go about it.

Our own part comes first, then each vendor, then what came in.
"""

import asyncio
import secrets
import shlex
import stat
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import httpx
from ulid import ULID

from app.errors import StoreUnavailable
from app.metrics.definitions import FORWARDED
from app.operations import backfill, vendor_checks
from app.operations.health.model import CheckState, Finding, good, red, warn
from app.runtime import Runtime
from app.store import counters, key_rotation, links, queue_stats
from app.store.schema import is_behind
from app.sync.model import Side
from app.vendors import http
from app.vendors.drchrono import wire
from app.vendors.drchrono.wire import EVENT_KINDS


async def check_everything(
    runtime: Runtime, secret_files: Mapping[str, Path] = MappingProxyType({})
) -> AsyncIterator[Finding]:
    """Look at everything and say how each thing is, as soon as it is known.

    Nothing is changed by it, but that what Salesforce says of its objects is kept for the workers.

    secret_files  where secrets of the settings lie, by what names the file
    """
    yield good("settings", "complete, every value of the right form")
    yield check_files(runtime, secret_files)
    database = await check_database(runtime)
    yield database
    yield await check_redis(runtime)
    if database.state is not CheckState.RED:
        parts = [check_keys, vendor_checks.check_drchrono, vendor_checks.check_salesforce]
    else:
        yield red("drchrono", "not looked at: its token is in the database", "mend the database first")
        parts = [vendor_checks.check_salesforce]
    try:
        for part in parts:
            async for finding in part(runtime):
                yield finding
        yield await check_webhook_address(runtime)
        if database.state is not CheckState.RED:
            yield await check_proxies(runtime)
            if backfill.may_load(runtime):
                yield await check_backfill(runtime)
            async for finding in check_deliveries(runtime):
                yield finding
    except StoreUnavailable:
        yield red("database", "went away while we looked", "check that it runs, its disk and DATABASE_URL")


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
        yield good("hash keys", "know what both sides agreed on")


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
        return good("first load", "what was there before both sides were connected is loaded, or on its way")
    return Finding("first load", CheckState.OK, *said)


def _secret_of(answer: httpx.Response) -> object:
    try:
        document = answer.json()
    except ValueError:
        return None
    return document.get("secret_token") if isinstance(document, dict) else None


async def check_deliveries(runtime: Runtime) -> AsyncIterator[Finding]:
    """Say when the last delivery of each kind came; one that never came is no failure."""
    latest = await queue_stats.latest_deliveries(runtime.database)
    told = {(Side.DRCHRONO.value, kind.value) for kind in set(EVENT_KINDS.values()) & runtime.mappings.keys()}
    if runtime.webhook_secrets.outbound or runtime.webhook_secrets.events:
        told |= {(Side.SALESFORCE.value, kind.value) for kind in runtime.mappings}
    for side, kind in sorted(told | latest.keys()):
        name = f"last delivery: {side} {kind}"
        if (side, kind) not in latest:
            yield good(name, "none yet")
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
