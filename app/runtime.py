"""The one place where things are opened and joined: web, workers, commands and tests all enter here.

Importing this opens nothing. What a side needs that is not configured is None: that side is *not connected*.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from app.documents.content import ContentRules
from app.errors import OTHER_INSTANCE, OtherInstance, StoreUnavailable
from app.log import log, loop_failed
from app.metrics.definitions import RINGS_MISSED
from app.ports import Committed, Inbox, TokenStore
from app.settings.fields import Settings
from app.settings.notices import read_mail_server
from app.settings.types import raw_keys, secret_values
from app.settings.url import LOOPBACK
from app.store import fence, org_descriptions
from app.store.audit_chain import AuditKeys
from app.store.counters import ProcessCounters
from app.store.database import Database
from app.store.encryption import Vault
from app.store.rate_ledger import RateLedger
from app.store.vendor_tokens import VendorTokens
from app.sync.base import HashKeys, Rules
from app.sync.mappings import file
from app.sync.model import Kind, Side
from app.timings import Timings, of_this_process
from app.vendors import http, notices
from app.vendors.drchrono.client import DrChrono
from app.vendors.drchrono.oauth import DrChronoGrant
from app.vendors.drchrono.staff_sign_in import StaffSignIn
from app.vendors.http import OnResponse, ignore_response
from app.vendors.notices import NoticeChannel
from app.vendors.oidc import OidcClient
from app.vendors.rate_limit.concurrency import ConcurrencySlots
from app.vendors.rate_limit.document_calls import DocumentCallLimit
from app.vendors.rate_limit.drchrono import DrChronoRateLimit
from app.vendors.rate_limit.policy import (
    LIVE_DOCUMENTS_SHARE,
    QUESTIONS_PER_HOUR,
    QUESTIONS_SHARE,
    SIGN_IN_CALLS_PER_HOUR,
    Allowance,
)
from app.vendors.rate_limit.questions import QuestionLimit
from app.vendors.rate_limit.salesforce import SalesforceRateLimit, unlimited
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.device_flow import DeviceGrant
from app.vendors.salesforce.oauth import Credentials, SalesforceGrant
from app.vendors.salesforce.org_description import OrgMappings
from app.vendors.token_broker import UnstoredToken
from app.wakeup import Wakeup

_PATIENT_CALL_S = 65.0  # a package is sent and looked at in one call


@dataclass(frozen=True, slots=True)
class WebhookSecrets:
    """What proves who sends a delivery, in clear; several of a sort while one takes another's place.

    drchrono     the secret token of the webhook
    outbound     tokens in the address of Salesforce's outbound messages
    events       bearer tokens of platform events
    event_keys   what signs those events; none: they need no signature
    """

    drchrono: tuple[str, ...] = field(default=(), repr=False)
    outbound: tuple[str, ...] = field(default=(), repr=False)
    events: tuple[str, ...] = field(default=(), repr=False)
    event_keys: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Runtime:
    """What every part of the service works with."""

    settings: Settings
    database: Database
    vault: Vault
    keys: HashKeys
    mappings: OrgMappings
    wakeup: Wakeup
    drchrono: DrChrono | None
    salesforce: Salesforce | None
    counts: ProcessCounters = field(default_factory=ProcessCounters)
    oidc: OidcClient | None = None
    channels: tuple[NoticeChannel, ...] = ()
    staff_sign_in: StaffSignIn | None = None
    webhook_secrets: WebhookSecrets = field(init=False)
    questions: Mapping[Side, QuestionLimit] = field(init=False)
    document_calls: DocumentCallLimit = field(init=False)
    live_document_calls: DocumentCallLimit = field(init=False)

    def __post_init__(self) -> None:
        known = self.settings
        given = WebhookSecrets(
            secret_values(known.drchrono_webhook_secrets),
            secret_values(known.salesforce_outbound_tokens),
            secret_values(known.salesforce_event_tokens),
            raw_keys(known.salesforce_event_signing_keys),
        )
        object.__setattr__(self, "webhook_secrets", given)  # read at every delivery, so made once
        limits = {side: question_limit(known, self.database, side) for side in Side}
        object.__setattr__(self, "questions", limits)
        object.__setattr__(self, "document_calls", document_call_limit(known, self.database))
        object.__setattr__(self, "live_document_calls", live_document_call_limit(known, self.database))

    def rules(self, kind: Kind) -> Rules:
        """Give the rules of a kind that is mapped."""
        known = self.settings
        deletes, cancels = known.on_drchrono_delete == "delete", known.on_salesforce_delete == "cancel"
        doctor = known.drchrono_default_doctor
        return Rules(
            self.mappings[kind],
            self.keys,
            known.confirm_after,
            deletes,
            cancels,
            search_gap=known.drchrono_search_gap,
            defaults={"doctor": int(doctor)} if doctor is not None else {},
        )

    @property
    def content_rules(self) -> ContentRules:
        """What is asked of every document's content."""
        return ContentRules.of(self.settings.document_max_mb, self.settings.document_scanner)

    @property
    def timings(self) -> Timings:
        """Give how long the service's own waits are."""
        return self.database.timings

    @property
    def is_on_loopback(self) -> bool:
        """Whether PUBLIC_URL is this machine's loopback, which no vendor can reach."""
        return urlsplit(self.settings.public_url).hostname in LOOPBACK

    async def must_be_ours(self) -> None:
        """Let something go on only where the database belongs to this installation.

        Raises  OtherInstance, StoreUnavailable
        """
        if not await fence.is_ours(self.database):
            raise OtherInstance

    def now(self) -> datetime:
        """Give the present instant."""
        return datetime.now(UTC)


