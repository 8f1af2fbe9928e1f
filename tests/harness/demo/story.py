"""The story of `chronobridge demo`: a clinic's morning on one machine, with everything that usually goes wrong.

It says "nothing lost, nothing doubled" only when it has compared what both sides hold, and gives 0 only then.
"""

import os
import random
import secrets
import signal
import sys
import tempfile
import threading
import time
import webbrowser
from pathlib import Path

import httpx
import redis
from rich.console import Console

from tests.harness.cluster import Town, town
from tests.harness.demo.both_ways import ENTERED, both_ways
from tests.harness.demo.people import DOZEN, PEOPLE, name_of
from tests.harness.demo.report import Phase, Report, compared, latencies, show
from tests.harness.demo.screens import beside_each_other
from tests.harness.demo.work import leave_work, settings, to_try

BURST = 2_000
_HOUR_S = 3.0

console = Console()


def tell(*, stays_up: bool) -> int:
    """Tell the story; give 0 when both sides agreed at its end, else 1."""
    console.rule("[bold]Chronobridge")
    _say("starting a Valkey, both vendors' simulators, the web and a worker")
    with tempfile.TemporaryDirectory(prefix="chronobridge-demo-") as folder:
        try:
            maria = secrets.token_hex(16)
            with town(Path(folder), settings(Path(folder), {"maria": maria})) as here:
                report, charts = _morning(here)
                show(console, report)
                if report.is_good:
                    _say("more happens at the clinic: some of it waits for a person, and is left for you to try")
                    leave_work(here, charts)
                if stays_up and report.is_good:
                    _stay(here, charts, maria)
        except (RuntimeError, httpx.HTTPError) as error:
            console.print(f"[red]the story broke off: {error}")
            return 1
        except KeyboardInterrupt:
            console.print("stopped")
            return 1
    return 0 if report.is_good else 1


def _say(text: str) -> None:
    console.print(f"[dim]{time.strftime('%H:%M:%S')}[/]  {text}", soft_wrap=True)


def _morning(here: Town) -> tuple[Report, dict[str, int]]:
    """Tell of the morning; give what came of it, and the charts of the dozen patients whom nothing befell, by name."""
    _say("DrChrono has verified the webhook; the practice is connected, and what was there before may be loaded")
    here.loads()
    for vendor in (here.drchrono, here.salesforce):
        vendor.delete("/_control/calls").raise_for_status()
    # DrChrono sends again 1, 3 and 7 hours later, then never: an hour must outlast a third of the web's restart
    here.drchrono.put("/_control/clock", json={"hour_s": _HOUR_S})
    phases, charts = _front_desk(here)
    both_ways(here, [chart for name, chart in charts.items() if name not in DOZEN], _say)
    calm = latencies(here, phases)
    spent = here.spent()
    started = time.monotonic()
    with console.status(f"{BURST:,} webhooks …"):
        _burst(here)
    settled_s = time.monotonic() - started
    if given_up := here.given_up():
        raise RuntimeError(f"DrChrono gave up {given_up} webhooks before the web was back; this machine is very slow")
    _say(f"quiet again, {settled_s:.0f} s after the burst began; comparing every patient with its Contact")
    report = Report(compared(here), calm, spent, here.spent(), len(PEOPLE), ENTERED, BURST)
    return report, {name: charts[name] for name in DOZEN}


