"""The doorbell: arq on Redis or Valkey. It carries names of kinds, never a value; the database is the memory.

A ring is published, which wakes every worker that listens at once, and becomes a job of arq's, which stays for one that
does not. Every job is its own (arq refuses a job id that is queued, running, or whose result is kept), results are not
kept, and payloads are JSON. A wake-up that Redis does not take is no loss: the poll finds what is due.

A worker that hears what is published looks into the queue no oftener than arq does by itself; one that may not
subscribe, or a process that may not publish, costs nobody a ring: the queue has it.

Source  arq 0.28, worker.py and connections.py; redis-py 5.3, asyncio/client.py
"""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from arq import func
from arq.connections import ArqRedis, RedisSettings
from arq.constants import health_check_key_suffix
from arq.worker import Worker
from redis.asyncio.client import Pipeline, PubSub
from redis.exceptions import RedisError, ResponseError

from app import redis_url
from app.errors import Misconfigured
from app.log import log
from app.redis_url import RedisAddress, read_redis
from app.sync.model import Kind
from app.timings import REAL, Timings

QUEUE = "chronobridge:rings"
RING = "ring"
QUEUE_EVERY_S = 0.5  # as arq does by itself: what is published was heard before
POLL_DELAY_S = 0.01  # where nothing is heard that would be most of an idle delivery's latency
_RING_TIMEOUT_S = 2.0
_FIRST_WAIT_S = 0.5


def _serialize(document: dict[str, Any]) -> bytes:
    return json.dumps(document, default=str).encode()


def _client(address: RedisAddress, kind: type[ArqRedis] = ArqRedis) -> ArqRedis:
    client = address.client(kind)
    client.job_serializer, client.job_deserializer, client.default_queue_name = _serialize, json.loads, QUEUE
    return client


def _channel(address: RedisAddress) -> str:
    """Give where rings are published; channels, unlike keys, are shared by all databases of a server."""
    return f"{QUEUE}:{address.options['db']}"


class _Coalesced:
    """Sends names of kinds in the background: the first at once, and those that come within a wait of it together.

    send  sends them, and gives how many seconds to wait before the next
    """

    def __init__(self, send: Callable[[list[str]], Awaitable[float]]) -> None:
        self._send, self._closing = send, asyncio.Event()
        self._wanted: set[Kind] = set()
        self._task: asyncio.Task[None] | None = None

    def add(self, kinds: Iterable[Kind]) -> None:
        self._wanted |= set(kinds)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Let what is wanted be sent, without a wait."""
        self._closing.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while self._wanted:
            kinds, self._wanted = sorted(kind.value for kind in self._wanted), set()
            wait_s = await self._send(kinds)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._closing.wait()


class Wakeup:
    """The door's end: rings after a commit, in the background, and lives on without Redis."""

    def __init__(self, url: str | None, missed: Callable[[], None], ca_bundle: Path | None = None) -> None:
        address = None if url is None else read_redis(url, ca_bundle)
        self._redis = None if address is None else _client(address)
        self._channel = "" if address is None else _channel(address)
        self._missed, self._is_heard = missed, False
        self._published, self._queued = _Coalesced(self._publish), _Coalesced(self._enqueue)

    def notify(self, kinds: Iterable[Kind]) -> None:
        """Ring for these kinds, without waiting for Redis.

        The first ring goes out at once. Commits that come shortly after it share the next: it is sent after all of
        them, so none loses its wake-up, and a burst pays neither for a message nor for a job per commit.
        """
        if self._redis is not None:
            kinds = set(kinds)
            self._published.add(kinds)
            self._queued.add(kinds)

    async def is_up(self) -> bool:
        """Say whether Redis answers."""
        if self._redis is None:
            return False
        try:
            async with asyncio.timeout(_RING_TIMEOUT_S):
                await self._redis.ping()
        except Exception:  # noqa: BLE001 - whatever it answers, it does not as it should
            return False
        return True

    async def close(self) -> None:
        """Let rings under way end, and the connection go."""
        await self._published.close()
        await self._queued.close()
        if self._redis is not None:
            await redis_url.close(self._redis)

    async def _publish(self, kinds: list[str]) -> float:
        assert self._redis is not None
        self._is_heard = False
        with suppress(Exception):  # the queue has it, whatever has become of the message
            async with asyncio.timeout(_RING_TIMEOUT_S):
                self._is_heard = await self._redis.publish(self._channel, " ".join(kinds)) > 0
        return POLL_DELAY_S

    async def _enqueue(self, kinds: list[str]) -> float:
        assert self._redis is not None
        try:
            async with asyncio.timeout(_RING_TIMEOUT_S):
                await self._redis.enqueue_job(RING, kinds)
        except Exception:  # noqa: BLE001 - the poll finds what is due, whatever has become of the ring
            self._missed()
        return QUEUE_EVERY_S if self._is_heard else POLL_DELAY_S  # workers look no oftener, so more would only cost


