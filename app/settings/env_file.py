"""Settings read from the environment or a `.env`, complaints about wrong ones, and the commented env file itself.

A wrong setting ends the start with one line: the variable, what is expected and an example. The database, the keys,
the operator's token and PUBLIC_URL must be right to start. Each side's settings are all or none: none means *not
connected*, which blocks only calls to that side. `deploy/env.example` is `render({})`, and `chronobridge init` renders
the same text with `fresh` values; both are made from the fields, so nothing about a setting is said twice. Every secret
may also stand in a file of its own, which NAME_FILE names.

    make env-example    writes deploy/env.example anew
"""

import ssl
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar, get_args
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from app.database_url import is_postgres, read_postgres
from app.errors import Misconfigured
from app.settings.fields import Settings
from app.settings.notices import NOTICES
from app.settings.types import DRCHRONO, PEOPLE, SALESFORCE, SERVICE, WORK, Generated, Section
from app.sync.mappings.file import is_preset

_WIDTH = 120
_TO_COPY = """\
# Every setting of Chronobridge, once. `chronobridge init` writes this file with fresh keys; or copy it to `.env` beside
# where the service starts (for the compose file: to `deploy/.env`), fill in what is empty, and uncomment what you need.
# A value that is wrong stops the start with one line that says which and why. A secret may also stand in a file: set
# NAME_FILE to its path then, and leave NAME out.
"""
_OF_ITS_OWN = """\
# Every setting of Chronobridge, once, with keys made for this installation. Uncomment what you need; a value that is
# wrong stops the start with one line that says which and why. Show this file to nobody, and keep a copy of it apart
# from the database: without ENCRYPTION_KEYS nobody can read what lies there.
"""

T = TypeVar("T")


def _metadata(field: FieldInfo, kind: type[T]) -> T | None:
    return next((one for one in field.metadata if isinstance(one, kind)), None)


def _description(field: FieldInfo) -> list[str]:
    return (field.description or "").split("\n")


def _example(field: FieldInfo) -> str:
    generated = _metadata(field, Generated)
    return f"the output of: {generated.command}" if generated else str((field.examples or [""])[0])


_SECTIONS = (SERVICE, PEOPLE, DRCHRONO, SALESFORCE, WORK, NOTICES)


def _place(member: tuple[str, FieldInfo]) -> int:
    section = _metadata(member[1], Section)
    assert section is not None
    return _SECTIONS.index(section)


FIELDS: Mapping[str, FieldInfo] = {
    name.upper(): field for name, field in sorted(Settings.model_fields.items(), key=_place)
}

# variable -> (what is expected, an example)
EXPECTED = {name: (_description(field)[0], _example(field)) for name, field in FIELDS.items()}


def _holds_secrets(field: Any) -> bool:
    return field is SecretStr or any(_holds_secrets(part) for part in get_args(field))


# the settings that hold a secret, an address with a password included
SECRETS = tuple(name for name, field in FIELDS.items() if field.repr is False or _holds_secrets(field.annotation))
_OF_VENDORS = {"DRCHRONO_CLIENT_SECRET", "SALESFORCE_CLIENT_SECRET", "OIDC_CLIENT_SECRET"}  # each makes its own
_NAMED = {"OPERATORS", "VIEWERS"}  # name:secret
_LARGEST_FILE_BYTES = 64 * 2**10


