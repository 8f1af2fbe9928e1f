"""Every variable of the service, once: what it is called, what it takes, and how it stands in a `.env`.

`app/settings.py` complains in these words, `deploy/env.example` is `render({})`, and `chronobridge init` renders the
same text with values of its own. What a value means and whether it is right is the settings' business.

    make env-example    writes deploy/env.example anew
"""

import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, auto
from itertools import groupby
from operator import attrgetter

from cryptography.fernet import Fernet

_WIDTH = 120
_MADE_BY = "the output of: "
_KEY = _MADE_BY + "openssl rand -base64 32 | tr '+/' '-_'"  # a key in print would be used
_TOKEN = _MADE_BY + "openssl rand -hex 32"
_SERVICE = "This service"
_DRCHRONO = "DrChrono: all of id, secret and webhook secrets, or none (not connected)"
_SALESFORCE = "Salesforce: login address, id, organization, and one way to sign in; or none (not connected)"
_WORK = "How it works"

_TO_COPY = """\
# Every setting of Chronobridge, once. `chronobridge init` writes this file with fresh keys; or copy it to `.env` beside
# where the service starts (for the compose file: to `deploy/.env`), fill in what is empty, and uncomment what you need.
# A value that is wrong stops the start with one line that says which and why.
"""
_OF_ITS_OWN = """\
# Every setting of Chronobridge, once, with keys made for this installation. Uncomment what you need; a value that is
# wrong stops the start with one line that says which and why. Show this file to nobody, and keep a copy of it apart
# from the database: without ENCRYPTION_KEYS nobody can read what lies there.
"""


