"""The codecs of documents: a title that bears the document's date, and tags.

DrChrono has a description and a date, Salesforce a title: `Referral letter (2026-11-03)`. What we put behind a name, a
date there and what replaces the document here, is ours: it is taken off again, and whether it is there is no edit.
DrChrono gives tags as a JSON array in a text, Salesforce holds them in one text, with commas or semicolons between.

Source  DrChrono API reference, documents: `metatags` (2026); the fact sheet, 5.7
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from app.json_text import read_json
from app.sync.mappings.codecs import Codec, Options, Unfit, tidy, write_text
from app.sync.model import Side

UNTITLED = "Document"
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATED = re.compile(r"(?<=\S) \(\d{4}-\d\d-\d\d\)$", re.ASCII)
_REPLACED = re.compile(r"(?<=\S) \[replaced by document ([\w.-]{1,64})\]$", re.ASCII)
_BETWEEN_TAGS = re.compile(r"[,;\n]")


def _read_title(side: Side, raw: Any, _options: Options) -> str | None:
    if side is Side.SALESFORCE:
        return tidy(raw)
    description, on = raw if isinstance(raw, tuple) else (raw, None)
    text = without_replacement(tidy(description) or "") or UNTITLED
    return f"{text} ({on})" if isinstance(on, str) and _DAY.fullmatch(on) else text


def _write_title(side: Side, value: str | None, options: Options) -> str | None:
    return write_text(side, value if side is Side.SALESFORCE else without_date(value), options)


def without_date(title: str | None) -> str | None:
    """Give what somebody called a document: its title without the date that we have put behind it."""
    return None if title is None else _DATED.sub("", title)


def without_replacement(description: str) -> str:
    """Give a description without what we have put behind it of the document that replaces it."""
    return _REPLACED.sub("", description)


def with_replacement(description: str, replaced_by: str) -> str:
    """Give a description that says which document replaces it."""
    return f"{without_replacement(description.strip()) or UNTITLED} [replaced by document {replaced_by}]"


def replacement_in(description: str) -> str | None:
    """Give the document that a description names as the one that replaces it; None where it names none."""
    found = _REPLACED.search(description.strip())
    return found[1] if found else None


def listed_tags(raw: Any) -> Any:
    """Give the list that DrChrono gives as text; what is none as it is."""
    if not isinstance(raw, str):
        return raw
    if not raw.strip():
        return []
    try:
        return read_json(raw)
    except (ValueError, RecursionError):
        return raw


def _read_tags(side: Side, raw: Any, _options: Options) -> str | None:
    if side is Side.SALESFORCE:
        text = tidy(raw)
        return _joined(_BETWEEN_TAGS.split(text)) if text else None
    listed = listed_tags(raw)
    if listed is None:
        return None
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise Unfit("not_tags")
    if any(_BETWEEN_TAGS.search(one.strip()) for one in listed):
        raise Unfit("tag_with_comma")
    return _joined(listed)


def _joined(tags: Iterable[str]) -> str | None:
    return ", ".join(dict.fromkeys(text for one in tags if (text := tidy(one)))) or None


def _write_tags(side: Side, value: str | None, options: Options) -> str | None:
    if side is Side.SALESFORCE:
        return write_text(side, value, options)
    return json.dumps(tags_of(value), ensure_ascii=False)


def tags_of(value: str | None) -> list[str]:
    """Give the tags of a tidy value."""
    return [one.strip() for one in value.split(",")] if value else []


def _normal_tags(value: str | None) -> str | None:
    """Give tags without order and case: who sorts them has changed nothing."""
    return None if value is None else ",".join(sorted({one.casefold() for one in tags_of(value)}))


TITLE = Codec("title", 1, _read_title, _write_title, without_date, frozenset({"max_length"}))
TAGS = Codec("tags", 1, _read_tags, _write_tags, _normal_tags, frozenset({"max_length"}))
