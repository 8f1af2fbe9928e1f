"""Bulk lists under way: what was asked for, how often it was looked at, and when it is forgotten."""

import time
import uuid
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Job:
    """One page of a bulk list, as it was when it was asked for."""

    kind: str
    user: str
    complete: dict[str, Any]  # the answer, once it is ready
    begun_at: float  # monotonic, as the next
    dies_at: float
    polls: int = 0
    failed: bool = False

    def is_made(self, polls: int, makes_s: float) -> bool:
        """Says whether it is there: it was looked for often enough, and asked for long enough ago."""
        return self.polls > polls and time.monotonic() >= self.begun_at + makes_s


class Jobs:
    """Every job that still lives, by its uuid."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def begin(self, kind: str, user: str, complete: dict[str, Any], life_s: float) -> str:
        now = time.monotonic()
        self._jobs = {name: job for name, job in self._jobs.items() if job.dies_at > now}
        name = str(uuid.uuid4())
        self._jobs[name] = Job(kind, user, complete, now, now + life_s)
        return name

    def look(self, name: str, kind: str, user: str) -> Job | None:
        """Counts a look; gives None when there is no such job of this user, or no longer."""
        job = self._jobs.get(name)
        if job is None or (job.kind, job.user) != (kind, user) or job.dies_at <= time.monotonic():
            return None
        job.polls += 1
        return job
