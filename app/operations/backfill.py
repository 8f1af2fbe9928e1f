"""Backfill: how far the workers have come with what a comparison marked, for the command that follows it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from app.runtime import Runtime
from app.store import counters, heartbeats, links, queue_stats
from app.sync.model import Kind, Lane

LeftOfComparison = queue_stats.LeftOfComparison


async def left_of(runtime: Runtime, lane: Lane, kinds: Sequence[Kind]) -> LeftOfComparison:
    """Give what is due of these kinds in a lane, now or later, and why the lane is paused.

    Raises  StoreUnavailable
    """
    return await queue_stats.left_of_comparison(runtime.database, lane, kinds)


async def has_workers(runtime: Runtime) -> bool:
    """Say whether a worker was heard of lately, on this machine or another.

    Raises  StoreUnavailable
    """
    return bool(await heartbeats.alive(runtime.database))


async def linked_count(runtime: Runtime, kind: Kind) -> int:
    """Give how many records of a kind are linked.

    Raises  StoreUnavailable
    """
    return await links.linked(runtime.database, kind)


async def counted(runtime: Runtime) -> Mapping[str, int]:
    """Give what was counted since ever, by name; what a run came to is the difference of two such counts.

    Raises  StoreUnavailable
    """
    return await counters.read(runtime.database)


async def left_to_people(runtime: Runtime, kind: Kind, since: datetime) -> Sequence[queue_stats.LeftToPeople]:
    """Give the failures of a kind since a moment by cause, the largest group first.

    Raises  StoreUnavailable
    """
    return await queue_stats.left_to_people(runtime.database, kind, since)