@asynccontextmanager
async def open_runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """Open everything the settings name, and close it at the end; a database that is another's is recognized.

    Raises  Misconfigured when the mapping file is wrong
    """
    asyncio.get_running_loop().set_exception_handler(loop_failed)
    mappings = OrgMappings(file.load(settings.mapping_file))
    context = http.trusted(settings.ca_bundle)
    timings = of_this_process()
    sealing = tuple(key.get_secret_value().encode() for key in settings.encryption_keys)
    vault, audit_keys = Vault(sealing), AuditKeys.of(sealing)
    async with AsyncExitStack() as stack:
        known = Database(settings.database_url, timings, audit_keys, settings.ca_bundle, settings.identity)
        database = await stack.enter_async_context(known.opened())
        await _recognize(database)
        await recall_org(database, mappings)
        counts = ProcessCounters()
        wakeup = Wakeup(settings.redis_url, lambda: counts.add(RINGS_MISSED), settings.ca_bundle)
        stack.push_async_callback(wakeup.close)
        drchrono = salesforce = None
        if Side.DRCHRONO in settings.connected:
            assert settings.drchrono_client_id is not None
            assert settings.drchrono_client_secret is not None
            application = DrChronoGrant(
                settings.drchrono_base_url,
                settings.drchrono_client_id,
                settings.drchrono_client_secret.get_secret_value(),
                context,
                drchrono_budget(settings, database, counts),
            )
            drchrono = DrChrono(application, VendorTokens(database, vault, Side.DRCHRONO), context, _tell)
            drchrono.timings = timings
            stack.push_async_callback(drchrono.close)
        if Side.SALESFORCE in settings.connected:
            store = VendorTokens(database, vault, Side.SALESFORCE)
            salesforce = salesforce_client(settings, store, context, salesforce_budget(settings, database, counts))
            salesforce.timings = timings
            stack.push_async_callback(salesforce.close)
        keys = HashKeys.of(raw_keys(settings.hash_keys))
        oidc = oidc_client(settings, context)
        if oidc is not None:
            stack.push_async_callback(oidc.close)
        staff = staff_sign_in(settings, database, counts, context)
        if staff is not None:
            stack.push_async_callback(staff.close)
        channels = notice_channels(settings, context)
        for channel in channels:
            stack.push_async_callback(channel.close)
        yield Runtime(
            settings, database, vault, keys, mappings, wakeup, drchrono, salesforce, counts, oidc, channels, staff
        )


async def _recognize(database: Database) -> None:
    """Record whom a new database belongs to, and say where this one belongs to another: nothing will be called then."""
    try:
        if not await fence.recognize(database):
            log.warning("instance.unknown", advice=OTHER_INSTANCE)
    except StoreUnavailable:
        log.warning("database.away", advice="deliveries are answered 503 until it is back; is it migrated?")


