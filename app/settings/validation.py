"""What is wrong between settings that are right one by one, and with the files that they name.

Each problem is a setting and a few words of ours, so that all of them can be told at once. Which settings there are is
for `fields.py`; who is told is for `env_file.py`.
"""

import ssl
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import SecretStr

from app.database_url import is_postgres, read_postgres
from app.settings.fields import Settings
from app.sync.mappings.file import is_preset

_OF_VENDORS = {"DRCHRONO_CLIENT_SECRET", "SALESFORCE_CLIENT_SECRET", "OIDC_CLIENT_SECRET"}  # each makes its own
_NAMED = {"OPERATORS", "VIEWERS"}  # name:secret

Problems = Iterator[tuple[str, str]]  # a setting, and what is wrong with it


def problems_between(settings: Settings, wrong: Collection[str], secrets: Sequence[str]) -> Problems:
    """Give what is wrong between settings, or with what a right one names.

    wrong    settings that are wrong by themselves: they are set, whatever stands in their place now
    secrets  the settings that hold one
    """
    given = {name.upper() for name in Settings.model_fields if name.upper() in wrong or getattr(settings, name)}
    if settings.viewer_token == settings.operator_token:
        yield "VIEWER_TOKEN", "is the same as OPERATOR_TOKEN, so whoever reads could also act"
    yield from _accounts(settings)
    yield from _shared(settings, secrets)
    yield from _all_or_none(given)
    yield from _staff(settings, given)
    yield from _plain(settings)
    yield from _files(settings)


def _shared(settings: Settings, secrets: Sequence[str]) -> Problems:
    """Name one secret in two places: who knows it for the one could use it for the other."""
    names: dict[str, str] = {}
    for name in secrets:
        values = set(_values(getattr(settings, name.lower())))
        for value in {one.partition(":")[2] for one in values} if name in _NAMED else values:
            other = names.setdefault(value, name)
            if other != name and not (name in _OF_VENDORS and other in _OF_VENDORS):
                yield name, f"holds a secret that {other} holds too; give each its own"


def _values(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, Mapping):
        yield from _values(tuple(value.values()))
    elif isinstance(value, tuple):
        for one in value:
            yield from _values(one)


def _accounts(settings: Settings) -> Problems:
    names: set[str] = set()
    proofs: set[str] = set()
    for variable, accounts in (("OPERATORS", settings.operators), ("VIEWERS", settings.viewers)):
        for one in accounts:
            name, _, proof = one.get_secret_value().partition(":")
            if name.lower() in names:
                yield variable, f"names {name} twice, or VIEWERS names who is in OPERATORS; give each one name"
            if proof in proofs:
                yield variable, f"gives {name} a secret that another account has; give each its own"
            names.add(name.lower())
            proofs.add(proof)


def _all_or_none(given: Collection[str]) -> Problems:
    """Name what is missing of a side, or of the issuer, while other settings of it are given."""
    yield from _complete(
        given, "DrChrono", ("DRCHRONO_CLIENT_ID", "DRCHRONO_CLIENT_SECRET", "DRCHRONO_WEBHOOK_SECRETS")
    )
    yield from _complete(given, "the issuer", ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"))
    yield from _complete(given, "the signed webhook", ("NOTIFY_URL", "NOTIFY_SIGNING_KEY"))
    yield from _complete(given, "e-mail", ("NOTIFY_SMTP_URL", "NOTIFY_EMAIL_TO", "NOTIFY_EMAIL_FROM"))
    has_roles = not {"OIDC_OPERATOR_CLAIM", "OIDC_VIEWER_CLAIM"}.isdisjoint(given)
    if "OIDC_ISSUER" in given and not has_roles:
        yield "OIDC_OPERATOR_CLAIM", "is missing, and OIDC_VIEWER_CLAIM too, so nobody could sign in"
    if has_roles and "OIDC_ISSUER" not in given:
        yield "OIDC_ISSUER", "is missing while other settings of the issuer are there"
    by_key = not {"SALESFORCE_USERNAME", "SALESFORCE_PRIVATE_KEY_FILE"}.isdisjoint(given)
    if by_key and "SALESFORCE_CLIENT_SECRET" in given:
        yield (
            "SALESFORCE_CLIENT_SECRET",
            "stands beside SALESFORCE_USERNAME or SALESFORCE_PRIVATE_KEY_FILE; keep one way to sign in",
        )
        return
    proof = ("SALESFORCE_USERNAME", "SALESFORCE_PRIVATE_KEY_FILE") if by_key else ("SALESFORCE_CLIENT_SECRET",)
    needed = ("SALESFORCE_LOGIN_URL", "SALESFORCE_CLIENT_ID", "SALESFORCE_ORG_ID", *proof)
    yield from _complete(given, "Salesforce", needed)


def _staff(settings: Settings, given: Collection[str]) -> Problems:
    own, practice = "DRCHRONO_SIGN_IN_CLIENT_ID", "DRCHRONO_CLIENT_ID"
    yield from _complete(given, "sign-in with DrChrono", (own, "DRCHRONO_SIGN_IN_CLIENT_SECRET", "DRCHRONO_ROLES"))
    if own not in given:
        return
    if practice not in given:
        yield practice, f"is missing while {own} is there, so there is no practice whose staff could sign in"
    elif settings.drchrono_sign_in_client_id == settings.drchrono_client_id:
        problem = "so each sign-in could end the practice's connection; make a second API application at DrChrono"
        yield own, f"is the same as {practice}, {problem}"


def _complete(given: Collection[str], side: str, names: Sequence[str]) -> Problems:
    missing = [name for name in names if name not in given]
    if len(missing) < len(names):
        for name in missing:
            yield name, f"is missing while other settings of {side} are there"


def _plain(settings: Settings) -> Problems:
    for name in ("notify_url", "notify_slack_url"):
        url = getattr(settings, name)
        if url is not None and urlsplit(url.get_secret_value()).scheme == "http" and not settings.notify_plaintext:
            yield name.upper(), "is plain http, which only NOTIFY_PLAINTEXT=true allows; use https"


def _files(settings: Settings) -> Problems:
    absent = set()
    for name in ("mapping_file", "ca_bundle", "salesforce_private_key_file"):
        path = getattr(settings, name)
        if path is not None and not path.is_file() and not (name == "mapping_file" and is_preset(path)):
            absent.add(name)
            yield name.upper(), "names a file that is not there"
    if settings.ca_bundle is not None and "ca_bundle" not in absent:
        try:
            ssl.create_default_context(cafile=str(settings.ca_bundle))
        except (ssl.SSLError, OSError):
            yield "CA_BUNDLE", "names a file that holds no certificates in PEM form"
    if is_postgres(settings.database_url):
        try:
            read_postgres(settings.database_url, settings.ca_bundle).arguments()
        except OSError:  # ssl.SSLError is one
            problem = "names a file (sslrootcert, sslcert, sslkey) that is not there or not in PEM form, or is locked"
            yield "DATABASE_URL", problem
    key_file = settings.salesforce_private_key_file
    if key_file is not None and "salesforce_private_key_file" not in absent and not _holds_rsa_key(key_file):
        yield "SALESFORCE_PRIVATE_KEY_FILE", "holds no unencrypted RSA key"


def _holds_rsa_key(path: Path) -> bool:
    try:
        return isinstance(load_pem_private_key(path.read_bytes(), password=None), rsa.RSAPrivateKey)
    except (OSError, ValueError, TypeError):
        return False
