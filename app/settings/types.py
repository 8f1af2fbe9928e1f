"""The types of settings: a key, a URL, a comma list, a zone, each read from text and checked.

A check complains without the value, which may be a secret. At the end stand the headings of the env file, and how
values that nobody else has are generated. Which settings there are is for `fields.py`.
"""

import base64
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, TypeVar

from babel import Locale, UnknownLocaleError
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from app.settings.url import database_url, issuer, redis_url, salesforce_origin, scanner_url, web_url
from app.sync import office_hours
from app.sync.mappings.local_time import known_zone

KEY_BYTES = 32
_SHORTEST_TOKEN, _SHORTEST_WEBHOOK_SECRET = 16, 32
_FEWEST_CHARACTERS, _FEWEST_BYTES = 8, 12  # different ones; 32 bytes drawn at random have about 30
_HOST_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9_])?")
_IN_A_PATH = re.compile(r"[A-Za-z0-9._~-]*[A-Za-z0-9_~-][A-Za-z0-9._~-]*")  # and not dots alone
_VERSION = re.compile(r"[0-9]{1,3}\.0", re.ASCII)
_OLDEST_VERSION = 41
_PIECE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(d|h|min|m|s)\s*", re.IGNORECASE | re.ASCII)
_UNITS_S = {"d": 86_400, "h": 3_600, "min": 60, "m": 60, "s": 1}


