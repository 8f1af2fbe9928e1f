"""Eight workers, tokens that live two seconds, and deaths between DrChrono's answer and our commit.

    python -m tests.simulate.token_race [--calls 10000] [--seeds 1,2,3]         what `make simulate-tokens` runs

DrChrono revokes everything when a refresh token comes back a second time. So every reuse it sees must be one death
between its answer and our commit, nothing else may ever be asked for twice, and each such death must end in a side that
waits for somebody to connect it, without a storm of log-ins.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import Progress

from app.store.database import Database
from app.store.encryption import Vault
from app.store.migrate import migrate
from app.store.vendor_tokens import VendorTokens
from app.sync.model import Side
from app.vendors.token_broker import CUT_OFF
from tests.simulate.token_worker import KEY, client
from tests.standins.drchrono.app import create_app
from tests.standins.serve import running

WORKERS, LIFE_S, LEASE_S = 8, 2, 3.0
REDIRECT = "https://sync.example.com/connect/drchrono/callback"
_QUIET_S = 0.5


@dataclass
class Told:
    """What a run came to. `asked`: calls to the token endpoint; `storm`: those made while the side waited."""

    seed: str
    calls: int = 0
    seconds: float = 0.0
    died_answered: int = 0
    died_leased: int = 0
    asked: int = 0
    connects: int = 0
    refreshes: int = 0
    reuses: int = 0
    versions: int = 0
    storm: int = 0
    pauses: int = 0
    other_pauses: int = 0

    def complaints(self):
        """Give what must not be, in words; nothing when all is well."""
        most = self.seconds / (LIFE_S * 0.75) + self.connects
        rules = {
            "a reuse without a death between answer and commit, or the reverse": self.reuses == self.died_answered,
            "asked more often than tokens came, and deaths explain": self.asked
            == self.refreshes + self.reuses + self.connects,
            "a refresh that was never stored, though nobody died": self.versions
            == self.connects + self.refreshes - self.died_answered,
            "more than one refresh per expiry": self.refreshes <= most,
            "a death that did not end in a side that waits": self.pauses == self.died_answered,
            "a side that waits for another reason": self.other_pauses == 0,
            "a storm of log-ins while the side waited": self.storm == 0,
        }
        return [rule for rule, holds in rules.items() if not holds]


async def race(database, folder, seed, wanted, say=lambda _: None):
    """Run until so many calls were answered with 200; gives what was told."""
    told = Told(str(seed))
    with (
        running(create_app(expires_in=LIFE_S, calls_per_hour=0, redirect_uris=[REDIRECT])) as url,
        httpx.Client(base_url=url, timeout=30) as control,
    ):
        patient = control.post("/_control/patients?silent=true", json={}).json()
        (folder / "patient").write_text(str(patient["id"]))
        store = VendorTokens(database, Vault((KEY,)), Side.DRCHRONO)
        drchrono = client(database, url, store, LEASE_S)
        command = [sys.executable, "-m", "tests.simulate.token_worker"]
        command += [database.url.render_as_string(hide_password=False), url, str(folder), str(seed), str(LEASE_S)]
        workers = []
        started = time.monotonic()
        try:
            await _connect(drchrono, control, told)
            while told.calls < wanted:
                workers = [worker for worker in workers if worker.poll() is None]
                workers += [subprocess.Popen(command) for _ in range(WORKERS - len(workers))]
                await asyncio.sleep(0.1)
                told.calls = control.get("/_control/calls").json()["counts"].get("GET /api/patients/{id}", 0)
                say(told.calls)
                await _mended(store, drchrono, control, told)
            await _settled(store, drchrono, control, told, folder)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
            await drchrono.close()
        told.seconds = time.monotonic() - started
        deaths = Counter(path.name.partition("-")[0] for path in folder.iterdir())
        told.died_answered, told.died_leased = deaths["answered"], deaths["leased"]
        counted = control.get("/_control/tokens").json()
        told.refreshes, told.reuses = counted["refreshes"], counted["reuses"]
        told.asked, told.versions = _asked(control), (await store.read()).version
    return told


async def _connect(drchrono, control, told):
    code = control.post("/_control/oauth/code", json={"redirect_uri": REDIRECT}).json()["code"]
    await drchrono.broker.replace(await drchrono.grant.exchange(code, REDIRECT))
    told.connects += 1


async def _mended(store, drchrono, control, told):
    """Connect anew, as an operator would, when the side waits; and see that nobody asks while it does."""
    stored = await store.read()
    if stored.refused_code is None:
        return
    told.pauses += 1
    told.other_pauses += stored.refused_code != CUT_OFF
    before = _asked(control)
    await asyncio.sleep(_QUIET_S)
    told.storm += _asked(control) - before
    await _connect(drchrono, control, told)


async def _settled(store, drchrono, control, told, folder):
    """Let the last death be found: its successor asks once the lease is over. Then nobody is asking as this returns."""
    deadline = time.monotonic() + 6 * LEASE_S
    while time.monotonic() < deadline:
        await _mended(store, drchrono, control, told)
        stored, deaths = await store.read(), len(list(folder.glob("answered-*")))
        is_fresh = stored.age_s is not None and stored.age_s < LIFE_S / 4  # so the next refresh is not due yet
        if is_fresh and told.pauses == deaths and control.get("/_control/tokens").json()["live"] == 1:
            return
        await asyncio.sleep(0.1)


def _asked(control):
    return control.get("/_control/calls").json()["counts"].get("POST /o/token/", 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seeds", default="1")
    given, console, bad = parser.parse_args(), Console(), 0
    for seed in given.seeds.split(","):
        with tempfile.TemporaryDirectory() as name, Progress(console=console) as progress:
            task = progress.add_task(f"token race, seed {seed}", total=given.calls)

            async def run(folder=Path(name), seed=seed, task=task, progress=progress):
                (folder / "deaths").mkdir()
                async with Database(f"sqlite+aiosqlite:///{folder}/race.db").opened() as database:
                    await migrate(database)
                    return await race(
                        database, folder / "deaths", seed, given.calls, lambda n: progress.update(task, completed=n)
                    )

            told = asyncio.run(run())
        console.print(asdict(told))
        for complaint in told.complaints():
            console.print(f"WRONG: {complaint}", style="bold red")
            bad += 1
    console.print("every promise held" if not bad else f"{bad} promises broken", style="bold")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
