"""Settings read from the environment or a `.env`, complaints about wrong ones, and the commented env file itself.

Whatever is wrong ends the start, all of it at once, one line for each setting: the variable, what is expected and an
example, in our own words. The database, the keys, the operator's token and PUBLIC_URL must be right to start. Each
side's settings are all or none: none means *not connected*, which blocks only calls to that side. A name that is almost
one of ours is warned of. `deploy/env.example` is `render({})`, and `chronobridge init` renders the same text with
`fresh` values; both are made from the fields, so nothing about a setting is said twice. Every secret may also stand in
a file of its own, which NAME_FILE names.

    make env-example    writes deploy/env.example anew
"""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from app.database_url import is_postgres, read_postgres
from app.errors import Misconfigured
from app.settings.fields import Settings
from app.settings.notices import NOTICES
from app.settings.types import DOCUMENTS, DRCHRONO, PEOPLE, SALESFORCE, SERVICE, STAFF, WORK, Generated, Section
from app.settings.validation import problems_between

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


_SECTIONS = (SERVICE, PEOPLE, DRCHRONO, STAFF, SALESFORCE, WORK, DOCUMENTS, NOTICES)


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
_LARGEST_FILE_BYTES = 64 * 2**10


# what is wrong with a value, by the sort of error that pydantic found; a value of ours says it itself
_IN_WORDS = {
    "bool_parsing": "it is neither true nor false",
    "enum": "it is none of these words",
    "float_parsing": "it is not a number",
    "int_from_float": "it is not a whole number",
    "int_parsing": "it is not a whole number",
    "literal_error": "it is none of these words",
    "greater_than": "it is too small",
    "greater_than_equal": "it is too small",
    "less_than_equal": "it is too large",
    "string_too_short": "it is empty",
    "time_delta_parsing": "it is not a length of time",
    "too_short": "it is empty",
}
_OUR_OWN = "value_error"
_UNREADABLE = "it cannot be read"


def load(**given: Any) -> Settings:
    """Read the settings and check them all.

    given   settings that win over the environment and the `.env`, by the names of the fields
    Raises  Misconfigured with a line for each that is wrong: the variable, what is expected and an example
    """
    wrong: dict[str, str] = {}
    given = {**_from_files(given, wrong), **given}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        for one in error.errors(include_input=False, include_url=False):
            name = str(one["loc"][0]).upper()
            wrong.setdefault(name, _complaint(name, _problem(one)))
    if wrong:  # what is right so far is compared all the same, as if the rest were right
        settings = Settings(**{**given, **{name.lower(): _instead(FIELDS[name]) for name in wrong}})
    for name, problem in problems_between(settings, wrong.keys(), SECRETS):
        wrong.setdefault(name, _complaint(name, problem))
    if wrong:
        raise Misconfigured("\n".join(wrong[name] for name in FIELDS if name in wrong))
    return settings


def _problem(found: Mapping[str, Any]) -> str:
    """Say what is wrong with a value, in words of ours, without the value."""
    if found["type"] == "missing":
        return "is missing"
    words = str(found["ctx"]["error"]) if found["type"] == _OUR_OWN else _IN_WORDS.get(found["type"], _UNREADABLE)
    return f"is wrong ({words})"


def _instead(field: FieldInfo) -> Any:
    """Give a value that is right, for the time of looking at the others."""
    if not field.is_required():
        return field.get_default(call_default_factory=True)
    generated = _metadata(field, Generated)
    return generated.generate() if generated else _example(field)


def _complaint(name: str, problem: str) -> str:
    expected, example = EXPECTED[name]
    return f"{name} {problem}: expected {expected}; for example {name}={example}"


def _from_files(given: Mapping[str, Any], wrong: dict[str, str]) -> dict[str, Any]:
    """Read the secrets that NAME_FILE names, without the line's end; what cannot be read is added to what is wrong."""
    found: dict[str, Any] = {}
    for name, path in _named_files(given).items():
        if name.lower() in given:
            continue
        if name.lower() in _said(given):
            wrong[name] = _complaint(name, f"is set twice, by itself and by {name}_FILE; keep one")
        elif (content := _content(path)) is None:
            problem = "names a file that is not there, cannot be read, is empty or is no text"
            wrong[name] = (
                f"{name}_FILE {problem}: expected the path of a file that holds {EXPECTED[name][0]}; "
                f"for example {name}_FILE=/run/secrets/{name.lower()}"
            )
        else:
            found[name.lower()] = content
    return found


def _said(given: Mapping[str, Any]) -> dict[str, str]:
    """Give what the environment and the `.env` say, by name in small letters, without what is empty."""
    in_file = DotEnvSettingsSource(Settings, env_file=given.get("_env_file", Settings.model_config.get("env_file")))
    said = {**in_file.env_vars, **EnvSettingsSource(Settings).env_vars}
    return {name: value for name, value in said.items() if value}


def _named_files(given: Mapping[str, Any]) -> dict[str, Path]:
    """Give the file of every secret that has one, as the environment and the `.env` say."""
    said = _said(given)
    return {name: Path(said[f"{name}_file".lower()]) for name in SECRETS if f"{name}_file".lower() in said}


def _content(path: Path) -> str | None:
    """Give the text of a file that holds a secret; None where there is none."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE_BYTES + 1).decode()
    except (OSError, ValueError):
        return None
    text = content.removesuffix("\n").removesuffix("\r")
    return text if text and len(content) <= _LARGEST_FILE_BYTES else None


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


_NEAR_IN_ENVIRONMENT, _NEAR_IN_FILE = 0.9, 0.8  # how alike two names are: in the file of ours fewer names are others'
_PREFIXES = ("DRCHRONO_", "OIDC_", "SALESFORCE_")


def near_misses() -> list[str]:
    """Give a sentence for each variable that is no setting and looks as if it was meant for one; no value of any.

    A name of the environment is compared strictly, one word alone never, and none beside the setting that it is like:
    other programs have names too. In the `.env`, which is ours, a name that begins as ours do is no setting either.
    """
    in_file = DotEnvSettingsSource(Settings, env_file=Settings.model_config.get("env_file")).env_vars
    in_environment = [name.upper() for name in os.environ if "_" in name]
    known = [*FIELDS, *(f"{name}_FILE" for name in SECRETS)]
    taken = {name.upper() for name in _said({})}
    found: dict[str, str] = {}
    for name in map(str.upper, in_file):
        if is_ours(name):
            continue
        if near := get_close_matches(name, known, 1, _NEAR_IN_FILE):
            found[name] = f"{name} is not a setting: did you mean {near[0]}?"
        elif name.startswith(_PREFIXES):
            found[name] = f"{name} is not a setting: remove it from .env, or correct its name"
    for name in in_environment:
        near = [] if is_ours(name) else get_close_matches(name, known, 1, _NEAR_IN_ENVIRONMENT)
        if near and near[0] not in taken:
            found[name] = f"{name} is not a setting: did you mean {near[0]}?"
    return [found[name] for name in sorted(found)]


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
