"""The XML of metadata: read into plain parts, judged by what the platform's own WSDL allows, and written again.

A part is a dict from an element's name to the list of what stands under that name: texts, or further parts. What
`elements.txt` does not know is refused as the platform refuses it.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

Part = dict[str, list[Any]]
NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
_ROOT = f"{{{NAMESPACE}}}"
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


class UnreadableXmlError(Exception):
    """The file is no XML, or not XML of this type; `line` and `column` say where, when that is known."""

    def __init__(self, problem: str, line: int = 0, column: int = 0) -> None:
        super().__init__(problem)
        self.line, self.column = line, column


@dataclass(frozen=True, slots=True)
class _Element:
    how_many: str
    kind: str


@lru_cache(maxsize=1)
def _known() -> tuple[dict[str, dict[str, _Element]], dict[str, frozenset[str]]]:
    types: dict[str, dict[str, _Element]] = {}
    enumerations: dict[str, frozenset[str]] = {}
    for line in (Path(__file__).parent / "elements.txt").read_text().splitlines():
        head, _, rest = line.partition(" ")
        if head.endswith("="):
            enumerations[head[:-1]] = frozenset(rest.split())
        elif head.endswith(":"):
            found = re.findall(r"(\w+)([!?*])(\w*)", rest)
            types[head[:-1]] = {name: _Element(how_many, kind) for name, how_many, kind in found}
    return types, enumerations


def read(content: bytes, kind: str) -> Part:
    """The file as a part, judged as metadata of this type.

    Raises
        UnreadableXmlError  it is no XML, of another type, or has an element or a value that the type has not

    """
    try:
        root = fromstring(content, forbid_dtd=True)
    except ParseError as error:
        line, column = error.position
        raise UnreadableXmlError(f"Error parsing file: {error.msg}", line, column + 1) from None
    except (DefusedXmlException, ValueError) as error:
        raise UnreadableXmlError(f"Error parsing file: {error}", 1, 1) from None
    if root.tag != f"{_ROOT}{kind}":
        raise UnreadableXmlError(f"Error parsing file: Element {root.tag} invalid: {_ROOT}{kind} is expected", 1, 1)
    return _part(root, kind)


def _part(element: Element, kind: str) -> Part:
    types, _ = _known()
    known = types[kind]
    part: Part = {}
    last = ""
    for child in element:
        name = child.tag.removeprefix(_ROOT)
        of = known.get(name)
        if of is None:
            raise UnreadableXmlError(f"Error parsing file: Element {child.tag} invalid at this location in type {kind}")
        if name in part and (of.how_many != "*" or name != last):
            raise UnreadableXmlError(
                f"Error parsing file: Element {name} is duplicated at this location in type {kind}"
            )
        part.setdefault(name, []).append(_part(child, of.kind) if of.kind in types else _value(child, name, of.kind))
        last = name
    if (element.text or "").strip() and known and not part:
        raise UnreadableXmlError(f"Error parsing file: text is invalid at this location in type {kind}")
    if missing := [name for name, of in known.items() if of.how_many == "!" and name not in part]:
        raise UnreadableXmlError(f"Required field is missing: {missing[0]}")
    return part


def _value(element: Element, name: str, kind: str) -> str:
    if len(element):
        raise UnreadableXmlError(f"Error parsing file: Element {element[0].tag} invalid at this location in {name}")
    text = element.text or ""
    bare = text.strip()
    if kind == "b" and bare not in {"true", "false", "1", "0"}:
        raise UnreadableXmlError(f"Error parsing file: '{bare}' is not a valid value for the type xsd:boolean")
    if kind == "n" and not _NUMBER.fullmatch(bare):
        raise UnreadableXmlError(f"Error parsing file: '{bare}' is not a valid value for the type xsd:double")
    _, enumerations = _known()
    if kind in enumerations and bare not in enumerations[kind]:
        raise UnreadableXmlError(f"'{bare}' is not a valid value for the enum '{kind}'")
    return bare if kind else text


def write(part: Part, kind: str) -> bytes:
    """The part as the platform writes a file of this type: names in alphabetical order, four spaces a level."""
    inside = _written(part, 1)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{kind} xmlns="{NAMESPACE}">\n{inside}</{kind}>\n'.encode()


def _written(part: Part, level: int) -> str:
    space = "    " * level
    lines = []
    for name in sorted(part, key=lambda name: (name != "fullName", name)):
        for one in part[name]:
            if isinstance(one, dict):
                lines.append(f"{space}<{name}>\n{_written(one, level + 1)}{space}</{name}>\n")
            else:
                lines.append(f"{space}<{name}>{escape(one)}</{name}>\n")
    return "".join(lines)


def text(part: Part, name: str, default: str = "") -> str:
    """What stands under the name, once; without surrounding white space."""
    found = part.get(name)
    return str(found[0]).strip() if found else default


def flag(part: Part, name: str) -> bool:
    return text(part, name) in {"true", "1"}


def number(part: Part, name: str) -> int:
    return int(float(text(part, name, "0")))


def parts(part: Part, name: str) -> list[Part]:
    """The further parts under the name."""
    return [one for one in part.get(name, ()) if isinstance(one, dict)]


def texts(part: Part, name: str) -> list[str]:
    return [str(one).strip() for one in part.get(name, ()) if not isinstance(one, dict)]