def load(**given: Any) -> Settings:
    """Read the settings and check them all.

    given   settings that win over the environment and the `.env`, by the names of the fields
    Raises  Misconfigured with one line that names the variable, what is expected and an example
    """
    try:
        settings = Settings(**_from_files(given), **given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        name = str(first["loc"][0]).upper()
        problem = "is missing" if first["type"] == "missing" else f"is wrong ({_plain(first['msg'])})"
        raise _wrong(name, problem) from None
    if settings.viewer_token == settings.operator_token:
        raise _wrong("VIEWER_TOKEN", "is the same as OPERATOR_TOKEN, so whoever reads could also act")
    _accounts(settings)
    _shared(settings)
    _all_or_none(settings)
    _files(settings)
    return settings


def _from_files(given: Mapping[str, Any]) -> dict[str, Any]:
    """Read the secrets that NAME_FILE names, without the line's end."""
    found: dict[str, Any] = {}
    for name, path in _named_files(given).items():
        if name.lower() not in given:
            found[name.lower()] = _content(name, path)
    return found


def _named_files(given: Mapping[str, Any]) -> dict[str, Path]:
    """Give the file of every secret that has one, as the environment and the `.env` say."""
    in_file = DotEnvSettingsSource(Settings, env_file=given.get("_env_file", Settings.model_config.get("env_file")))
    said = {**in_file.env_vars, **EnvSettingsSource(Settings).env_vars}
    named = {}
    for name in SECRETS:
        if path := said.get(f"{name}_file".lower()):
            if said.get(name.lower()):
                raise _wrong(name, f"is set twice, by itself and by {name}_FILE; keep one")
            named[name] = Path(path)
    return named


def _content(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE_BYTES + 1).decode()
    except (OSError, ValueError):
        content = ""
    text = content.removesuffix("\n").removesuffix("\r")
    if not text or len(content) > _LARGEST_FILE_BYTES:
        problem = "names a file that is not there, cannot be read, is empty or is no text"
        raise Misconfigured(
            f"{name}_FILE {problem}: expected the path of a file that holds {EXPECTED[name][0]}; "
            f"for example {name}_FILE=/run/secrets/{name.lower()}"
        )
    return text


def is_ours(variable: str) -> bool:
    """Say whether a variable is a setting of ours, or names the file of one."""
    return variable.upper() in EXPECTED or variable.upper().removesuffix("_FILE") in SECRETS


def secret_files(settings: Settings) -> dict[str, Path]:
    """Give every file that holds a secret of the settings, by the setting that names it; the `.env` by its name."""
    files = {f"{name}_FILE": path for name, path in _named_files({}).items()}
    if (beside := Path(".env")).is_file():
        files[".env"] = beside
    if settings.salesforce_private_key_file is not None:
        files["SALESFORCE_PRIVATE_KEY_FILE"] = settings.salesforce_private_key_file
    if is_postgres(settings.database_url):
        query = read_postgres(settings.database_url).query
        files |= {"DATABASE_URL sslkey": Path(query["sslkey"])} if "sslkey" in query else {}
    return files


def _shared(settings: Settings) -> None:
    """Refuse one secret in two places: who knows it for the one could use it for the other."""
    names: dict[str, str] = {}
    for name in SECRETS:
        values = set(_values(getattr(settings, name.lower())))
        for value in {one.partition(":")[2] for one in values} if name in _NAMED else values:
            other = names.setdefault(value, name)
            if other != name and not (name in _OF_VENDORS and other in _OF_VENDORS):
                raise _wrong(name, f"holds a secret that {other} holds too; give each its own")


def _values(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, Mapping):
        yield from _values(tuple(value.values()))
    elif isinstance(value, tuple):
        for one in value:
            yield from _values(one)


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")[:1].lower() + message.removeprefix("Value error, ")[1:]


def _wrong(name: str, problem: str) -> Misconfigured:
    expected, example = EXPECTED[name]
    return Misconfigured(f"{name} {problem}: expected {expected}; for example {name}={example}")


def _accounts(settings: Settings) -> None:
    names: set[str] = set()
    proofs: set[str] = set()
    for variable, accounts in (("OPERATORS", settings.operators), ("VIEWERS", settings.viewers)):
        for one in accounts:
            name, _, proof = one.get_secret_value().partition(":")
            if name.lower() in names:
                raise _wrong(variable, f"names {name} twice, or VIEWERS names who is in OPERATORS; give each one name")
            if proof in proofs:
                raise _wrong(variable, f"gives {name} a secret that another account has; give each its own")
            names.add(name.lower())
            proofs.add(proof)


def _all_or_none(settings: Settings) -> None:
    drchrono = ("drchrono_client_id", "drchrono_client_secret", "drchrono_webhook_secrets")
    _complete(settings, "DrChrono", drchrono)
    _complete(settings, "the issuer", ("oidc_issuer", "oidc_client_id", "oidc_client_secret"))
    _complete(settings, "the signed webhook", ("notify_url", "notify_signing_key"))
    _complete(settings, "e-mail", ("notify_smtp_url", "notify_email_to", "notify_email_from"))
    for name in ("notify_url", "notify_slack_url"):
        url = getattr(settings, name)
        if url is not None and urlsplit(url.get_secret_value()).scheme == "http" and not settings.notify_plaintext:
            raise _wrong(name.upper(), "is plain http, which only NOTIFY_PLAINTEXT=true allows; use https")
    has_roles = settings.oidc_operator_claim or settings.oidc_viewer_claim
    if settings.oidc_issuer and not has_roles:
        raise _wrong("OIDC_OPERATOR_CLAIM", "is missing, and OIDC_VIEWER_CLAIM too, so nobody could sign in")
    if has_roles and not settings.oidc_issuer:
        raise _wrong("OIDC_ISSUER", "is missing while other settings of the issuer are there")
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
        if path is not None and not path.is_file() and not (name == "mapping_file" and is_preset(path)):
            raise _wrong(name.upper(), "names a file that is not there")
    if settings.ca_bundle is not None:
        try:
            ssl.create_default_context(cafile=str(settings.ca_bundle))
        except (ssl.SSLError, OSError):
            raise _wrong("CA_BUNDLE", "names a file that holds no certificates in PEM form") from None
    if is_postgres(settings.database_url):
        try:
            read_postgres(settings.database_url, settings.ca_bundle).arguments()
        except OSError:  # ssl.SSLError is one
            problem = "names a file (sslrootcert, sslcert, sslkey) that is not there or not in PEM form, or is locked"
            raise _wrong("DATABASE_URL", problem) from None
    if settings.salesforce_private_key_file is not None:
        try:
            key = load_pem_private_key(settings.salesforce_private_key_file.read_bytes(), password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise _wrong("SALESFORCE_PRIVATE_KEY_FILE", "holds no unencrypted RSA key")


def fresh(public_url: str) -> dict[str, str]:
    """Give what a new installation begins with: its address, and keys and tokens nobody else has."""
    generated = {name: _metadata(field, Generated) for name, field in FIELDS.items()}
    return {"PUBLIC_URL": public_url} | {name: how.generate() for name, how in generated.items() if how}


def render(values: Mapping[str, str]) -> str:
    """Give the whole commented file.

    values  name -> what it is set to; a variable left out stands there empty when it is needed, else commented out
    """
    text = [_OF_ITS_OWN if values else _TO_COPY]
    for section, members in groupby(FIELDS.items(), key=lambda member: _metadata(member[1], Section)):
        text.append("\n\n" + f"# --- {section.title if section else ''} ".ljust(_WIDTH, "-") + "\n")
        text += ["\n".join(["", *_comment(name, field), _line(name, field, values), ""]) for name, field in members]
    return "".join(text)


def _comment(name: str, field: FieldInfo) -> list[str]:
    expected, *more = _description(field)
    generated = _metadata(field, Generated)
    if generated:
        more.append(f"Make one with: {generated.command}")
    elif field.is_required():
        expected += f", for example {_example(field)}"
    if name in SECRETS:
        more.append(f"Or {name}_FILE: the path of a file that holds it.")
    return [f"# {line}" for line in (expected, *more)]


def _line(name: str, field: FieldInfo, values: Mapping[str, str]) -> str:
    generated = _metadata(field, Generated)
    if name in values:
        is_active, value = generated is None or generated.is_active, values[name]
    else:
        is_active, value = field.is_required(), "" if generated or field.is_required() else _example(field)
    return f"{'' if is_active else '# '}{name}={value}"
