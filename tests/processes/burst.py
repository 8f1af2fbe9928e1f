"""A burst of new patients at real processes, sent as a patient vendor would, and what must have come of it."""

import asyncio
import contextlib
import threading
from itertools import pairwise

from tests.harness.demo.report import compared
from tests.load.driver import webhook

BURST = 250
PATIENCE_S = 120


class Sender(threading.Thread):
    """Sends every delivery until it is acknowledged, as a patient vendor would; counts the acknowledgements."""

    def __init__(self, port, requests, ids):
        super().__init__(daemon=True)
        self.port, self.waiting, self.acknowledged, self.ids = port, list(reversed(requests)), 0, ids
        self.refused = []

    def parted(self, *shares):
        """Give senders in its place, of what comes before each of these shares of a burst, and of the rest."""
        hooks = self.waiting[::-1]
        cuts = [0, *(int(BURST * share) for share in shares), len(hooks)]
        return [Sender(self.port, hooks[first:last], self.ids) for first, last in pairwise(cuts)]

    def run(self):
        asyncio.run(self._all())

    async def _all(self):
        await asyncio.gather(*(self._send() for _ in range(16)))

    async def _send(self):
        while self.waiting:
            request = self.waiting.pop()
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                self.waiting.append(request)
                await asyncio.sleep(0.05)
                continue
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while request is not None:
                    writer.write(request)
                    status = int((await reader.readuntil(b"\r\n\r\n"))[9:12])
                    if status != 200:
                        self.refused.append(status)
                        break
                    self.acknowledged += 1
                    request = self.waiting.pop() if self.waiting else None
            writer.close()
            if request is not None:
                self.waiting.append(request)
                await asyncio.sleep(0.02)


def burst(here):
    """Give a sender of the hooks of many new patients."""
    here.drchrono.put("/_control/delivery-policy", json={"drop": 1.0})
    before = here.patients().keys()
    here.drchrono.post("/_control/patients/bulk", json={"count": BURST, "silent": True})
    patients = {key: patient for key, patient in here.patients().items() if key not in before}
    hooks = [webhook(here.webhook_secret, patient, delivery=f"burst {key}") for key, patient in patients.items()]
    return Sender(here.ports["web"], hooks, frozenset(patients))


def settle(here, sender):
    acknowledged(sender)
    here.wait_until(lambda: here.queue()["depth"] == 0, "nothing to be due", PATIENCE_S)
    return compared(here, sender.ids)


def acknowledged(sender):
    """Wait until all that it sends is acknowledged."""
    sender.join(PATIENCE_S)
    assert not sender.is_alive(), f"{len(sender.waiting)} hooks were never acknowledged"


def reaches(sender, share):
    return lambda: sender.acknowledged >= BURST * share


def assert_nothing_lost_nothing_doubled(found):
    assert (found.missing, found.doubled, found.differing) == ([], [], {})
    assert (found.patients, found.created) == (BURST, BURST)
