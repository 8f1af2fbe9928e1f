"""Durable acknowledgements: how many a second beside apps that keep nothing, and how soon while a worker applies."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.harness.cluster import Town, town
from tests.load.bench.burst import postgresql
from tests.load.bench.measuring import (
    CONNECTIONS,
    UNPACED,
    Bench,
    CpuMeter,
    Found,
    hooks,
    warm,
)
from tests.load.driver import Measured, percentile, send_all
from tests.load.yardsticks import start

DELIVERIES = 6_000
PER_S, SECONDS = 100, 10
SHARES = (0.5, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
LIMIT_S = 60.0


def acks(bench: Bench) -> Found:
    """Deliveries as fast as 32 connections are answered, on both databases, beside apps that keep nothing."""
    with ExitStack() as stack:
        here = stack.enter_context(_without_worker(bench, "acks", {}))
        of_postgresql = stack.enter_context(_without_worker(bench, "acks-postgresql", postgresql(stack, "acks")))
        beside = {
            "bare_asgi": stack.enter_context(start.bare_asgi(here)),
            "bare_fastapi": stack.enter_context(start.unstored(here, "bare")),
            "same_app": stack.enter_context(start.unstored(here, "same")),
        }

        def measure(n: int) -> Found:
            first = 10_000_000 + n * DELIVERIES
            requests = hooks(here, first, DELIVERIES)
            meter = CpuMeter(here.serve, *beside["bare_asgi"].children)  # each works in its turn alone
            found = {name: _answered(one.port, requests) for name, one in beside.items()}
            found["stored"] = _answered(here.ports["web"], requests)
            used = meter.read()
            found["postgresql"] = _answered(of_postgresql.ports["web"], hooks(of_postgresql, first, DELIVERIES))
            rates = {f"{name}_acks_per_s": one.per_s for name, one in found.items()}
            tails = {f"{name}_acks_p99_ms": one.percentile_ms(0.99) for name, one in found.items()}
            return {
                **rates,
                **tails,
                "acks_web_cpu_s": used["serve"] * 1000 / DELIVERIES,
                "acks_bare_asgi_cpu_s": used["bare-asgi"] * 1000 / DELIVERIES,
                "acks_of_bare_asgi": found["stored"].per_s / found["bare_asgi"].per_s,
                "acks_of_same_app": found["stored"].per_s / found["same_app"].per_s,
                "acks_p99_of_same_app": tails["stored_acks_p99_ms"] / tails["same_app_acks_p99_ms"],
                "acks_postgresql_of_sqlite": found["postgresql"].per_s / found["stored"].per_s,
            }

        return bench.medians(f"{DELIVERIES:,} acknowledgements, without a worker", measure)


def applying(bench: Bench) -> Found:
    """100 new patients a second for 10 s: how soon each is acknowledged while a worker applies, and while none does."""
    every: dict[str, list[float]] = {"applying": [], "alone": []}

    def measured(here: Town, first: int) -> Measured:
        requests = hooks(here, first, PER_S * SECONDS)
        sent = asyncio.run(send_all(here.ports["web"], requests, CONNECTIONS, per_s=float(PER_S)))
        assert sent.statuses == {200: len(requests)}, sent.statuses
        return sent

    with warm(bench, "applying") as here, _without_worker(bench, "alone", {}) as alone:

        def measure(n: int) -> Found:
            first = 30_000_000 + n * PER_S * SECONDS
            sent = measured(here, first)
            here.wait_until(lambda: here.queue()["depth"] == 0, "the queue to be empty", LIMIT_S, every_s=0.25)
            beside = measured(alone, first)
            every["applying"] += sent.latencies_ms
            every["alone"] += beside.latencies_ms
            return {
                "applying_ack_p50_ms": sent.percentile_ms(0.5),
                "applying_ack_p99_ms": sent.percentile_ms(0.99),
                "alone_ack_p50_ms": beside.percentile_ms(0.5),
                "alone_ack_p99_ms": beside.percentile_ms(0.99),
            }

        found = bench.medians("100 deliveries a second while a worker applies them", measure)
    bench.series["applying"] = [[share, *(percentile(all_, share) for all_ in every.values())] for share in SHARES]
    return found


def _answered(port: int, requests: list[bytes]) -> Measured:
    sent = asyncio.run(send_all(port, requests, CONNECTIONS))
    assert sent.statuses == {200: len(requests)}, sent.statuses
    return sent


@contextmanager
def _without_worker(bench: Bench, name: str, settings: dict[str, str]) -> Iterator[Town]:
    """Run a town of which only the web runs."""
    with town(bench.place(name), UNPACED | settings, service=False) as here:
        here.serve.start()
        here.wait_until(here.accepts, "the web to be ready", LIMIT_S)
        yield here
