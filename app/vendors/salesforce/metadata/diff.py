"""What an org holds, compared with what was meant for it: by what files say, not by how they are written.

The order of elements, blanks, and what the platform adds by itself or leaves out where it is its default, make no
difference; nor do components that the package does not name, such as a clinic's own fields. Addresses hold a secret, so
of those it is only said that they differ.
"""

import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from app.errors import Unreadable
from app.sync.model import Side

_MOST_FILES, _MOST_BYTES = 10_000, 100_000_000
_LONGEST = 80
_LACKS = "is not in the org"

# what names one of several elements alike, the first that it has
_KEYS = ("fullName", "field", "object", "apexClass", "application", "customPermission", "recordType", "tab", "name")
# what the platform writes by itself: an element, and the values that say nothing; none: whatever its value is
_DEFAULTS: Mapping[str, frozenset[str]] = {
    "actionOverrides": frozenset(),
    "allowInChatterGroups": frozenset(),
    "compactLayoutAssignment": frozenset({"SYSTEM"}),
    "deleteConstraint": frozenset({"SetNull"}),
    "deploymentStatus": frozenset({"Deployed"}),
    "enableBulkApi": frozenset({"true"}),
    "enableFeeds": frozenset(),
    "enableLicensing": frozenset(),
    "enableSearch": frozenset({"true"}),
    "enableSharing": frozenset({"true"}),
    "enableStreamingApi": frozenset({"true"}),
    "environments": frozenset({"Default"}),
    "externalSharingModel": frozenset(),
    "gender": frozenset(),
    "interviewLabel": frozenset(),
    "locationX": frozenset(),
    "locationY": frozenset(),
    "processMetadataValues": frozenset(),
    "sharingModel": frozenset({"ReadWrite"}),
    "startsWith": frozenset(),
    "visibility": frozenset({"Public"}),
}
_NOWHERE = frozenset({"locationX", "locationY", "processMetadataValues"})  # where somebody has drawn it
_SECRET = frozenset({"endpointUrl"})
_PARTS_OF_OBJECTS = frozenset(
    {"compactLayouts", "fieldSets", "fields", "indexes", "listViews", "recordTypes", "validationRules", "webLinks"}
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that somebody has changed in the org, of one component."""

    component: str
    says: str


def unzipped(content: bytes) -> dict[str, bytes]:
    """Give the files of a zip that the org sent.

    Raises  Unreadable where it is none, or is larger than any package
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            entries = [one for one in archive.infolist() if not one.is_dir()]
            if len(entries) > _MOST_FILES or sum(one.file_size for one in entries) > _MOST_BYTES:
                raise Unreadable(Side.SALESFORCE.value, "POST Soap checkRetrieveStatus", code="ZIP_TOO_LARGE")
            return {one.filename.removeprefix("unpackaged/"): archive.read(one) for one in entries}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError):
        raise Unreadable(Side.SALESFORCE.value, "POST Soap checkRetrieveStatus", code="NO_ZIP") from None


def differences(meant: Mapping[str, bytes], there: Mapping[str, bytes]) -> list[Difference]:
    """Give what differs between files as they were meant and as the org has them, in the order of their paths."""
    found: list[Difference] = []
    for path, text in sorted(meant.items()):
        name = path.rpartition("/")[2].removesuffix("-meta.xml").rpartition(".")[0] or path
        if path not in there:
            found.append(Difference(path, _LACKS))
        elif _is_xml(text):
            found += _of_documents(path, name, text, there[path])
        elif text.split() != there[path].split():
            found.append(Difference(path, "its code was changed"))
    return found


def _is_xml(text: bytes) -> bool:
    return text.lstrip().startswith(b"<?xml")


def _of_documents(path: str, name: str, meant: bytes, there: bytes) -> Iterator[Difference]:
    try:
        ours, theirs = fromstring(meant), fromstring(there)
    except (ParseError, DefusedXmlException, ValueError):
        yield Difference(path, "cannot be read in the org")
        return
    is_object = path.startswith("objects/")
    for where, says in _compared(ours, theirs, is_object=is_object):
        first, _, rest = where.partition("/")
        part, _, key = first.partition(" ")
        is_part = (is_object and part in _PARTS_OF_OBJECTS) or part == "outboundMessages"
        component = f"{name}.{key}" if is_part and key else name
        place = rest if is_part else where
        yield Difference(component, f"{place.replace('/', ' > ')} {says}".strip())


def _compared(ours: Element, theirs: Element, *, is_object: bool = False) -> Iterator[tuple[str, str]]:
    """Give where two elements differ, and how."""
    meant, there = _grouped(ours), _grouped(theirs)
    for tag in dict.fromkeys([*meant, *there]):
        if tag in _NOWHERE:
            continue
        mine, yours = meant.get(tag, {}), there.get(tag, {})
        for key in dict.fromkeys([*mine, *yours]):
            where = f"{tag} {key}".strip()
            one, other = mine.get(key, []), yours.get(key, [])
            if len(one) == len(other) == 1:
                yield from _of_two(where, one[0], other[0])
            elif is_object and not one and tag in _PARTS_OF_OBJECTS:
                continue  # a clinic's own
            else:
                yield from _of_many(where, one, other)


def _of_two(where: str, one: Element, other: Element) -> Iterator[tuple[str, str]]:
    if len(one) or len(other):
        for inner, says in _compared(one, other):
            yield f"{where}/{inner}", says
    elif _value(one) != _value(other):
        is_secret = _local(one) in _SECRET
        yield where, "is another one in the org" if is_secret else f"is {_said(other)} in the org, not {_said(one)}"


def _of_many(where: str, ours: list[Element], theirs: list[Element]) -> Iterator[tuple[str, str]]:
    mine, yours = Counter(map(_form, ours)), Counter(map(_form, theirs))
    for one in ours:
        if mine[_form(one)] > yours[_form(one)] and not _says_nothing(one):
            yield where, f"is not in the org{_brief(one)}"
            mine[_form(one)] -= 1
    for one in theirs:
        if yours[_form(one)] > mine[_form(one)] and not _says_nothing(one):
            yield where, f"was added in the org{_brief(one)}"
            yours[_form(one)] -= 1


def _grouped(element: Element) -> dict[str, dict[str, list[Element]]]:
    """Give the elements in one, by their names and by what names each of several."""
    found: dict[str, dict[str, list[Element]]] = defaultdict(lambda: defaultdict(list))
    for one in element:
        found[_local(one)][_key(one)].append(one)
    return found


def _key(element: Element) -> str:
    inner = {_local(one): _value(one) for one in element if not len(one)}
    return next((inner[name] for name in _KEYS if name in inner), "")


def _says_nothing(element: Element) -> bool:
    values = _DEFAULTS.get(_local(element))
    if values is not None and (not values or _value(element) in values):
        return True
    if len(element):  # a name alone says that there is such a thing
        said = [one for one in element if _local(one) not in _KEYS]
        return said != [] and all(map(_says_nothing, said))
    return _value(element) in ("", "false")


def _form(element: Element) -> str:
    """Give what an element says, whatever the order of what is in it."""
    if not len(element):
        return f"{_local(element)}={_value(element)}"
    return f"{_local(element)}({','.join(sorted(_form(one) for one in element if _local(one) not in _NOWHERE))})"


def _brief(element: Element) -> str:
    return "" if len(element) or _local(element) in _SECRET else f": {_said(element)}"


def _said(element: Element) -> str:
    value = _value(element)
    return f"'{value[:_LONGEST]}{'…' if len(value) > _LONGEST else ''}'" if value else "empty"


def _value(element: Element) -> str:
    return " ".join((element.text or "").split())


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]
