"""A load driver as cheap as it can be: HTTP/1.1 over kept-alive connections, one request at a time on each."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run of requests showed: how long it took, each answer's latency, and the statuses that came."""

    elapsed_s: float
    latencies_ms: list[float]
    statuses: dict[int, int]

    @property
    def per_s(self) -> float:
        return len(self.latencies_ms) / self.elapsed_s

    def percentile_ms(self, share: float) -> float:
        return percentile(self.latencies_ms, share)


def percentile(values: Iterable[float], share: float) -> float:
    """Give the value that such a share of all is no higher than."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def webhook(secret: str, patient: dict, *, event: str = "PATIENT_MODIFY", delivery: str = "1") -> bytes:
    """The bytes of one delivery as DrChrono sends it."""
    body = json.dumps({"receiver": {"id": 940001, "active": True}, "object": patient}).encode()
    head = (
        f"POST /webhooks/drchrono HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"X-drchrono-event: {event}\r\nX-drchrono-signature: {secret}\r\nX-drchrono-delivery: {delivery}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Run:
    """The requests that are left, each with the moment it is due at; and what the answers showed."""

    def __init__(self, requests: Iterable[bytes], per_s: float | None) -> None:
        self.began = time.perf_counter()
        every_s = 1 / per_s if per_s else 0.0
        self._left = deque((self.began + n * every_s, request) for n, request in enumerate(requests))
        self._is_paced = per_s is not None
        self.latencies_ms: list[float] = []
        self.statuses: dict[int, int] = {}

    async def work_off(self, port: int) -> None:
        """Send what is left, one after the other over a connection of its own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while self._left:
                due, request = self._left.popleft()
                wait_s = due - time.perf_counter()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                # one that found every connection busy has waited since it was due
                started = due if self._is_paced and wait_s < 0 else time.perf_counter()
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                if length:
                    await reader.readexactly(length)
                self.latencies_ms.append((time.perf_counter() - started) * 1000)
                status = int(head[9:12])
                self.statuses[status] = self.statuses.get(status, 0) + 1
        finally:
            writer.close()
            await writer.wait_closed()


async def send_all(port: int, requests: Iterable[bytes], connections: int, *, per_s: float | None = None) -> Measured:
    """Send all requests over so many connections, and give what was measured.

    per_s  the pace, whether or not earlier ones are answered; None: each connection as fast as it is answered
    """
    run = _Run(requests, per_s)
    await asyncio.gather(*(run.work_off(port) for _ in range(connections)))
    return Measured(time.perf_counter() - run.began, run.latencies_ms, run.statuses)
