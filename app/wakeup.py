"""The doorbell: arq on Redis or Valkey. It carries names of kinds, never a value; the database is the memory.

Every ring is a job of its own (arq refuses a job id that is queued, running, or whose result is kept), results are not
kept, and payloads are JSON. A wake-up that Redis does not take is no loss: the poll finds what is due.

Source  arq 0.28, worker.py and connections.py
"""

import asyncio
import json
import socket
from collections.abc import Callable, Iterable
from typing import Any

from arq import create_pool, func
from arq.connections import ArqRedis, RedisSettings
from arq.constants import health_check_key_suffix
from arq.worker import Worker
from redis.exceptions import RedisError

from app.errors import Misconfigured
from app.sync.model import Kind
from app.timings import REAL, Timings

QUEUE = "chronobridge:rings"
RING = "ring"
POLL_DELAY_S = 0.01  # arq's own default of 0.5 s would be most of an idle delivery's latency
_RING_TIMEOUT_S = 2.0


def _serialize(document: dict[str, Any]) -> bytes:
    return json.dumps(document, default=str).encode()


def _settings(url: str) -> RedisSettings:
    settings = RedisSettings.from_dsn(url)
    settings.conn_timeout, settings.conn_retries = 1, 0
    return settings


class Wakeup:
    """The door's end: rings after a commit, in the background, and lives on without Redis."""

    def __init__(self, url: str | None, missed: Callable[[], None]) -> None:
        self._url, self._missed = url, missed
        self._pool: ArqRedis | None = None
        self._wanted: set[Kind] = set()
        self._task: asyncio.Task[None] | None = None

    def notify(self, kinds: Iterable[Kind]) -> None:
        """Ring for these kinds, without waiting for Redis.

        The first ring goes out at once. Commits that come within the worker's poll delay of a ring share the next: it
        is sent after all of them, so none loses its wake-up, and a burst does not pay for a job per commit.
        """
        self._wanted |= set(kinds)
        if self._url is not None and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._ring())

    async def is_up(self) -> bool:
        """Say whether Redis answers."""
        if self._url is None:
            return False
        try:
            async with asyncio.timeout(_RING_TIMEOUT_S):
                await (await self._connected()).ping()
        except (RedisError, OSError, TimeoutError):
            return False
        return True

    async def close(self) -> None:
        """Let rings under way end, and the connection go."""
        if self._task is not None:
            await self._task
        if self._pool is not None:
            await self._pool.aclose()

    async def _ring(self) -> None:
        while self._wanted:
            kinds, self._wanted = sorted(kind.value for kind in self._wanted), set()
            try:
                async with asyncio.timeout(_RING_TIMEOUT_S):
                    await (await self._connected()).enqueue_job(RING, kinds)
            except (RedisError, OSError, TimeoutError):
                self._missed()
            await asyncio.sleep(POLL_DELAY_S)  # the worker looks no oftener, so more rings would only cost it time

    async def _connected(self) -> ArqRedis:
        if self._pool is None:
            assert self._url is not None
            self._pool = await create_pool(
                _settings(self._url), default_queue_name=QUEUE, job_serializer=_serialize, job_deserializer=json.loads
            )
        return self._pool


def listens() -> str:
    """Give the key under which a worker of this machine says that it listens, as arq's own check reads it."""
    return f"{QUEUE}{health_check_key_suffix}:{socket.gethostname()}"


def checked(url: str | None) -> dict[str, Any]:
    """Give what arq's own check needs to know of the workers of this machine; it starts none.

    Raises  Misconfigured without a Redis
    """
    if url is None:
        raise Misconfigured("REDIS_URL is empty, so no worker listens: use `chronobridge work --health`")
    return {"redis_settings": _settings(url), "queue_name": QUEUE, "health_check_key": listens(), "functions": []}


def listener(url: str, notify: Callable[[list[str]], None], timings: Timings = REAL) -> Worker:
    """Give the worker's end: an arq worker whose only job passes the kinds on and ends at once.

    So nothing long ever runs in arq, and a killed worker leaves no job behind that would sleep for its timeout.
    """

    async def job(ctx: dict[Any, Any], kinds: list[str]) -> None:  # noqa: ARG001 - arq passes it by name
        notify(kinds)

    return Worker(
        [func(job, name=RING, keep_result=0, timeout=5, max_tries=3)],
        queue_name=QUEUE,
        redis_settings=_settings(url),
        handle_signals=False,
        poll_delay=POLL_DELAY_S,
        keep_result=0,
        log_results=False,
        max_jobs=50,
        health_check_key=listens(),
        health_check_interval=timings.listens_s,
        job_serializer=_serialize,
        job_deserializer=json.loads,
    )
