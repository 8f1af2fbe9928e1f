"""A worker that does nothing but call DrChrono, and dies now and then where a token pair can be lost.

    python -m tests.simulate.token_worker DATABASE_URL DRCHRONO_URL FOLDER SEED LEASE_S

Where it dies is drawn from the seed and the version of the token, so that a run can be told again. Every death leaves
a file in the folder: `answered-VERSION` between DrChrono's answer and our commit, `leased-VERSION` before it was asked.
"""

import asyncio
import os
import random
import signal
import sys
from datetime import timedelta
from pathlib import Path

from app.errors import SyncError, Unauthorized, Unavailable
from app.store.database import Database
from app.store.encryption import Vault
from app.store.rate_ledger import RateLedger
from app.store.vendor_tokens import VendorTokens
from app.sync.model import Side
from app.vendors import http
from app.vendors.drchrono.client import DrChrono
from app.vendors.drchrono.oauth import DrChronoGrant
from app.vendors.rate_limit.drchrono import DrChronoRateLimit
from app.vendors.rate_limit.policy import Allowance

KEY = b"YTFhMWExYTFhMWExYTFhMWExYTFhMWExYTFhMWExYTE="
CLIENT = ("standin-client", "standin-secret")
DEATHS = {"answered": 0.2, "leased": 0.1}
AT_ONCE, PAUSE_S = 2, 0.08


class Mortal(VendorTokens):
    """The store of a process that is killed at the worst moments."""

    def __init__(self, database, vault, folder, seed):
        super().__init__(database, vault, Side.DRCHRONO)
        self._folder, self._seed = folder, seed

    async def lease(self, span):
        lease = await super().lease(span)
        if lease is not None:
            self._may_die("leased", (await self.read()).version)
        return lease

    async def save(self, lease, version, *token, **how):
        self._may_die("answered", version)
        return await super().save(lease, version, *token, **how)

    def _may_die(self, where, version):
        if random.Random(f"{self._seed} {where} {version}").random() >= DEATHS[where]:
            return
        try:
            (self._folder / f"{where}-{version}").touch(exist_ok=False)
        except FileExistsError:  # its predecessor died there
            return
        os.kill(os.getpid(), signal.SIGKILL)


def client(database, url, store, lease_s):
    context = http.trusted(None)
    grant = DrChronoGrant(
        url, *CLIENT, context, DrChronoRateLimit("drchrono", RateLedger(database, CLIENT[0]), Allowance(100_000, 1000))
    )
    return DrChrono(grant, store, context, lambda *_, **__: None, timedelta(seconds=lease_s))


async def work(drchrono, patient_id):
    """Call for ever, as somebody would who is told to wait."""
    while True:
        try:
            await drchrono.read("/api/patients", patient_id)
            await asyncio.sleep(PAUSE_S)
        except Unauthorized:
            await asyncio.sleep(PAUSE_S)
        except Unavailable as error:
            await asyncio.sleep(min(error.retry_in_s or PAUSE_S, 0.5))
        except SyncError:
            await asyncio.sleep(PAUSE_S)


async def main(database_url, drchrono_url, folder, seed, lease_s):
    async with Database(database_url).opened() as database:
        store = Mortal(database, Vault((KEY,)), Path(folder), seed)
        drchrono = client(database, drchrono_url, store, float(lease_s))
        await asyncio.gather(*(work(drchrono, Path(folder, "patient").read_text()) for _ in range(AT_ONCE)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