class Fill(StrEnum):
    """What `chronobridge init` puts in."""

    NOTHING = auto()
    PUBLIC_URL = auto()
    KEY = auto()
    TOKEN = auto()


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable.

    example    a value that can be taken as it stands, or "the output of: " and the command that makes one
    note       further lines for whoever fills it in
    is_needed  nothing starts without it
    is_shared  its side's variables are all there or none, so that a value alone would stop the start
    """

    name: str
    section: str
    expected: str
    example: str
    note: tuple[str, ...] = ()
    fill: Fill = Fill.NOTHING
    is_needed: bool = False
    is_shared: bool = False

    @property
    def made_by(self) -> str:
        """The command that makes a value; empty when the example is one."""
        return self.example.removeprefix(_MADE_BY) if self.example.startswith(_MADE_BY) else ""

    @property
    def ready_example(self) -> str:
        """A value that can be taken as it stands; empty where one in print would be used."""
        return "" if self.made_by else self.example


VARIABLES = (
    Variable(
        "DATABASE_URL", _SERVICE, "sqlite+aiosqlite:///PATH or postgresql+asyncpg://USER:PASSWORD@HOST/NAME",
        "sqlite+aiosqlite:///var/chronobridge.db",
        ("SQLite serves one machine; that file holds everything. The compose file sets this itself.",),
    ),
    Variable(
        "REDIS_URL", _SERVICE, "the address of a Redis or Valkey", "redis://127.0.0.1:6379/0",
        ("Unset: `up` starts one of its own; `serve` and `work` find changes every 2 s instead of at once.",),
    ),
    Variable(
        "PUBLIC_URL", _SERVICE, "the https address the vendors reach this service at", "https://sync.example.com",
        fill=Fill.PUBLIC_URL, is_needed=True,
    ),
    Variable("HOST", _SERVICE, "the address to listen on", "127.0.0.1"),
    Variable("PORT", _SERVICE, "a port number", "8000"),
    Variable(
        "TRUSTED_PROXIES", _SERVICE, "a comma list of proxy addresses whose X-Forwarded-For counts", "10.0.0.7"
    ),
    Variable(
        "ENCRYPTION_KEYS", _SERVICE, "a comma list of url-safe base64 keys of 32 bytes, newest first", _KEY,
        (
            "What lies in the database is sealed with the first. To change it, put a new one in front, restart and run",
            "`chronobridge rotate-keys`: it says when the older ones can go.",
        ),
        Fill.KEY, is_needed=True,
    ),
    Variable(
        "HASH_KEYS", _SERVICE, "a comma list of url-safe base64 keys of 32 bytes, newest first", _KEY,
        (
            "Not the same as above: these stamp what both sides agreed on.",
            "Without them, fields that differ follow their owner.",
        ),
        Fill.KEY, is_needed=True,
    ),
    Variable(
        "SESSION_KEY", _SERVICE, "a url-safe base64 key of 32 bytes; signs people's sessions", _KEY,
        ("Unset: derived from ENCRYPTION_KEYS.",),
        Fill.KEY,
    ),
    Variable(
        "OPERATOR_TOKEN", _SERVICE, "a secret of at least 16 characters", _TOKEN,
        ("Whoever holds it may see and do everything on the operator's pages.",),
        Fill.TOKEN, is_needed=True,
    ),
    Variable(
        "VIEWER_TOKEN", _SERVICE, "a secret of at least 16 characters", _TOKEN, ("Reads only.",), Fill.TOKEN
    ),
    Variable(
        "MAPPING_FILE", _SERVICE, "the path of a mapping file", "/etc/chronobridge/mapping.toml",
        ("Unset: the mapping that comes with the service.",),
    ),
    Variable(
        "CA_BUNDLE", _SERVICE, "the path of a PEM file with extra trusted roots", "/etc/ssl/clinic-roots.pem"
    ),
    Variable("DRCHRONO_BASE_URL", _DRCHRONO, "the https address of DrChrono", "https://app.drchrono.com"),
    Variable("DRCHRONO_CLIENT_ID", _DRCHRONO, "the client id of the API application", "Zk3…", is_shared=True),
    Variable("DRCHRONO_CLIENT_SECRET", _DRCHRONO, "the client secret of the API application", "h0w…", is_shared=True),
    Variable(
        "DRCHRONO_WEBHOOK_SECRETS", _DRCHRONO,
        "a comma list of webhook secrets of at least 16 characters, the one in use first", _TOKEN,
        ("Put the same into the webhook's form at DrChrono. Uncomment it together with the id and the secret.",),
        Fill.TOKEN, is_shared=True,
    ),
    Variable(
        "DRCHRONO_CALLS_PER_HOUR", _DRCHRONO, "a number of calls, 1 or more", "500",
        ("What DrChrono allows the API application in a clock hour.",),
    ),
    Variable(
        "DRCHRONO_CALLS_PER_SECOND", _DRCHRONO, "a number of calls, 1 or more", "4",
        ("DrChrono throttles an application at 10 in any second; some of ours are longer on their way than others.",),
    ),
    Variable(
        "DRCHRONO_REQUEST_LIMIT", _DRCHRONO, "how long DrChrono may go on with a request, ISO 8601", "PT2M",
        ("A write whose answer was missed is looked at again after that.",),
    ),
    Variable(
        "DRCHRONO_DEFAULT_DOCTOR", _DRCHRONO, "the id of a doctor, a number", "310001",
        ("Whose patient a ticked Contact becomes that names no doctor; DrChrono demands one.",),
    ),
    Variable(
        "DRCHRONO_SEARCH_GAP", _DRCHRONO, "how long DrChrono's lists may lag behind, ISO 8601", "PT30S",
        ("A create whose answer was missed is searched for twice, this far apart, before it is tried again.",),
    ),
    Variable(
        "SALESFORCE_LOGIN_URL", _SALESFORCE, "the https address of your My Domain", "https://acme.my.salesforce.com",
        is_shared=True,
    ),
    Variable(
        "SALESFORCE_CLIENT_ID", _SALESFORCE, "the consumer key of the external client app", "3MVG9…", is_shared=True
    ),
    Variable(
        "SALESFORCE_CLIENT_SECRET", _SALESFORCE,
        "the consumer secret, or SALESFORCE_USERNAME with SALESFORCE_PRIVATE_KEY_FILE instead", "8F2…",
        is_shared=True,
    ),
    Variable(
        "SALESFORCE_USERNAME", _SALESFORCE, "the integration user's username", "sync@acme.example", is_shared=True
    ),
    Variable(
        "SALESFORCE_PRIVATE_KEY_FILE", _SALESFORCE, "the path of an unencrypted PEM RSA key",
        "/etc/chronobridge/salesforce.pem", is_shared=True,
    ),
    Variable(
        "SALESFORCE_ORG_ID", _SALESFORCE, "the organization id, 15 or 18 characters", "00D5g000001AbCdEAK",
        is_shared=True,
    ),
    Variable(
        "SALESFORCE_OUTBOUND_TOKENS", _SALESFORCE,
        "a comma list of secrets of at least 16 characters, the end of the outbound messages' address", _TOKEN,
        ("In Salesforce: PUBLIC_URL/webhooks/salesforce/outbound/ and one of these; two while it is changed.",),
        Fill.TOKEN,
    ),
    Variable(
        "SALESFORCE_EVENT_TOKENS", _SALESFORCE,
        "a comma list of bearer tokens of at least 16 characters, for platform events", _TOKEN,
        ("Sent to PUBLIC_URL/webhooks/salesforce/events as Authorization: Bearer. Two during a change.",),
        Fill.TOKEN,
    ),
    Variable(
        "SALESFORCE_EVENT_SIGNING_KEYS", _SALESFORCE,
        "a comma list of url-safe base64 keys of 32 bytes, for signed platform events", _KEY,
        ("Set: every request must carry X-Chronobridge-Signature: t=SECONDS,v1=HMAC-SHA256 of SECONDS.BODY, in hex.",),
        Fill.KEY, is_shared=True,
    ),
    Variable("SALESFORCE_API_VERSION", _SALESFORCE, "a version number", "67.0"),
    Variable(
        "SALESFORCE_REQUEST_LIMIT", _SALESFORCE, "how long Salesforce may go on with a request, ISO 8601", "PT10M",
        ("A write whose answer was missed is looked at again after that.",),
    ),
    Variable(
        "SALESFORCE_CALLS_AT_ONCE", _SALESFORCE, "a number of calls, 1 to 25", "6",
        (
            "How many calls of one process may be under way; one nobody waits for any more is, for as long as",
            "SALESFORCE_REQUEST_LIMIT. Times the number of workers, and one more for the command line, it must stay",
            "within the 25 long calls of an org (5 of a trial's).",
        ),
    ),
    Variable(
        "SALESFORCE_DAILY_CALL_SHARE", _SALESFORCE, "a share of the org's daily API calls, above 0 and up to 1", "0.5",
        ("Beyond it only live edits are sent; comparing, retries and a first load wait for the day to recover.",),
    ),
    Variable(
        "CONFIRM_AFTER", _WORK, "how long to wait before asking DrChrono about a doubted body, ISO 8601", "PT5S"
    ),
    Variable(
        "OFFICE_TIME_ZONES", _WORK, "a comma list of office id=Zone", "12345=US/Eastern",
        ("DrChrono's times are wall clocks of the doctor; this overrides the doctor's zone for visits at an office.",),
    ),
    Variable(
        "ON_DRCHRONO_DELETE", _WORK, "mark or delete: what becomes in Salesforce of a visit that DrChrono deleted",
        "mark",
    ),
    Variable(
        "ON_SALESFORCE_DELETE", _WORK, "cancel or hold: what becomes of a visit in DrChrono that Salesforce deleted",
        "cancel",
    ),
    Variable(
        "CONFIRM_SHARE", _WORK, "which share of DrChrono's believed deliveries is read back, 0 to 1", "0.01",
        ("A delivery proves only that its sender knows the secret; a false one is told in the log and in /metrics.",),
    ),
    Variable("RECONCILE_EVERY", _WORK, "how often both sides are compared, an ISO 8601 duration", "PT1H"),
    Variable(
        "OFFICE_HOURS", _WORK, "comma list of days and times with one zone at the end, or never",
        "Mon-Fri 08:00-21:00 America/New_York",
        ("When a vendor that tells of nothing is suspicious. Unset: the hours of clinics between New York and Los",
         "Angeles; hours that are not yours cost a few calls and raise no alarm."),
    ),
    Variable(
        "FEED_QUIET", _WORK, "how long a vendor may tell of nothing in office hours, an ISO 8601 duration", "PT15M",
        ("Then one look at its list shows whether something changed; ten minutes later a second one is the proof.",),
    ),
    Variable(
        "BRAKE_SHARE", _WORK, "which share of a kind one comparing may change unasked, above 0 and up to 1", "0.2",
        ("More, or a field emptied on more than 100 records, pauses the lane before anything is written. Look at it",
         "with `chronobridge reconcile --dry-run`, then resume the lane. Up to 100 changes always pass."),
    ),
    Variable("BRAKE_DELETES", _WORK, "how many deletions one comparing may carry over unasked, 0 or more", "10"),
    Variable("ATTEMPT_LIMIT", _WORK, "how often a record is tried before a person is asked, 1 or more", "8"),
    Variable(
        "RETENTION_DAYS", _WORK, "for how many days the contents of what is finished are kept, 1 or more", "30",
        ("Bodies of deliveries and replaced values, sealed: for replay and undo. What is unfinished stays.",),
    ),
    Variable(
        "INSTANCE_ID", _WORK, "a name that tells this installation from its copies", "north-clinic",
        ("A database started under another name or PUBLIC_URL writes nothing until an operator resumes it.",),
    ),
)  # fmt: skip


def fresh(public_url: str) -> dict[str, str]:
    """Give what a new installation begins with: its address, and keys and tokens nobody else has."""
    made = {
        Fill.PUBLIC_URL: lambda: public_url,
        Fill.KEY: lambda: Fernet.generate_key().decode(),
        Fill.TOKEN: lambda: secrets.token_hex(32),
    }
    return {variable.name: made[variable.fill]() for variable in VARIABLES if variable.fill is not Fill.NOTHING}


def render(values: Mapping[str, str]) -> str:
    """Give the whole commented file.

    values  name -> what it is set to; a variable left out stands there empty when it is needed, else commented out
    """
    text = [_OF_ITS_OWN if values else _TO_COPY]
    for section, members in groupby(VARIABLES, key=attrgetter("section")):
        text.append("\n\n" + f"# --- {section} ".ljust(_WIDTH, "-") + "\n")
        text += ["\n".join(["", *_comment(variable), _line(variable, values), ""]) for variable in members]
    return "".join(text)


def _comment(variable: Variable) -> list[str]:
    for_example = f", for example {variable.example}" if variable.is_needed and variable.ready_example else ""
    make_one = [f"Make one with: {variable.made_by}"] if variable.made_by else []
    return [f"# {line}" for line in (variable.expected + for_example, *variable.note, *make_one)]


def _line(variable: Variable, values: Mapping[str, str]) -> str:
    value, comment = values.get(variable.name), "# "
    if value is not None:
        comment = "# " if variable.is_shared else ""
    elif variable.is_needed:
        value, comment = "", ""
    return f"{comment}{variable.name}={value if value is not None else variable.ready_example}"


if __name__ == "__main__":
    sys.stdout.write(render({}))