async def recall_org(database: Database, mappings: OrgMappings) -> None:
    """Let a mapping fit what the org last said of itself; nothing changes where that cannot be read."""
    with suppress(StoreUnavailable):
        mappings.fit(await org_descriptions.read(database))


def open_inbox(runtime: Runtime, committed: Committed) -> Inbox:
    """Open an inbox that calls `committed` after each commit; whoever opens it closes it."""
    database = runtime.database
    if database.address is not None:
        from app.store.inbox.postgres import PostgresInbox

        return PostgresInbox(database.address, committed)
    from app.store.inbox.sqlite import SqliteInbox

    return SqliteInbox(database.path, committed)


def oidc_client(settings: Settings, context: Any) -> OidcClient | None:
    """Give this service as a client of the issuer that the settings name; None where they name none."""
    if settings.oidc_issuer is None:
        return None
    assert settings.oidc_client_id is not None
    assert settings.oidc_client_secret is not None
    secret = settings.oidc_client_secret.get_secret_value()
    return OidcClient(settings.oidc_issuer, settings.oidc_client_id, secret, settings.oidc_scopes, context)


def staff_sign_in(settings: Settings, database: Database, counts: ProcessCounters, context: Any) -> StaffSignIn | None:
    """Give this service as the API application that staff sign in by; None where the settings name none.

    Its calls are counted apart: DrChrono gives each application an hour of its own.
    """
    if settings.drchrono_sign_in_client_id is None:
        return None
    assert settings.drchrono_sign_in_client_secret is not None
    calls = RateLedger(database, settings.drchrono_sign_in_client_id)
    allowance = Allowance(SIGN_IN_CALLS_PER_HOUR, settings.drchrono_calls_per_second)
    budget = DrChronoRateLimit(Side.DRCHRONO.value, calls, allowance, _heard(counts, Side.DRCHRONO))
    application = DrChronoGrant(
        settings.drchrono_base_url,
        settings.drchrono_sign_in_client_id,
        settings.drchrono_sign_in_client_secret.get_secret_value(),
        context,
        budget,
    )
    return StaffSignIn(DrChrono(application, UnstoredToken(), context, _tell))


def notice_channels(settings: Settings, context: ssl.SSLContext) -> tuple[NoticeChannel, ...]:
    """Give every way to tell people that the settings name."""
    channels: list[NoticeChannel] = []
    if settings.notify_url is not None:
        assert settings.notify_signing_key is not None
        (key,) = raw_keys([settings.notify_signing_key])
        channels.append(notices.webhook(settings.notify_url.get_secret_value(), key, settings.public_url, context))
    if settings.notify_slack_url is not None:
        channels.append(notices.slack(settings.notify_slack_url.get_secret_value(), settings.public_url, context))
    if settings.notify_smtp_url is not None:
        from app.vendors.email_notices import EmailChannel, MailRoute

        assert settings.notify_email_from is not None
        server = read_mail_server(settings.notify_smtp_url.get_secret_value())
        route = MailRoute(
            server.host,
            server.port,
            settings.notify_email_from,
            settings.notify_email_to,
            server.user,
            server.password,
            server.is_tls,
            settings.notify_plaintext,
        )
        channels.append(EmailChannel(route, settings.public_url, context))
    return tuple(channels)


def _tell(event: str, **line: Any) -> None:
    (log.info if event in ("token.stored", "token.taken") else log.warning)(event, **line)


def ledger_of(settings: Settings, database: Database, side: Side) -> RateLedger:
    """Give what is kept of the calls to a side that the settings name."""
    org = f"salesforce {settings.salesforce_org_id}"
    return RateLedger(database, org if side is Side.SALESFORCE else settings.drchrono_client_id or "")


def drchrono_budget(settings: Settings, database: Database, counts: ProcessCounters | None = None) -> DrChronoRateLimit:
    """Give the budget of the API application that the settings name; `counts`: where its calls are counted too."""
    allowance = Allowance(settings.drchrono_calls_per_hour, settings.drchrono_calls_per_second)
    heard = _heard(counts, Side.DRCHRONO)
    return DrChronoRateLimit(Side.DRCHRONO.value, ledger_of(settings, database, Side.DRCHRONO), allowance, heard)