def _parts(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _span(value: Any) -> Any:
    """Give a span of time that is written like 90s, 15m, 1h 30m or 2d; whatever else may be ISO 8601."""
    if not isinstance(value, str) or not value.strip() or _PIECE.sub("", value.strip()):
        return value
    try:
        return timedelta(seconds=sum(float(number) * _UNITS_S[unit.lower()] for number, unit in _PIECE.findall(value)))
    except OverflowError:
        raise ValueError("it is longer than can be counted") from None


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
        key = base64.b64decode(value.get_secret_value().encode(), altchars=b"-_", validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("a key is not url-safe base64 of 32 bytes")
    if len(set(key)) < _FEWEST_BYTES or _repeats(key):
        raise ValueError("a key repeats itself, so it was not drawn at random")
    return value


def _repeats(text: Any) -> bool:
    """Say whether a text or bytes are one piece, again and again."""
    return text in (text + text)[1:-1]


def _keys(value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    return tuple(_key(one) for one in value)


def _token(value: SecretStr) -> SecretStr:
    if value.get_secret_value() != value.get_secret_value().strip():
        raise ValueError("it begins or ends with a blank, which no form or header would carry")
    if len(value.get_secret_value()) < _SHORTEST_TOKEN:
        raise ValueError(f"it is shorter than {_SHORTEST_TOKEN} characters, so it can be guessed")
    if not value.get_secret_value().isprintable():
        raise ValueError("it holds a line break or another character that no header would carry")
    if len(set(value.get_secret_value())) < _FEWEST_CHARACTERS or _repeats(value.get_secret_value()):
        raise ValueError("it repeats itself, so it can be guessed")
    return value


def _webhook_secret(value: SecretStr) -> SecretStr:
    if len(_token(value).get_secret_value()) < _SHORTEST_WEBHOOK_SECRET:
        raise ValueError(
            f"it is shorter than {_SHORTEST_WEBHOOK_SECRET} characters, and the verification helps whoever guesses"
        )
    return value


def _webhook_secrets(value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    return tuple(_webhook_secret(one) for one in value)


def _tokens(value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    return tuple(_token(one) for one in value)


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for one in value:
        try:
            network = ip_network(one)
        except ValueError:
            raise ValueError(
                "it names what is no IP address or network; a host's name and * count for nobody"
            ) from None
        if network.prefixlen == 0:
            raise ValueError("it names every address there is, so anybody could say to be anybody")
    return value


def _host_names(value: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(one.lower() for one in value)
    if not all(_HOST_NAME.fullmatch(one) or _is_address(one) for one in names):
        raise ValueError("it names what is no host: no scheme, no port, no path, and no *")
    return names


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _path_tokens(value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if not all(_IN_A_PATH.fullmatch(one.get_secret_value()) for one in value):
        raise ValueError("it stands in an address, so it may hold letters, digits, - . _ and ~ only")
    return value


_ACCOUNT_NAME = re.compile(r"[A-Za-z0-9._~-]{1,64}", re.ASCII)
_HASH_GOES_ON = re.compile(r"[a-z]=[0-9]+(\$.*)?", re.ASCII)  # what follows a comma inside of a hash
_HASH = re.compile(
    r"\$argon2id\$v=19\$m=(?P<m>[0-9]{1,7}),t=(?P<t>[1-9][0-9]{0,2}),p=[1-9]\$"
    r"(?P<salt>[A-Za-z0-9+/]{11,})\$(?P<hash>[A-Za-z0-9+/]{22,})"
)
_WEAKEST_HASH, _SLOWEST_HASH = 35_840, 8_388_608  # KiB times passes; the first is what OWASP asks for at least
_SHORTEST_ACCOUNT_SECRET = 32
RESERVED_NAMES = ("operator", "viewer")  # what the two tokens of scripts are called


def _account_parts(value: Any) -> Any:
    """Give the accounts of a comma list; a hash holds commas of its own."""
    if not isinstance(value, str):
        return value
    parts: list[str] = []
    for part in value.split(","):
        if parts and "$argon2" in parts[-1] and _HASH_GOES_ON.fullmatch(part):
            parts[-1] += f",{part}"
        else:
            parts.append(part.strip())
    return tuple(part for part in parts if part)


def _accounts(value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    for number, one in enumerate(value, 1):
        name, colon, secret = one.get_secret_value().partition(":")
        if not colon:
            raise ValueError(f"account {number} is not written name:secret")
        if not _ACCOUNT_NAME.fullmatch(name):
            raise ValueError(f"account {number} has no name of 1 to 64 letters, digits, dots, hyphens, _ or ~")
        if name.lower() in RESERVED_NAMES:
            raise ValueError(f"account {number} has the name {name}, which the tokens of scripts go by")
        if problem := _secret_problem(secret):
            raise ValueError(f"the secret of {name} {problem}")
    return value


def _is_base64(text: str) -> bool:
    padded = text + "=" * (-len(text) % 4)
    try:
        return base64.b64encode(base64.b64decode(padded, validate=True)).decode() == padded
    except ValueError:
        return False


def _secret_problem(secret: str) -> str | None:
    if secret.startswith("$"):
        found = _HASH.fullmatch(secret)
        if found is None or not _is_base64(found["salt"]) or not _is_base64(found["hash"]):
            return "is a hash of another kind than argon2id, or is cut; make one with `chronobridge hash-secret`"
        cost = int(found["m"]) * int(found["t"])
        if not _WEAKEST_HASH <= cost <= _SLOWEST_HASH:
            return f"is a hash that is too {'weak' if cost < _WEAKEST_HASH else 'slow to check'}"
        return None
    if len(secret) < _SHORTEST_ACCOUNT_SECRET:
        return f"is shorter than {_SHORTEST_ACCOUNT_SECRET} characters, so it can be guessed"
    if re.search(r"\s", secret):
        return "holds a blank"
    try:
        _token(SecretStr(secret))
    except ValueError as error:
        return f"cannot be taken: {error}"
    return None


def _claims(value: tuple[str, ...]) -> tuple[str, ...]:
    if not all(claim and wanted for claim, _, wanted in (one.partition("=") for one in value)):
        raise ValueError("one of them is not written claim=value")
    return value


def _pairs(value: Any) -> Any:
    """Give the roles of a comma list of who=role, by whose they are."""
    if not isinstance(value, str):
        return value
    pairs = [(who.strip(), role.strip().lower()) for who, _, role in (one.rpartition("=") for one in _parts(value))]
    if len(dict(pairs)) != len(pairs):
        raise ValueError("somebody stands in it twice")
    return dict(pairs)


def _staff_roles(value: Mapping[str, str]) -> Mapping[str, str]:
    if not all(who and role in ("viewer", "operator") for who, role in value.items()):
        raise ValueError("one of them is not written who=viewer or who=operator")
    return value


def _scopes(value: str) -> str:
    if "openid" not in value.split():
        raise ValueError("openid is not among them")
    return value


def _doctor_id(value: str) -> str:
    if not re.fullmatch(r"[0-9]{1,18}", value, re.ASCII):
        raise ValueError("it is not a number of at most 18 digits")
    return value


def _api_version(value: str) -> str:
    if not _VERSION.fullmatch(value):
        raise ValueError("it is not written like 67.0")
    if int(value.partition(".")[0]) < _OLDEST_VERSION:
        raise ValueError(f"it is older than {_OLDEST_VERSION}.0")
    return value


def _org_id(value: str) -> str:
    if not re.fullmatch(r"00D[0-9A-Za-z]{12}([0-9A-Za-z]{3})?", value):
        raise ValueError("it is not an organization id")
    return value


def _hours(value: str) -> str:
    office_hours.parse(value)
    return value


def _zone_name(value: str) -> str:
    if known_zone(value) is None:
        raise ValueError("it is no time zone's name")
    return value


def _locale_name(value: str) -> str:
    try:
        return str(Locale.parse(value.strip().replace("-", "_")))
    except (ValueError, UnknownLocaleError):
        raise ValueError("it is no locale's name") from None


def _empty_is_none(value: Any) -> Any:
    return None if value == "" else value


T = TypeVar("T")
OrNone = Annotated[T | None, BeforeValidator(_empty_is_none)]

Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_parts)]  # comma lists are plain text, not JSON
HostNames = Annotated[Texts, AfterValidator(_host_names)]
Networks = Annotated[Texts, AfterValidator(_networks)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_parts)]
Key = Annotated[SecretStr, AfterValidator(_key)]
Keys = Annotated[Secrets, AfterValidator(_keys)]
NeededKeys = Annotated[Keys, Field(min_length=1)]
Token = Annotated[SecretStr, AfterValidator(_token)]
Tokens = Annotated[Secrets, AfterValidator(_tokens)]
WebhookSecrets = Annotated[Secrets, AfterValidator(_webhook_secrets)]
PathTokens = Annotated[Tokens, AfterValidator(_path_tokens)]
Accounts = Annotated[
    tuple[SecretStr, ...], NoDecode, BeforeValidator(_account_parts), AfterValidator(_accounts)
]  # each name:secret

Claims = Annotated[Texts, AfterValidator(_claims)]
Issuer = Annotated[str, AfterValidator(issuer)]
Scopes = Annotated[str, AfterValidator(_scopes)]
StaffRoles = Annotated[Mapping[str, str], NoDecode, BeforeValidator(_pairs), AfterValidator(_staff_roles)]

WebUrl = Annotated[str, AfterValidator(web_url)]
SalesforceOrigin = Annotated[str, AfterValidator(salesforce_origin)]
DatabaseUrl = Annotated[str, AfterValidator(database_url)]
RedisUrl = Annotated[str, AfterValidator(redis_url)]
ScannerUrl = Annotated[str, AfterValidator(scanner_url)]

DoctorId = Annotated[str, AfterValidator(_doctor_id)]
ApiVersion = Annotated[str, AfterValidator(_api_version)]
OrgId = Annotated[str, AfterValidator(_org_id)]
OfficeZones = Annotated[Mapping[str, str], NoDecode, BeforeValidator(_zones)]
ZoneName = Annotated[str, AfterValidator(_zone_name)]
LocaleName = Annotated[str, AfterValidator(_locale_name)]
Hours = Annotated[str, AfterValidator(_hours)]
TimeSpan = Annotated[timedelta, BeforeValidator(_span), Field(ge=timedelta(0))]
Duration = Annotated[TimeSpan, Field(ge=timedelta(seconds=1))]
Interval = Annotated[TimeSpan, Field(ge=timedelta(minutes=1))]  # what is done every so often


def secret_values(secrets: Sequence[SecretStr]) -> tuple[str, ...]:
    """Give what the secrets hold."""
    return tuple(secret.get_secret_value() for secret in secrets)


def raw_keys(keys: Sequence[SecretStr]) -> tuple[bytes, ...]:
    """Give keys as their 32 bytes."""
    return tuple(base64.urlsafe_b64decode(key.get_secret_value()) for key in keys)


def key_of_sessions(key: SecretStr | None, encryption_keys: Sequence[SecretStr]) -> bytes:
    """Give the 32 bytes that sessions are signed with: this one, or one of their own made from the newest of those."""
    if key is not None:
        return raw_keys([key])[0]
    newest = raw_keys(encryption_keys)[0]
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=b"chronobridge sessions").derive(newest)


@dataclass(frozen=True, slots=True)
class Section:
    """The heading of the env file under which a setting stands."""

    title: str


@dataclass(frozen=True, slots=True)
class Generated:
    """How a value that nobody else has is generated; such a setting has no example, as one in print would be used.

    command    prints a value, in a shell
    generate   gives a value, for `chronobridge init`
    is_active  whether the setting is switched on in init's file, or commented out there until others are set with it
    """

    command: str
    generate: Callable[[], str]
    is_active: bool = True


SERVICE = Section("This service")
STAFF = Section("Sign-in with DrChrono, for the practice's own staff: all of id, secret and roles, or none")
PEOPLE = Section("Sign-in by an identity provider (OpenID Connect): all of issuer, id and secret, or none")
DRCHRONO = Section("DrChrono: all of id, secret and webhook secrets, or none (not connected)")
SALESFORCE = Section("Salesforce: login address, id, organization, and one way to sign in; or none (not connected)")
DOCUMENTS = Section("Documents: only where the mapping has a [document] table")
WORK = Section("How it works")

KEY = Generated("openssl rand -base64 32 | tr '+/' '-_'", lambda: Fernet.generate_key().decode())
TOKEN = Generated("openssl rand -hex 32", lambda: secrets.token_hex(32))
ACCOUNT = Generated("echo anna:$(openssl rand -hex 32)", lambda: f"anna:{secrets.token_hex(32)}", is_active=False)
