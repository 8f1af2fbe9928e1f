"""Metadata files as Salesforce's own tools write them: four blanks a step, elements in the order given. Pure.

A file that is written anew from an unchanged mapping is the same, byte for byte.

Source  Metadata API Developer Guide; what `sf project retrieve start` writes
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias
from xml.sax.saxutils import escape

Element: TypeAlias = Mapping[str, Any]  # a value: text, number or flag, an element, or several of these

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
_QUOTES = {'"': "&quot;", "'": "&apos;"}


def tag(name: str) -> str:
    """Give the name of an element as it is read."""
    return f"{{{NAMESPACE}}}{name}"


def document(root: str, element: Element) -> bytes:
    """Give a metadata file; an element whose value is a sequence comes once for each of it, for an empty one never."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<{root} xmlns="{NAMESPACE}">', *_lines(element, 1)]
    return "\n".join([*lines, f"</{root}>", ""]).encode()


def _lines(element: Element, depth: int) -> list[str]:
    indent, lines = "    " * depth, list[str]()
    for name, value in element.items():
        for one in value if isinstance(value, Sequence) and not isinstance(value, str) else [value]:
            if isinstance(one, Mapping):
                lines += [f"{indent}<{name}>", *_lines(one, depth + 1), f"{indent}</{name}>"]
            else:
                lines.append(f"{indent}<{name}>{_text(one)}</{name}>")
    return lines


def _text(value: str | int) -> str:
    return str(value).lower() if isinstance(value, bool) else escape(str(value), _QUOTES)
