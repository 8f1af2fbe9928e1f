"""A load driver as cheap as it can be: HTTP/1.1 over kept-alive connections, one request at a time on each."""

import asyncio
import json
import time
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
        ordered = sorted(self.latencies_ms)
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


async def _send(port: int, requests: "asyncio.Queue[bytes]", latencies: list[float], statuses: dict[int, int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while not requests.empty():
            request = requests.get_nowait()
            started = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            if length:
                await reader.readexactly(length)
            latencies.append((time.perf_counter() - started) * 1000)
            status = int(head[9:12])
            statuses[status] = statuses.get(status, 0) + 1
    finally:
        writer.close()
        await writer.wait_closed()


async def send_all(port: int, requests: Iterable[bytes], connections: int) -> Measured:
    """Send all requests over so many connections, and give what was measured."""
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    for request in requests:
        queue.put_nowait(request)
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    started = time.perf_counter()
    await asyncio.gather(*(_send(port, queue, latencies, statuses) for _ in range(connections)))
    return Measured(time.perf_counter() - started, latencies, statuses)
