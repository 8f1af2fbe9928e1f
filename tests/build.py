"""Builders: each gives something whole and ordinary, so that a test says only what matters to it.

Everybody here is invented. Instants and stamps are fixed; nothing reads a clock.
"""

import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from app.sync.base import HashKeys, Rules
from app.sync.mappings import file
from app.sync.mappings.codecs import CODECS, Options
from app.sync.mappings.table import Direction, OnConflict, Row, Table
from app.sync.model import Absent, Base, Kind, Link, NothingNew, PendingWrite, Seen, Side, Snapshot

DRCHRONO_ID = "220000101"
SALESFORCE_ID = "003SYN000000001YBA"
LINK_ID = "01JSYNTHETICLINK0000000000"
NOW = datetime(2026, 1, 12, 9, 0, tzinfo=UTC)
STAMP = "2026-01-12T08:15:30"
LATER_STAMP = "2026-01-12T08:20:00"
ABSENT = Absent.ABSENT
UNHEARD = NothingNew.UNHEARD
CONFIRM_AFTER = timedelta(seconds=5)
KEYS = HashKeys.of((b"k" * 32,))
OTHER_KEYS = HashKeys.of((b"o" * 32,))


class StandingClock:
    """A clock in seconds that stands until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


SHIPPED = file.load()[Kind.PATIENT]


def mapping_with_documents(place, extends="default"):
    """Write the shipped mapping with its table of documents uncommented, as a clinic would have it; gives where."""
    shipped = resources.files("app.sync.mappings").joinpath("default.toml").read_text()
    lines = shipped[shipped.index("# [document]") :].splitlines()
    place.write_text("\n".join([f'extends = "{extends}"', *(line.removeprefix("#").strip() for line in lines)]))
    return place


def with_documents():
    """The shipped mapping, in which documents are shared."""
    with tempfile.TemporaryDirectory() as folder:
        return file.load(mapping_with_documents(Path(folder) / "mapping.toml"))


_PATIENT = MappingProxyType(
    {
        "first_name": "Testa",
        "last_name": "Fixture",
        "date_of_birth": "1987-04-09",
        "gender": "Female",
        "email": "testa.fixture@example.com",
        "cell_phone": "(555) 010-0142",
        "home_phone": None,
        "address": "42 Placeholder Ave",
        "city": "Testville",
        "state": "NY",
        "zip_code": "12345",
        "chart_id": "TEFI000001",
        "patient_status": "A",
        "doctor": "310001",
    }
)


def a_patient(**fields):
    """A patient's tidy fields, by their names in the mapping."""
    return {**_PATIENT, **fields}


def a_chart(**fields):
    """A patient as DrChrono's API writes one: the mapped fields among many others."""
    known = {name: "" if value is None else value for name, value in _PATIENT.items()}
    return {"id": int(DRCHRONO_ID), "updated_at": STAMP, "race": "declined", **known, "doctor": 310001, **fields}


def a_body(version=STAMP, **fields):
    """What a delivery says of a patient: a hint, not confirmed."""
    return Snapshot(DRCHRONO_ID, a_patient(**fields), version, confirmed=False)


def a_snapshot(version=STAMP, **fields):
    """A patient as DrChrono answered when asked."""
    return Snapshot(DRCHRONO_ID, a_patient(**fields), version)


def a_contact(**fields):
    """A patient's Contact, which names its chart, as Salesforce answered when asked."""
    return Snapshot(SALESFORCE_ID, a_patient(**fields), "2026-01-12T08:16:00.000+0000", key=DRCHRONO_ID)


def a_ticked_contact(**fields):
    """A Contact that names no chart, and that a person wants in DrChrono."""
    return Snapshot(SALESFORCE_ID, a_patient(chart_id=None, patient_status=None, **fields), is_opted_in=True)


def rules(*rows, keys=KEYS):
    """The rules of the shipped mapping, or of these rows alone."""
    table = SHIPPED
    if rows:
        table = Table(table.kind, table.path, table.object, table.external_id, {row.name: row for row in rows})
    return Rules(table, keys, CONFIRM_AFTER)


def a_row(
    name="note", codec="text", owner=Side.DRCHRONO, direction=Direction.BOTH, on_conflict=OnConflict.OWNER, **options
):
    """One row of a mapping."""
    names = {Side.DRCHRONO: name, Side.SALESFORCE: f"{name}__c"}
    return Row(name, names, CODECS[codec], Options(**options), direction, owner, on_conflict, is_identity=False)


def a_lone_ref(**differences):
    """A patient that Salesforce does not know yet."""
    return Link(LINK_ID, Kind.PATIENT, DRCHRONO_ID, **{"salesforce_id": None, "base": Base(), **differences})


def a_link(agreed=None, by=None, **differences):
    """A linked patient whose sides last agreed on these fields, taken in at STAMP."""
    link = a_lone_ref(**{"salesforce_id": SALESFORCE_ID, "seen_up_to": STAMP, **differences})
    if "base" in differences:
        return link
    return with_base(link, a_patient() if agreed is None else agreed, by or rules())


def with_base(link, agreed, by):
    """The link with a base that says its sides agreed on these fields."""
    return replace(link, base=by.advanced(link, link.base, agreed))


def an_own_write(link, by, before, written, settle_at=NOW, write_id="01JWRITE", side=Side.SALESFORCE, call="update"):
    """A write of ours, to Salesforce unless told, whose outcome is not known; `before` and `written` are tidy."""
    stamps = {
        name: (by.stamp(link, name, before[name]) if name in before else None, by.stamp(link, name, value))
        for name, value in written.items()
    }
    return PendingWrite(write_id, side, stamps, settle_at, call=call)


def seen(drchrono=None, salesforce=None):
    """Both sides as just looked at; ordinary unless said otherwise."""
    return Seen(a_snapshot() if drchrono is None else drchrono, a_contact() if salesforce is None else salesforce)


KEY = "J1bZ3pXW6gq8b2Jw0m0f0y4Q9o1xGmVtq5cQ8n3yR7U="
HASH_KEY = "Qk3nB0c7yUe5wTz1RrLxV8aMZp2sHdFg6jK9uXoYi4E="
NEEDED = MappingProxyType(
    {
        "PUBLIC_URL": "https://sync.example.com",
        "ENCRYPTION_KEYS": KEY,
        "HASH_KEYS": HASH_KEY,
        "OPERATOR_TOKEN": "operator-token-of-enough-characters",
    }
)
FOR_DRCHRONO = MappingProxyType(
    {
        "DRCHRONO_CLIENT_ID": "client",
        "DRCHRONO_CLIENT_SECRET": "drchrono-secret",
        "DRCHRONO_WEBHOOK_SECRETS": "webhook-secret-of-enough-characters",
    }
)
FOR_SALESFORCE = MappingProxyType(
    {
        "SALESFORCE_LOGIN_URL": "https://acme.my.salesforce.com",
        "SALESFORCE_CLIENT_ID": "3MVG9",
        "SALESFORCE_ORG_ID": "00D5g000001AbCdEAK",
        "SALESFORCE_CLIENT_SECRET": "salesforce-secret",
    }
)