def _front_desk(here: Town) -> tuple[list[Phase], dict[str, int]]:
    """Register and edit, with webhooks that come twice and out of order and a worker that is killed."""
    desk, phases = random.Random(7), []  # noqa: S311 - the same story every time
    _say(f"the front desk registers {len(PEOPLE)} patients")
    phases.append(Phase("registered", time.time()))
    charts = {name_of(person): _register(here, person) for person in PEOPLE}
    ids = [chart for name, chart in charts.items() if name not in DOZEN]
    here.wait_until(here.is_quiet, "the registrations to arrive")

    _say("a minute later it corrects some phones")
    here.drchrono.put("/_control/clock", json={"offset_s": 60})
    phases.append(Phase("edited", time.time()))
    for n, patient_id in enumerate(desk.sample(ids, 8)):
        _edit(here, patient_id, cell_phone=f"(555) 018-{2000 + n}")
        time.sleep(0.02)
    here.wait_until(here.is_quiet, "the edits to arrive")

    here.drchrono.put("/_control/clock", json={"offset_s": 120})
    _say(
        "more edits, while every webhook comes twice and out of order, and [red]kill -9[/] of the worker in the middle"
    )
    phases.append(Phase("edited, worker killed, webhooks doubled and shuffled", time.time()))
    here.drchrono.put("/_control/delivery-policy", json={"copies": 2, "shuffle": True, "hold": True, "seed": 7})
    for n, patient_id in enumerate(desk.sample(ids, 10)):
        _edit(here, patient_id, cell_phone=f"(555) 019-{2000 + n}")
        if n % 3 == 0:
            _edit(here, patient_id, city="Newtown", zip_code="10001")
    here.drchrono.post("/_control/deliveries/release")
    here.work.kill()
    here.drchrono.put("/_control/delivery-policy", json={"copies": 1, "shuffle": False, "hold": False})
    here.work.start()
    here.wait_until(here.is_quiet, "the edits to arrive", 60)

    here.drchrono.put("/_control/clock", json={"offset_s": 180})
    _say("three patients change their name; a new identity is confirmed with DrChrono before it travels")
    phases.append(Phase("renamed, confirmed by a read", time.time()))
    for patient_id in desk.sample(ids, 3):
        _edit(here, patient_id, last_name=f"{here.patients()[str(patient_id)]['last_name']}-Wood")
    here.wait_until(here.is_quiet, "the new names to arrive", 60)
    return phases, charts


def _register(here: Town, person: dict[str, str]) -> int:
    time.sleep(0.02)
    return int(here.drchrono.post("/_control/patients", json=person).json()["id"])


def _edit(here: Town, patient_id: int, **fields: str) -> None:
    here.drchrono.patch(f"/_control/patients/{patient_id}", json=fields)


def _burst(here: Town) -> None:
    """Send 2,000 webhooks and, in the middle, kill the worker, kill the web, and wipe Redis."""
    before = here.delivered()

    def reach(share: float) -> None:
        here.wait_until(lambda: here.delivered() >= before + share * BURST, "the burst to come in", 60)

    _say(f"a burst: {BURST:,} more patients at once")
    here.drchrono.post("/_control/patients/bulk", json={"count": BURST, "prefix": "Burst"})
    reach(0.15)
    _say("[red]kill -9[/] of the worker")
    here.work.kill()
    here.work.start()
    reach(0.4)
    _say("[red]kill -9[/] of the web; what it did not acknowledge, DrChrono sends again")
    here.serve.kill()
    here.serve.start()
    here.wait_until(here.accepts, "the web to be back")
    reach(0.6)
    _say("[red]FLUSHALL[/]: Redis forgets everything")
    with redis.Redis.from_url(here.given["REDIS_URL"]) as client:
        client.flushall()
    here.wait_until(here.is_quiet, "the burst to settle", 120, every_s=0.1)


def _stay(here: Town, charts: dict[str, int], secret: str) -> None:
    tries = to_try(here.given["PUBLIC_URL"])
    with beside_each_other(here, list(charts.values()), tries) as screens:
        lines = "\n".join(f"  {at}. {one.text}\n     [bold]{one.address}[/]" for at, one in enumerate(tries, 2))
        console.print(
            f"""
It stays up; [bold]Ctrl-C[/] ends everything. Sign in to the console as [bold]maria[/] with [bold]{secret}[/]. Try this:

  1. Edit a patient on one vendor's screen, and watch the other one change.
     [bold]{screens}[/]
{lines}
""",
            soft_wrap=True,
            highlight=False,
        )
        _open(f"{here.given['PUBLIC_URL']}/")
        ended = threading.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: ended.set())
        ended.wait()


def _open(address: str) -> None:
    """Open a browser, where there is a desktop to open it on."""
    if sys.stdout.isatty() and (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin"
    ):
        webbrowser.open(address)