def listens() -> str:
    """Give the key under which a worker of this machine says that it listens, as arq's own check reads it."""
    return f"{QUEUE}{health_check_key_suffix}:{socket.gethostname()}"


Hook = Callable[[dict[Any, Any]], Awaitable[None]]


class _OptionalRedis(ArqRedis):
    """What arq's command line starts and ends with: it does both where Redis is away, too.

    Source  arq 0.28, worker.py: `Worker.main` logs what Redis says of itself, `Worker.close` deletes the check's key
    """

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Give a pipeline; one that only asks finds every answer empty where there is none."""
        if transaction:
            return super().pipeline(transaction, shard_hint)
        return _OptionalAnswers(self.connection_pool, self.response_callbacks, transaction, shard_hint)

    async def delete(self, *names: Any) -> Any:
        """Delete keys, where Redis answers; the key of the check ends by itself."""
        try:
            async with asyncio.timeout(_RING_TIMEOUT_S):
                return await super().delete(*names)
        except (RedisError, OSError, TimeoutError):
            return 0


class _OptionalAnswers(Pipeline):
    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        asked = len(self)
        try:
            async with asyncio.timeout(_RING_TIMEOUT_S):
                return await super().execute(raise_on_error)
        except (RedisError, OSError, TimeoutError):
            return [{}] * asked


def worker_settings(
    url: str | None,
    notify: Callable[[Iterable[str]], None],
    begin: Hook,
    end: Hook,
    timings: Timings = REAL,
    ca_bundle: Path | None = None,
) -> dict[str, Any]:
    """Give what arq's own command line needs, to check the workers of this machine and to be one.

    notify      hears which kinds a ring names
    begin, end  what there is to do before arq looks into its queue, and at last
    Raises      Misconfigured without a Redis
    """
    if url is None:
        raise Misconfigured("REDIS_URL is empty, so arq has no queue: use `chronobridge work`, and `work --health`")
    address = read_redis(url, ca_bundle)
    return {
        **_options(notify, timings),
        "redis_settings": _arq_settings(address),  # for its check, which gives up at once
        "redis_pool": _client(address, _OptionalRedis),
        "on_startup": begin,
        "on_shutdown": end,
    }


def _arq_settings(address: RedisAddress) -> RedisSettings:
    """Give an address as arq's own check reads it; it knows nothing of sentinels that ask for a password."""
    said = address.options
    tls = {name: value for name, value in said.items() if name.startswith("ssl_")}
    where: dict[str, Any] = {"unix_socket_path": said.get("path")}
    if address.service:
        where = {"host": list(address.hosts), "sentinel": True, "sentinel_master": address.service}
    elif address.hosts:
        where = dict(zip(("host", "port"), address.hosts[0], strict=True))
    user, password = said.get("username"), said.get("password")
    return RedisSettings(
        **where, **tls, username=user, password=password, database=said["db"], ssl=address.is_tls, conn_retries=0
    )


