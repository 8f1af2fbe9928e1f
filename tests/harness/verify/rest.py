"""Rest: waits until nothing waits any more, for as long as patience lasts, and listens whether it stays so."""

import time

from tests.harness.cluster import Town
from tests.harness.verify.checks_sides import is_repaired
from tests.harness.verify.observe import Observer
from tests.harness.verify.seen import Call, Poison

_PATIENCE_S, _SILENCE_S = 150.0, 3.0  # a busy Salesforce is left alone for up to 90 s
_LOOK_S, _LOOKS = 0.25, 3  # at which it must be quiet, one after the other: an echo is on its way for a moment


class Rest:
    """Knows when the world is quiet."""

    def __init__(self, here: Town, observer: Observer) -> None:
        self._here, self._observer = here, observer

    def begins(self) -> str:
        """Wait until nothing waits; give what still does when patience ends, else nothing."""
        deadline, in_a_row = time.monotonic() + _PATIENCE_S, 0
        while in_a_row < _LOOKS:
            if time.monotonic() > deadline:
                return self._left()
            in_a_row = in_a_row + 1 if self._here.is_quiet() else 0
            time.sleep(_LOOK_S)
        return ""

    def disturbed(self, *, looks_count: bool) -> tuple[Call, ...]:
        """Listen for a while, and give the calls that were made although nothing was left to do.

        looks_count  whether every call is one; where workers compare by themselves only what changed something is:
                     they look whether anything differs, and try what was refused once more
        """
        silent_since = time.time()
        time.sleep(_SILENCE_S)
        # How a record is synced is told a minute late, by a call of its own.
        calls = [one for one in self._observer.calls(silent_since) if not one.tells_status]
        if looks_count or any(one.changes for one in self._observer.writes(silent_since, calls)):
            return tuple(calls)
        return ()

    def until_told(self) -> None:
        """Wait until no vendor has a notice left that it has not sent once.

        Raises  RuntimeError when patience ends
        """
        self._here.wait_until(self._is_told, "every notice to be acknowledged", _PATIENCE_S)

    def until_compared(self, poison: Poison | None) -> None:
        """Wait until the workers have found what there was to find; what they do not find is for the judge to say."""
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline and not is_repaired(self._observer.world().records(), poison):
            time.sleep(0.5)

    def _is_told(self) -> bool:
        hooks = self._here.drchrono.get("/_control/deliveries").json()
        ours = [self._here.salesforce.get(f"/_control/{door}").json() for door in ("outbound", "events")]
        return not any(told[name] for told in (hooks, *ours) for name in ("waiting", "in_flight"))

    def _left(self) -> str:
        queue, hooks = self._here.queue(), self._here.drchrono.get("/_control/deliveries").json()
        due = f"{queue['depth']} records are due, the oldest for {queue['oldest_due_age_s']:.0f} s"
        return f"after {_PATIENCE_S:.0f} s {due}, and {hooks['waiting'] + hooks['failed_waiting_retry']} hooks wait"
