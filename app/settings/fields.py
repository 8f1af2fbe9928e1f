"""Every setting of the service, once: its type, its default, and how it is described in the env file and in an error.

A description's first line says what is expected; further lines are for whoever fills the setting in. The order of the
fields is that of the env file. What only holds between settings is checked by `env_file.load`.
"""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr

from app.settings.notices import NoticeSettings
from app.settings.types import (
    DOCUMENTS,
    DRCHRONO,
    KEY,
    SALESFORCE,
    TOKEN,
    WORK,
    ApiVersion,
    DoctorId,
    Duration,
    Hours,
    Interval,
    Keys,
    OfficeZones,
    OrgId,
    OrNone,
    PathTokens,
    SalesforceOrigin,
    ScannerUrl,
    TimeSpan,
    Tokens,
    WebhookSecrets,
    WebUrl,
    key_of_sessions,
)
from app.sync.model import Side
from app.sync.office_hours import OfficeHours, parse


class Settings(NoticeSettings):
    """What the environment, or a `.env` beside it, says."""

    drchrono_base_url: Annotated[WebUrl, DRCHRONO] = Field(
        "https://app.drchrono.com",
        description="the https address of DrChrono",
        examples=["https://app.drchrono.com"],
    )
    drchrono_client_id: Annotated[OrNone[str], DRCHRONO] = Field(
        None, description="the client id of the API application", examples=["Zk3…"]
    )
    drchrono_client_secret: Annotated[OrNone[SecretStr], DRCHRONO] = Field(
        None, description="the client secret of the API application", examples=["h0w…"]
    )
    drchrono_webhook_secrets: Annotated[WebhookSecrets, DRCHRONO, replace(TOKEN, is_active=False)] = (
        Field(  # all or none
            (),
            description="a comma list of webhook secrets of at least 32 characters, the one in use first\n"
            "Put the same into the webhook's form at DrChrono. Uncomment it together with the id and the secret.",
        )
    )
    drchrono_answers_verification: Annotated[bool, DRCHRONO] = Field(
        True,
        description="true or false: whether DrChrono's verification of the webhook address is answered\n"
        "Needed while the webhook is made or its address changed: whoever asks gets a hash of it under the secret.",
        examples=["true"],
    )
    drchrono_calls_per_hour: Annotated[int, DRCHRONO] = Field(
        500,
        ge=1,
        description="a number of calls, 1 or more\nWhat DrChrono allows the API application in a clock hour.",
        examples=["500"],
    )
    drchrono_calls_per_second: Annotated[int, DRCHRONO] = Field(
        4,
        ge=1,
        description="a number of calls, 1 or more\n"
        "DrChrono throttles an application at 10 in any second; some of ours are longer on their way than others.",
        examples=["4"],
    )
    drchrono_request_limit: Annotated[Duration, DRCHRONO] = Field(
        timedelta(minutes=2),
        description="how long DrChrono may go on with a request, such as 2m, 90s or PT2M\n"
        "A write whose answer was missed may be done late until then; it is remembered for so long.",
        examples=["2m"],
    )
    drchrono_default_doctor: Annotated[OrNone[DoctorId], DRCHRONO] = Field(
        None,
        description="the id of a doctor, a number\n"
        "Whose patient a ticked Contact becomes that names no doctor; DrChrono demands one.",
        examples=["310001"],
    )
    drchrono_search_gap: Annotated[Duration, DRCHRONO] = Field(
        timedelta(seconds=30),
        description="how long DrChrono's lists may lag behind, such as 30s or PT30S\n"
        "Twice, this far apart, a missed create is searched for, and a record that is not shown is asked for.",
        examples=["30s"],
    )

    salesforce_login_url: Annotated[OrNone[SalesforceOrigin], SALESFORCE] = Field(
        None, description="the https address of your My Domain", examples=["https://acme.my.salesforce.com"]
    )
    salesforce_client_id: Annotated[OrNone[str], SALESFORCE] = Field(
        None, description="the consumer key of the external client app", examples=["3MVG9…"]
    )
    salesforce_client_secret: Annotated[OrNone[SecretStr], SALESFORCE] = Field(
        None, description="the consumer secret; or username and private key instead", examples=["8F2…"]
    )
    salesforce_username: Annotated[OrNone[str], SALESFORCE] = Field(
        None, description="the integration user's username", examples=["sync@acme.example"]
    )
    salesforce_private_key_file: Annotated[OrNone[Path], SALESFORCE] = Field(
        None, description="the path of an unencrypted PEM RSA key", examples=["/etc/chronobridge/salesforce.pem"]
    )
    salesforce_org_id: Annotated[OrNone[OrgId], SALESFORCE] = Field(
        None, description="the organization id, 15 or 18 characters", examples=["00D5g000001AbCdEAK"]
    )
    salesforce_outbound_tokens: Annotated[PathTokens, SALESFORCE, TOKEN] = Field(
        (),
        description="a comma list of secrets of at least 16 characters, the end of the outbound messages' address\n"
        "In Salesforce: PUBLIC_URL/webhooks/salesforce/outbound/ and one of these; two while it is changed.",
    )
    salesforce_event_tokens: Annotated[Tokens, SALESFORCE, TOKEN] = Field(
        (),
        description="a comma list of bearer tokens of at least 16 characters, for platform events\n"
        "Sent to PUBLIC_URL/webhooks/salesforce/events as Authorization: Bearer. Two during a change.",
    )
    salesforce_event_signing_keys: Annotated[Keys, SALESFORCE, replace(KEY, is_active=False)] = Field(
        (),  # once it is set, whoever sends events must sign them
        description="a comma list of url-safe base64 keys of 32 bytes, for signed platform events\n"
        "Set: every request must carry X-Chronobridge-Signature: t=SECONDS,v1=HMAC-SHA256 of SECONDS.BODY, in hex.",
    )
    salesforce_status_fields: Annotated[bool, SALESFORCE] = Field(
        True, description="true or false: whether records in Salesforce show how they are synced", examples=["true"]
    )
    salesforce_api_version: Annotated[ApiVersion, SALESFORCE] = Field(
        "67.0", description="a version number, 41.0 or later", examples=["67.0"]
    )
    salesforce_request_limit: Annotated[Duration, SALESFORCE] = Field(
        timedelta(minutes=10),
        description="how long Salesforce may go on with a request, such as 10m or PT10M\n"
        "A write whose answer was missed may be done late until then; it is remembered for so long.",
        examples=["10m"],
    )
    salesforce_calls_at_once: Annotated[int, SALESFORCE] = Field(
        6,
        ge=1,
        le=25,
        description="a number of calls, 1 to 25\n"
        "How many calls of one process may be under way; one nobody waits for any more is, for as long as\n"
        "SALESFORCE_REQUEST_LIMIT. Times the number of workers, and one more for the command line, it must stay\n"
        "within the 25 long calls of an org (5 of a trial's).",
        examples=["6"],
    )
    salesforce_daily_call_share: Annotated[float, SALESFORCE] = Field(
        0.5,
        gt=0,
        le=1,
        description="a share of the org's daily API calls, above 0 and up to 1\n"
        "Beyond it only live edits are sent; reconciliation, retries and an initial sync wait for the day to recover.",
        examples=["0.5"],
    )

    confirm_after: Annotated[TimeSpan, WORK] = Field(
        timedelta(seconds=5),
        description="how long to wait before asking DrChrono about a doubted body, such as 5s or PT5S",
        examples=["5s"],
    )
    office_time_zones: Annotated[OfficeZones, WORK] = Field(
        default_factory=dict,
        description="a comma list of office id=Zone\n"
        "DrChrono's times are wall clocks of the doctor; this overrides the doctor's zone for visits at an office.",
        examples=["12345=US/Eastern"],
    )
    on_drchrono_delete: Annotated[Literal["mark", "delete"], WORK] = Field(
        "mark",
        description="mark or delete: what becomes in Salesforce of a visit that DrChrono deleted",
        examples=["mark"],
    )
    on_salesforce_delete: Annotated[Literal["cancel", "hold"], WORK] = Field(
        "cancel",
        description="cancel or hold: what becomes of a visit in DrChrono that Salesforce deleted",
        examples=["cancel"],
    )
    confirm_share: Annotated[float, WORK] = Field(
        0.01,
        ge=0,
        le=1,
        description="which share of DrChrono's believed deliveries is read back, 0 to 1\n"
        "A delivery proves only that its sender knows the secret; a false one is told in the log and in /metrics.",
        examples=["0.01"],
    )
    reconcile_every: Annotated[Interval, WORK] = Field(
        timedelta(hours=1),
        description="how often both systems are compared, a minute or more, such as 1h, 30m or PT1H",
        examples=["1h"],
    )
    office_hours: Annotated[Hours, WORK] = Field(
        "Mon-Fri 08:00-21:00 America/New_York",
        description="comma list of days and times with one zone at the end, or never\n"
        "When a vendor that tells of nothing is suspicious. Unset: the hours of clinics between New York and Los\n"
        "Angeles; hours that are not yours cost a few calls and raise no alarm.",
        examples=["Mon-Fri 08:00-21:00 America/New_York"],
    )
    feed_quiet: Annotated[Interval, WORK] = Field(
        timedelta(minutes=15),
        description="how long a vendor may send nothing in office hours, a minute or more, such as 15m or PT15M\n"
        "Then one look at its list shows whether something changed; ten minutes later a second one is the proof.",
        examples=["15m"],
    )
    brake_share: Annotated[float, WORK] = Field(
        0.2,
        gt=0,
        le=1,
        description="which share of a kind one comparing may change unasked, above 0 and up to 1\n"
        "More, or a field emptied on more than 100 records, pauses the lane before anything is written. Look at it\n"
        "with `chronobridge reconcile --dry-run`, then resume the lane. Up to 100 changes always pass.",
        examples=["0.2"],
    )
    brake_deletes: Annotated[int, WORK] = Field(
        10, ge=0, description="how many deletions one comparing may carry over unasked, 0 or more", examples=["10"]
    )
    attempt_limit: Annotated[int, WORK] = Field(
        8, ge=1, description="how often a record is tried before a person is asked, 1 or more", examples=["8"]
    )
    retention_days: Annotated[int, WORK] = Field(
        30,
        ge=1,
        le=36_500,
        description="for how many days the contents of what is finished are kept, 1 or more\n"
        "Bodies of deliveries and replaced values, sealed: for replay and undo. What is unfinished stays.",
        examples=["30"],
    )
    audit_retention_days: Annotated[int, WORK] = Field(
        2_557,
        ge=1,
        le=36_500,
        description="for how many days it is kept who did what, 1 or more\n"
        "Unset: seven years, one more than HIPAA asks for.",
        examples=["2557"],
    )
    instance_id: Annotated[str, WORK] = Field(
        "",
        description="a name that tells this installation from its copies\n"
        "A database started under another name or PUBLIC_URL writes nothing until an operator resumes it.",
        examples=["north-clinic"],
    )

    document_max_mb: Annotated[int, DOCUMENTS] = Field(
        10,
        ge=1,
        le=100,
        description="a number of megabytes, 1 to 100\n"
        "A larger document does not travel. DrChrono publishes no limit of its own, and the scanner may have one.",
        examples=["10"],
    )
    document_scanner: Annotated[OrNone[ScannerUrl], DOCUMENTS] = Field(
        None,
        description="clamd://HOST:PORT, clamd:///PATH of its socket, or icap://HOST:PORT/SERVICE\n"
        "Every document is scanned before it travels, and waits while the scanner does not answer. Unset: none is.\n"
        "Documents go there unencrypted, so keep it on this machine or network.",
        examples=["clamd://127.0.0.1:3310"],
    )
    document_poll_every: Annotated[Interval, DOCUMENTS] = Field(
        timedelta(minutes=15),
        description="how often DrChrono is asked for changed documents, a minute or more, such as 15m or PT15M\n"
        "DrChrono has no webhook for them. Those of one patient are asked for at once when somebody opens the record.",
        examples=["15m"],
    )
    document_call_share: Annotated[float, DOCUMENTS] = Field(
        0.1,
        gt=0,
        le=1,
        description="a share of DrChrono's calls of an hour, above 0 and up to 1\n"
        "As much of it as documents may have that nobody waits for.",
        examples=["0.1"],
    )

    @property
    def connected(self) -> frozenset[Side]:
        """The sides whose settings are there; all or none of a side's are, or the start has failed."""
        ids = {Side.DRCHRONO: self.drchrono_client_id, Side.SALESFORCE: self.salesforce_client_id}
        return frozenset(side for side, id_ in ids.items() if id_)

    @property
    def hours(self) -> OfficeHours:
        """When the clinic is open."""
        return parse(self.office_hours)

    @property
    def zone(self) -> ZoneInfo:
        """The clinic's zone: pages tell the time by its clock."""
        return ZoneInfo(self.clinic_zone) if self.clinic_zone else self.hours.zone

    @property
    def private_key(self) -> str | None:
        """The PEM text of Salesforce's private key, when that is how we sign in."""
        return self.salesforce_private_key_file.read_text() if self.salesforce_private_key_file else None

    @property
    def is_secure(self) -> bool:
        """Whether people reach us by https, so that cookies may insist on it."""
        return self.public_url.startswith("https:")

    @property
    def signing_key(self) -> bytes:
        """What people's sessions are signed with: SESSION_KEY, or a key of its own made from ENCRYPTION_KEYS."""
        return key_of_sessions(self.session_key, self.encryption_keys)

    @property
    def identity(self) -> str:
        """What tells this installation from a restored or cloned copy of its database."""
        return f"{self.public_url}#{self.instance_id}"