async def listen(
    url: str, notify: Callable[[Iterable[str]], None], timings: Timings = REAL, ca_bundle: Path | None = None
) -> NoReturn:
    """Pass on wake-ups for ever; while Redis is away it is tried again, after a wait that grows.

    What lies in the queue and cannot be read would end every listener there is, one after the other. So the queue is
    emptied then: whatever it said, all kinds are looked at instead.

    Raises  whatever such a thing has raised, once it is gone
    """
    wait = _FIRST_WAIT_S
    while True:
        address, started = read_redis(url, ca_bundle), asyncio.get_running_loop().time()
        redis, published = _client(address), _client(address)
        try:
            async with published.pubsub() as subscription:
                is_heard = await _subscribe(subscription, published, _channel(address))
                worker = listener(redis, notify, timings, QUEUE_EVERY_S if is_heard else POLL_DELAY_S)
                await _run_both(worker, _hear(subscription, notify, timings) if is_heard else None)
        except (RedisError, OSError, TimeoutError) as error:
            if isinstance(error, ResponseError):  # the queue may be something that is no queue
                await _empty(redis, notify)
            log.warning("redis.away", error=type(error).__name__, retry_in_s=wait, advice="the poll works meanwhile")
        except Exception:
            await _empty(redis, notify)
            raise
        finally:
            await redis_url.close(redis, published)
        if asyncio.get_running_loop().time() - started > timings.redis_wait_s:
            wait = _FIRST_WAIT_S
        await asyncio.sleep(wait)
        wait = min(wait * 2, timings.redis_wait_s)


async def _run_both(worker: Worker, hearing: Coroutine[Any, Any, NoReturn] | None) -> None:
    """Look into the queue and hear what is published, until one of both fails; then neither is done any more."""
    parts = [asyncio.create_task(one) for one in (worker.main(), hearing) if one is not None]
    try:
        ended, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        for one in ended:
            one.result()
    finally:
        for one in parts:
            one.cancel()
        with suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(_RING_TIMEOUT_S):  # of jobs that wait for nothing but Redis
                await asyncio.gather(*parts, *worker.tasks.values(), return_exceptions=True)


async def _subscribe(subscription: PubSub, redis: ArqRedis, channel: str) -> bool:
    """Subscribe to rings, and say whether that works; not where we may not subscribe or publish.

    Raises  RedisError, OSError, TimeoutError where Redis is away
    """
    async with asyncio.timeout(_RING_TIMEOUT_S):
        try:
            await subscription.subscribe(channel)
            await subscription.get_message(timeout=None)  # that we are subscribed
            await redis.publish(channel, "")
        except ResponseError:
            return False
    return True


async def _hear(subscription: PubSub, notify: Callable[[Iterable[str]], None], timings: Timings) -> NoReturn:
    """Pass on the kinds that are published, for ever; other words are none of ours.

    Raises  TimeoutError where Redis does not answer any more
    """
    is_asked, known = False, {kind.value for kind in Kind}
    while True:
        message = await subscription.get_message(timeout=timings.listens_s)
        if message is not None and message["type"] == "message":
            notify(known.intersection(message["data"].decode(errors="replace").split()))
        elif message is None:  # it has been quiet: a line that was cut is as quiet
            if is_asked:
                raise TimeoutError
            await subscription.ping()
        is_asked = message is None


async def _empty(redis: ArqRedis, notify: Callable[[Iterable[str]], None]) -> None:
    with suppress(RedisError, OSError, TimeoutError):
        async with asyncio.timeout(_RING_TIMEOUT_S):
            await redis.delete(QUEUE)
    notify(kind.value for kind in Kind)


def listener(
    redis: ArqRedis,
    notify: Callable[[Iterable[str]], None],
    timings: Timings = REAL,
    poll_delay_s: float = POLL_DELAY_S,
) -> Worker:
    """Give the worker's end: an arq worker whose only job passes the kinds on and ends at once.

    So nothing long ever runs in arq, and a killed worker leaves no job behind that would sleep for its timeout.
    """
    options = _options(notify, timings) | {"poll_delay": poll_delay_s}
    return Worker(redis_pool=redis, handle_signals=False, **options)


def _options(notify: Callable[[Iterable[str]], None], timings: Timings) -> dict[str, Any]:
    """Give what makes a worker of arq's one of ours, whoever starts it."""

    async def job(ctx: dict[Any, Any], kinds: list[str]) -> None:  # noqa: ARG001 - arq passes it by name
        notify(kinds)

    return {
        "functions": [func(job, name=RING, keep_result=0, timeout=5, max_tries=3)],
        "queue_name": QUEUE,
        "poll_delay": POLL_DELAY_S,
        "keep_result": 0,
        "log_results": False,
        "max_jobs": 50,
        "health_check_key": listens(),
        "health_check_interval": timings.listens_s,
        "job_serializer": _serialize,
        "job_deserializer": json.loads,
    }
