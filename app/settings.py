"""Every setting, typed and checked once at start; a wrong one names itself, what is expected and an example.

The database, the keys, the operator's token and PUBLIC_URL must be right to start. Each side's settings are all or
none: none means *not connected*, which blocks only calls to that side.
"""

import base64
import re
import ssl
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from app.errors import Misconfigured
from app.sync import office_hours
from app.sync.clock import known_zone
from app.sync.office_hours import OfficeHours
from app.sync.records import Side
from app.variables import VARIABLES

_KEY_BYTES = 32
_SHORTEST_TOKEN = 16
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def _parts(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _zones(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in _parts(value)]
    zones = {office.strip(): zone.strip() for office, _, zone in pairs}
    if len(zones) != len(pairs) or not all(office and known_zone(zone) for office, zone in zones.items()):
        raise ValueError("an office is named twice, or a zone is not one this machine knows")
    return zones


def _key(value: SecretStr) -> SecretStr:
    try:
        size = len(base64.b64decode(value.get_secret_value().encode(), altchars=b"-_", validate=True))
    except ValueError:
        size = 0
    if size != _KEY_BYTES:
        raise ValueError("a key is not url-safe base64 of 32 bytes")
    return value


def _keys(value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    return tuple(_key(one) for one in value)


def _web_url(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in ("https", "http") or not url.hostname or url.query or url.fragment or url.username:
        raise ValueError("it is not an https address")
    if url.scheme == "http" and url.hostname not in LOOPBACK:
        raise ValueError("plain http is allowed for this machine only; use https")
    _ = url.port  # raises for a port that is none
    return value.rstrip("/")


def _origin(value: str) -> str:
    if urlsplit(value).scheme != "https" or urlsplit(value).path.rstrip("/"):
        raise ValueError("it is not the https address of a host")
    return _web_url(value)


def _database_url(value: str) -> str:
    if not value.startswith(("sqlite+aiosqlite:///", "postgresql+asyncpg://")):
        raise ValueError("it names no database this service can use")
    if value.startswith("sqlite") and value.removeprefix("sqlite+aiosqlite:///") in ("", ":memory:"):
        raise ValueError("a database in memory would lose what was acknowledged")
    try:
        make_url(value)
    except (ArgumentError, ValueError):
        raise ValueError("it is not an address") from None
    return value


def _redis_url(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in ("redis", "rediss", "unix") or not (url.hostname or url.path):
        raise ValueError("it is not an address that begins with redis:// or rediss://")
    _ = url.port  # raises for a port that is none
    return value


def _long_enough(value: SecretStr) -> SecretStr:
    if value.get_secret_value() != value.get_secret_value().strip():
        raise ValueError("it begins or ends with a blank, which no form or header would carry")
    if len(value.get_secret_value()) < _SHORTEST_TOKEN:
        raise ValueError(f"it is shorter than {_SHORTEST_TOKEN} characters, so it can be guessed")
    return value


def _all_long_enough(value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    return tuple(_long_enough(one) for one in value)


def _zero_is_none(value: Any) -> Any:
    return None if value == "" else value


def _org_id(value: str) -> str:
    if not re.fullmatch(r"00D[0-9A-Za-z]{12}([0-9A-Za-z]{3})?", value):
        raise ValueError("it is not an organization id")
    return value


def _office_hours(value: str) -> str:
    office_hours.parse(value)
    return value


Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_parts)]
Keys = Annotated[Secrets, AfterValidator(_keys), Field(min_length=1)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
Token = Annotated[SecretStr, AfterValidator(_long_enough)]
Optional = BeforeValidator(_zero_is_none)

# variable -> (what is expected, an example)
EXPECTED = {variable.name: (variable.expected, variable.example) for variable in VARIABLES}


class Settings(BaseSettings):
    """What the environment, or a `.env` beside it, says."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True, env_ignore_empty=True
    )

    database_url: Annotated[str, AfterValidator(_database_url), Field(repr=False)] = (
        "sqlite+aiosqlite:///var/chronobridge.db"
    )
    redis_url: Annotated[Annotated[str, AfterValidator(_redis_url)] | None, Optional, Field(repr=False)] = None
    public_url: WebUrl
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    trusted_proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_parts)] = ()
    encryption_keys: Keys
    hash_keys: Keys
    session_key: Annotated[Annotated[SecretStr, AfterValidator(_key)] | None, Optional] = None
    operator_token: Token
    viewer_token: Annotated[Token | None, Optional] = None
    mapping_file: Annotated[Path | None, Optional] = None
    ca_bundle: Annotated[Path | None, Optional] = None

    drchrono_base_url: WebUrl = "https://app.drchrono.com"
    drchrono_client_id: Annotated[str | None, Optional] = None
    drchrono_client_secret: Annotated[SecretStr | None, Optional] = None
    drchrono_webhook_secrets: Annotated[Secrets, AfterValidator(_all_long_enough)] = ()
    drchrono_calls_per_hour: Annotated[int, Field(ge=1)] = 500
    drchrono_calls_per_second: Annotated[int, Field(ge=1)] = 4

    salesforce_login_url: Annotated[Annotated[str, AfterValidator(_origin)] | None, Optional] = None
    salesforce_client_id: Annotated[str | None, Optional] = None
    salesforce_client_secret: Annotated[SecretStr | None, Optional] = None
    salesforce_username: Annotated[str | None, Optional] = None
    salesforce_private_key_file: Annotated[Path | None, Optional] = None
    salesforce_org_id: Annotated[Annotated[str, AfterValidator(_org_id)] | None, Optional] = None
    salesforce_outbound_tokens: Annotated[Secrets, AfterValidator(_all_long_enough)] = ()
    salesforce_event_tokens: Annotated[Secrets, AfterValidator(_all_long_enough)] = ()
    salesforce_event_signing_keys: Annotated[Secrets, AfterValidator(_keys)] = ()
    salesforce_api_version: Annotated[str, Field(pattern=r"^\d{2,3}\.0$")] = "67.0"
    salesforce_request_limit: Annotated[timedelta, Field(gt=timedelta(0))] = timedelta(minutes=10)

    salesforce_daily_call_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    salesforce_calls_at_once: Annotated[int, Field(ge=1, le=25)] = 6

    drchrono_default_doctor: Annotated[Annotated[str, Field(pattern=r"^[0-9]{1,18}$")] | None, Optional] = None
    drchrono_search_gap: Annotated[timedelta, Field(gt=timedelta(0))] = timedelta(seconds=30)
    drchrono_request_limit: Annotated[timedelta, Field(gt=timedelta(0))] = timedelta(minutes=2)
    confirm_after: Annotated[timedelta, Field(ge=timedelta(0))] = timedelta(seconds=5)
    office_time_zones: Annotated[Mapping[str, str], NoDecode, BeforeValidator(_zones), Field(default_factory=dict)]
    on_drchrono_delete: Literal["mark", "delete"] = "mark"
    on_salesforce_delete: Literal["cancel", "hold"] = "cancel"
    reconcile_every: Annotated[timedelta, Field(gt=timedelta(0))] = timedelta(hours=1)
    office_hours: Annotated[str, AfterValidator(_office_hours)] = "Mon-Fri 08:00-21:00 America/New_York"
    feed_quiet: Annotated[timedelta, Field(gt=timedelta(0))] = timedelta(minutes=15)
    confirm_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    brake_share: Annotated[float, Field(gt=0, le=1)] = 0.2
    brake_deletes: Annotated[int, Field(ge=0)] = 10
    attempt_limit: Annotated[int, Field(ge=1)] = 8
    retention_days: Annotated[int, Field(ge=1, le=36_500)] = 30
    instance_id: str = ""

    @property
    def connected(self) -> frozenset[Side]:
        """The sides whose settings are there; all or none of a side's are, or the start has failed."""
        sides = set()
        if self.drchrono_client_id:
            sides.add(Side.DRCHRONO)
        if self.salesforce_client_id:
            sides.add(Side.SALESFORCE)
        return frozenset(sides)

    @property
    def hours(self) -> OfficeHours:
        """When the clinic is open."""
        return office_hours.parse(self.office_hours)

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
        if self.session_key is not None:
            return raw_keys([self.session_key])[0]
        newest = raw_keys(self.encryption_keys)[0]
        return HKDF(hashes.SHA256(), _KEY_BYTES, salt=None, info=b"chronobridge sessions").derive(newest)

    @property
    def identity(self) -> str:
        """What tells this installation from a restored or cloned copy of its database."""
        return f"{self.public_url}#{self.instance_id}"


def secret_values(secrets: Sequence[SecretStr]) -> tuple[str, ...]:
    """Give what the secrets hold."""
    return tuple(secret.get_secret_value() for secret in secrets)


def raw_keys(keys: Sequence[SecretStr]) -> tuple[bytes, ...]:
    """Give keys as their 32 bytes."""
    return tuple(base64.urlsafe_b64decode(key.get_secret_value()) for key in keys)


def load(**given: Any) -> Settings:
    """Read the settings and check them all.

    Raises  Misconfigured with one line that names the variable, what is expected and an example
    """
    try:
        settings = Settings(**given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        name = str(first["loc"][0]).upper()
        problem = "is missing" if first["type"] == "missing" else f"is wrong ({_plain(first['msg'])})"
        raise _wrong(name, problem) from None
    if settings.viewer_token == settings.operator_token:
        raise _wrong("VIEWER_TOKEN", "is the same as OPERATOR_TOKEN, so whoever reads could also act")
    _all_or_none(settings)
    _files(settings)
    return settings


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")[:1].lower() + message.removeprefix("Value error, ")[1:]


def _wrong(name: str, problem: str) -> Misconfigured:
    expected, example = EXPECTED.get(name, ("", ""))
    return Misconfigured(f"{name} {problem}: expected {expected}; for example {name}={example}")


def _all_or_none(settings: Settings) -> None:
    drchrono = ("drchrono_client_id", "drchrono_client_secret", "drchrono_webhook_secrets")
    _complete(settings, "DrChrono", drchrono)
    by_secret = settings.salesforce_client_secret is not None
    by_key = settings.salesforce_username is not None or settings.salesforce_private_key_file is not None
    if by_secret and by_key:
        raise _wrong(
            "SALESFORCE_CLIENT_SECRET",
            "stands beside SALESFORCE_USERNAME or SALESFORCE_PRIVATE_KEY_FILE; keep one way to sign in",
        )
    proof = ("salesforce_username", "salesforce_private_key_file") if by_key else ("salesforce_client_secret",)
    _complete(settings, "Salesforce", ("salesforce_login_url", "salesforce_client_id", "salesforce_org_id", *proof))


def _complete(settings: Settings, side: str, names: Sequence[str]) -> None:
    missing = [name for name in names if not getattr(settings, name)]
    if missing and len(missing) < len(names):
        raise _wrong(missing[0].upper(), f"is missing while other settings of {side} are there")


def _files(settings: Settings) -> None:
    for name in ("mapping_file", "ca_bundle", "salesforce_private_key_file"):
        path = getattr(settings, name)
        if path is not None and not path.is_file():
            raise _wrong(name.upper(), "names a file that is not there")
    if settings.ca_bundle is not None:
        try:
            ssl.create_default_context(cafile=str(settings.ca_bundle))
        except (ssl.SSLError, OSError):
            raise _wrong("CA_BUNDLE", "names a file that holds no certificates in PEM form") from None
    if settings.salesforce_private_key_file is not None:
        try:
            key = load_pem_private_key(settings.salesforce_private_key_file.read_bytes(), password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise _wrong("SALESFORCE_PRIVATE_KEY_FILE", "holds no unencrypted RSA key")