def question_limit(settings: Settings, database: Database, side: Side) -> QuestionLimit:
    """Give the limit of what people may ask of a side that the settings name."""
    per_hour = max(int(settings.drchrono_calls_per_hour * QUESTIONS_SHARE), 1)
    allowance = Allowance(per_hour if side is Side.DRCHRONO else QUESTIONS_PER_HOUR, settings.drchrono_calls_per_second)
    return QuestionLimit(side.value, RateLedger(database, f"questions {side.value}"), allowance)


def document_call_limit(settings: Settings, database: Database) -> DocumentCallLimit:
    """Give the limit of DrChrono's calls for documents that nobody waits for, which the settings name."""
    return _part_of_the_hour(settings, database, "documents", settings.document_call_share)


def live_document_call_limit(settings: Settings, database: Database) -> DocumentCallLimit:
    """Give the limit of DrChrono's calls for documents that somebody waits for."""
    return _part_of_the_hour(settings, database, "live documents", LIVE_DOCUMENTS_SHARE)


def _part_of_the_hour(settings: Settings, database: Database, of: str, share: float) -> DocumentCallLimit:
    per_hour = max(int(settings.drchrono_calls_per_hour * share), 1)
    allowance = Allowance(per_hour, settings.drchrono_calls_per_second)
    side = Side.DRCHRONO.value
    return DocumentCallLimit(side, RateLedger(database, f"{of} {side}"), allowance)


def salesforce_budget(
    settings: Settings, database: Database, counts: ProcessCounters | None = None
) -> SalesforceRateLimit:
    """Give the budget of the org that the settings name; `counts`: where its calls are counted too."""
    told = ledger_of(settings, database, Side.SALESFORCE)
    places = ConcurrencySlots(settings.salesforce_calls_at_once, settings.salesforce_request_limit.total_seconds())
    heard = _heard(counts, Side.SALESFORCE)
    return SalesforceRateLimit(Side.SALESFORCE.value, told, settings.salesforce_daily_call_share, places, heard=heard)


def _heard(counts: ProcessCounters | None, side: Side) -> OnResponse:
    return ignore_response if counts is None else partial(counts.called, side)


def salesforce_client(settings: Settings, store: TokenStore, context: Any, budget: SalesforceRateLimit) -> Salesforce:
    """Give a client of the org that the settings name, keeping its token where it is told."""
    grant = SalesforceGrant(_credentials(settings), context, budget.heard)
    return Salesforce(grant, store, context, settings.salesforce_api_version, _tell, budget)


def device_grant(settings: Settings) -> DeviceGrant:
    """Give what signs a person in to the org that the settings name."""
    return DeviceGrant(_credentials(settings), http.trusted(settings.ca_bundle))


@asynccontextmanager
async def open_salesforce(settings: Settings, grant: SalesforceGrant | None = None) -> AsyncIterator[Salesforce]:
    """Open the org that the settings name without a database, for a command; its session is kept nowhere.

    grant  who signs in; None: the settings' own user
    """
    context, budget = http.trusted(settings.ca_bundle), unlimited()
    grant = grant or SalesforceGrant(_credentials(settings), context)
    client = Salesforce(grant, UnstoredToken(), context, settings.salesforce_api_version, _untold, budget)
    client.timings = replace(client.timings, call_s=_PATIENT_CALL_S, read_s=_PATIENT_CALL_S - 5)
    try:
        yield client
    finally:
        await client.close()


def _untold(_event: str, **_line: Any) -> None:
    """Log nothing: a command says what it was refused."""


def _credentials(settings: Settings) -> Credentials:
    assert settings.salesforce_login_url is not None
    assert settings.salesforce_client_id is not None
    assert settings.salesforce_org_id is not None
    secret = settings.salesforce_client_secret
    return Credentials(
        settings.salesforce_login_url,
        settings.salesforce_client_id,
        secret.get_secret_value() if secret else None,
        settings.salesforce_username,
        settings.private_key,
        settings.salesforce_org_id,
    )
