"""The story of `chronobridge demo`: a clinic's morning on one machine, with everything that usually goes wrong.

It says "nothing lost, nothing doubled" only when it has compared what both sides hold, and gives 0 only then.
"""

import random
import signal
import tempfile
import threading
import time
from pathlib import Path

from rich.console import Console

from app.demo.report import Report, compared, latencies, show
from app.demo.town import StandInsAbsent, Town, town

PATIENTS = 25
BURST = 2_000
_FIRST = ("Ada", "Ben", "Cleo", "Dana", "Eli", "Fay", "Gus", "Hana", "Ivo", "June", "Kai", "Lena", "Milo")
_LAST = ("Abel", "Brook", "Castle", "Drew", "Ellis", "Frost", "Grove", "Hale", "Irving", "Joyner", "Keats")

console = Console()


def tell(*, stays_up: bool) -> int:
    """Tell the story; give 0 when both sides agreed at its end, else 1."""
    with tempfile.TemporaryDirectory(prefix="chronobridge-demo-") as folder:
        try:
            console.rule("[bold]Chronobridge")
            with console.status("starting Valkey, both vendors' stand-ins, web and worker …"):
                opened = town(Path(folder))
                here = opened.__enter__()
        except StandInsAbsent as error:
            console.print(f"[red]{error}")
            return 1
        try:
            report = _morning(here)
            show(console, here, report)
            if stays_up:
                _stay(here)
        except RuntimeError as error:
            console.print(f"[red]{error}")
            return 1
        finally:
            with console.status("stopping everything …"):
                opened.__exit__(None, None, None)
    return 0 if report.is_good else 1


def _say(text: str) -> None:
    console.print(f"[dim]{time.strftime('%H:%M:%S')}[/]  {text}")


def _morning(here: Town) -> Report:
    _say("DrChrono verified the webhook; the practice is connected")
    here.drchrono.put("/_control/clock", json={"hour_s": 1.0})
    here.drchrono.put("/_control/settings", json={"calls_per_hour": 500})
    ids = _front_desk(here)
    calm = latencies(here)
    calls = dict(here.salesforce.get("/_control/calls").json()["counts"])
    _burst(here)
    with console.status("comparing both sides, patient by patient …"):
        return Report(compared(here), calm, calls, PATIENTS, len(ids) - PATIENTS, BURST)


def _front_desk(here: Town) -> list[int]:
    """Register and edit while hooks come twice and out of order and a worker is killed; gives what was touched."""
    desk = random.Random(7)  # noqa: S311 - the same story every time
    _say(f"the front desk registers {PATIENTS} patients")
    ids = []
    for n in range(PATIENTS):
        patient = {
            "first_name": _FIRST[n % len(_FIRST)],
            "last_name": f"{_LAST[n % len(_LAST)]}-{n:02d}",
            "date_of_birth": f"19{50 + n}-0{1 + n % 9}-1{n % 9}",
            "gender": ("Female", "Male")[n % 2],
            "cell_phone": f"(555) 01{n % 10}-{1000 + n}",
            "email": f"patient{n}@example.com",
        }
        ids.append(here.drchrono.post("/_control/patients", json=patient).json()["id"])
        time.sleep(0.02)
    here.wait_until(here.is_quiet, "the registrations to arrive")
    _say("… edits some of them, while every hook now comes twice and out of order")
    here.drchrono.put("/_control/delivery-policy", json={"copies": 2, "shuffle": True, "hold": True, "seed": 7})
    edited = desk.sample(ids, 12)
    for n, patient_id in enumerate(edited):
        here.drchrono.patch(f"/_control/patients/{patient_id}", json={"cell_phone": f"(555) 019-{2000 + n}"})
        if n % 3 == 0:
            here.drchrono.patch(f"/_control/patients/{patient_id}", json={"city": "Newtown", "zip_code": "10001"})
    here.drchrono.post("/_control/deliveries/release")
    _say("… and kills the worker in the middle of it")
    here.work.kill()
    renamed = desk.sample(ids, 3)
    for patient_id in renamed:
        here.drchrono.patch(f"/_control/patients/{patient_id}", json={"last_name": f"Wed-{patient_id % 100}"})
    here.drchrono.put("/_control/delivery-policy", json={"copies": 1, "shuffle": False, "hold": False})
    here.work.start()
    here.wait_until(here.is_quiet, "the edits to arrive", 60)
    return [*ids, *edited, *renamed]


def _burst(here: Town) -> None:
    """Send 2,000 hooks and, in the middle, kill the worker, kill the web, and wipe Redis."""
    _say(f"a burst: {BURST:,} more patients at once")
    here.drchrono.post("/_control/patients/bulk", json={"count": BURST, "prefix": "Burst"})

    def contacts() -> int:
        return int(here.salesforce.get("/_control/writes/count").json()["count"])

    started = time.monotonic()
    _at(here, 0.15)
    _say("[red]kill -9[/] the worker")
    here.work.kill()
    here.work.start()
    _at(here, 0.4)
    _say("[red]kill -9[/] the web; DrChrono will send again what was not acknowledged")
    here.serve.kill()
    here.serve.start()
    here.wait_until(here.accepts, "the web to be back")
    _at(here, 0.6)
    _say("[red]FLUSHALL[/]: Redis forgets everything")
    _flush(here)
    with console.status("waiting until DrChrono has delivered and nothing is due …"):
        here.wait_until(here.is_quiet, "the burst to settle", 120, every_s=0.1)
    _say(f"quiet again after {time.monotonic() - started:.1f} s")


def _at(here: Town, share: float) -> None:
    def is_there() -> bool:
        return int(here.drchrono.get("/_control/deliveries").json()["delivered"]) >= PATIENTS + share * BURST

    here.wait_until(is_there, "the burst to come in", 60)


def _flush(here: Town) -> None:
    import redis

    with redis.Redis.from_url(here.given["REDIS_URL"]) as client:
        client.flushall()


def _stay(here: Town) -> None:
    _say("it stays up; change something and watch it travel (Ctrl-C ends)")
    some = next(iter(here.patients()))
    console.print(
        f"""
  [dim]# edit a patient as the front desk would[/]
  curl -X PATCH {here.given["DRCHRONO_BASE_URL"]}/_control/patients/{some} -d '{{"city": "Springfield"}}'
  [dim]# see the Contact[/]
  curl -ks {here.given["SALESFORCE_LOGIN_URL"]}/_control/records/Contact | grep -o Springfield
  [dim]# what waits, and how every part is[/]
  curl -H 'Authorization: Bearer {here.operator_token}' {here.given["PUBLIC_URL"]}/api/v1/queue
  curl {here.given["PUBLIC_URL"]}/healthz
"""
    )
    ended = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: ended.set())
    ended.wait()
