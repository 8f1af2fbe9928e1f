"""Bisection: one bad record hurts one record. A step that fails is narrowed to the record that it fails for.

A step that takes record by record is guarded record by record (`one_by_one`, `side_by_side`); one that takes them all
at once is halved until what it fails for stands alone (`halved`). The record's neighbors go on in the same pass. Only
what may be a record's own fault is narrowed: an error that nobody foresaw, and a value that the database does not take.
A vendor or a database that is away, and a lease that was lost, are everybody's and go through.

What every one of several records fails of, at the same place, is no record's fault but a mistake of ours or a broken
mapping: they fail as a batch, and spend no attempt. Of a record alone that cannot be told, so its attempts lie half a
minute and more apart. Records are known by the ids of their links.
"""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping
from pathlib import PurePath
from typing import TypeVar

from app.errors import BatchFailed, StoreUnavailable, SyncError, Unexpected, ValueRefused
from app.log import log

T = TypeVar("T")
R = TypeVar("R")

_SEVERAL = 3  # of fewer it may be chance that all of them fail of the same


def one_by_one(records: Mapping[str, T], step: Callable[[T], R]) -> dict[str, R | SyncError]:
    """Give what a step gives of each record, or why it fails for that one."""
    found: dict[str, R | SyncError] = {}
    for link_id, record in records.items():
        try:
            found[link_id] = step(record)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this record's alone
            found[link_id] = _blamed(error)
    return _judged(found)


async def side_by_side(records: Mapping[str, T], step: Callable[[T], Awaitable[R]]) -> dict[str, R | SyncError]:
    """Give what a step gives of each record, all of them under way together, or why it fails for that one.

    Raises  StoreUnavailable
    """

    async def guarded(record: T) -> R | SyncError:
        try:
            return await step(record)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this record's alone
            return _blamed(error)

    answers = await asyncio.gather(*(guarded(record) for record in records.values()))
    return _judged(dict(zip(records, answers, strict=True)))


async def halved(
    records: Mapping[str, T],
    step: Callable[[Mapping[str, T]], Awaitable[Mapping[str, R]]],
    narrowed: tuple[type[SyncError], ...] = (ValueRefused,),
) -> dict[str, R | SyncError]:
    """Give what a step gives of many records at once, or, of those that it fails for when alone, why.

    step      gives link id -> what came of it; it must leave nothing behind where it fails
    narrowed  the errors of ours that may be a record's fault, beside those that nobody foresaw

    Raises  any other SyncError
    """
    return _judged(await _halved(records, step, narrowed))


async def _halved(
    records: Mapping[str, T],
    step: Callable[[Mapping[str, T]], Awaitable[Mapping[str, R]]],
    narrowed: tuple[type[SyncError], ...],
) -> dict[str, R | SyncError]:
    if not records:
        return {}
    try:
        return {**await step(records)}
    except Exception as error:
        if not may_be_a_records(error, narrowed):
            raise
        if len(records) == 1:
            return dict.fromkeys(records, error if isinstance(error, SyncError) else _blamed(error))
    ids = list(records)
    half = len(ids) // 2
    found: dict[str, R | SyncError] = {}
    for part in (ids[:half], ids[half:]):
        found |= await _halved({link_id: records[link_id] for link_id in part}, step, narrowed)
    return found


def may_be_a_records(error: Exception, narrowed: tuple[type[SyncError], ...] = (ValueRefused,)) -> bool:
    """Say whether an error may be a record's fault: one of these, or one that nobody foresaw."""
    return isinstance(error, narrowed) or not isinstance(error, SyncError)


def _blamed(error: Exception) -> SyncError:
    """Give the error that a record fails of.

    Raises  StoreUnavailable: a database that is away is nobody's fault
    """
    if isinstance(error, SyncError):
        if isinstance(error, StoreUnavailable) and not isinstance(error, ValueRefused):
            raise error
        return error
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    unexpected = Unexpected(f"{type(error).__name__} {where}")
    unexpected.__cause__ = error
    return unexpected


def _judged(found: dict[str, R | SyncError]) -> dict[str, R | SyncError]:
    """Tell a record's fault from everybody's, and log what nobody foresaw: class and frames, never what it says."""
    blamed = {link_id: one for link_id, one in found.items() if isinstance(one, Unexpected | ValueRefused)}
    if len(found) >= _SEVERAL and len(blamed) == len(found) and len({str(one) for one in blamed.values()}) == 1:
        error = next(iter(blamed.values()))
        log.error("batch.failed", records=len(found), exc_info=error.__cause__ or error)
        return dict.fromkeys(found, BatchFailed(str(error)))
    for link_id, error in blamed.items():
        log.error("record.unexpected", link_id=link_id, exc_info=error.__cause__ or error)
    return found
