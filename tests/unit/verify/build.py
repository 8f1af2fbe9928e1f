"""A history in which every promise is kept, with something of everything; a test breaks one thing of it."""

from dataclasses import replace

from app.sync.model import Kind, Side
from tests.harness.verify.seen import (
    Act,
    Burst,
    Call,
    Conflict,
    Delivery,
    Edit,
    Failure,
    History,
    Poison,
    Probe,
    Record,
    Spell,
    Write,
)

D, S = Side.DRCHRONO, Side.SALESFORCE
OWNERS = {Kind.PATIENT: {"first_name": D, "city": S, "chart_id": None}}


def chart(key="1", **fields):
    return Record(D, Kind.PATIENT, key, key, f"born {key}", {"first_name": "a", "city": "b", "chart_id": "c"} | fields)


def contact(key="1", record_id=None, **fields):
    held = {"first_name": "a", "city": "b", "chart_id": "c"} | fields
    return Record(S, Kind.PATIENT, record_id or f"003-{key}", key, f"born {key}", held)


def edit(side=D, key="1", at=1.0, is_new=False, **fields):
    return Edit(at, side, Kind.PATIENT, key if side is D else f"003-{key}", fields, is_new)


def delivery(side=D, key="1", state="delivered", sends=1):
    return Delivery(side, Kind.PATIENT, key if side is D else f"003-{key}", state, sends)


def write(side=S, key="1", **more):
    return Write(2.0, side, Kind.PATIENT, key if side is D else f"003-{key}", is_new=more.pop("is_new", False), **more)


def call(at=2.0, side=D, method="GET", status=200, fault="", unheard=None):
    return Call(at, side, method, "/api/patients/1", status, fault, unheard)


def failure(cause="too_long", **more):
    return Failure(cause, Kind.PATIENT, ("MailingCity",), more.pop("count", 1), more.pop("fix", "Shorten it."))


def conflict(key="1", field="city"):
    return Conflict(Kind.PATIENT, key, field)


def act(**more):
    """One patient whom both sides hold alike, after an edit that was told of and written."""
    given = {
        "records": (chart(), contact()), "edits": (edit(first_name="a"),), "deliveries": (delivery(),),
        "calls": (call(),), "writes": (write(),),
    }  # fmt: skip
    return Act("the trouble", 0.0, 10.0, **(given | more))


def outage(**more):
    given = act(is_heard=False, deliveries=(delivery(state="dropped"),), **more)
    return replace(given, name="the outage", began=20.0, ended=30.0)


def history(*acts, **more):
    given = {
        "bursts": (Burst("new patients", 200, 3), Burst("edited Contacts", 10, None, 1)),
        "spells": tuple(Spell(what, is_up=True, since=0.0) for what in ("web", "worker", "redis", "database")),
        "probes": (probe(40.0),), "places": {"serve.log": 0, "/metrics": 0}, "words": 3,
    }  # fmt: skip
    return History(7, OWNERS, acts or (act(),), **(given | more))


def probe(at, livez=200, readyz=200, **parts):
    return Probe(at, at + 0.1, livez, readyz, {"workers": "ok", "redis": "ok"} | parts)


def poison(key="9", cause="too_long"):
    return Poison(key, cause, 5.0)


def down(what, since, until=None):
    """Spells in which a part goes down, with everything else up since ever."""
    others = [one for one in history().spells if one.what != what]
    back = [] if until is None else [Spell(what, is_up=True, since=until)]
    return (*others, Spell(what, is_up=True, since=0.0, until=since), Spell(what, False, since, until), *back)
