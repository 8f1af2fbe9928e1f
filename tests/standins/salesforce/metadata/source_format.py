"""A project folder in the source format, as people keep it: read into the components that it deploys.

An object's parts lie in files of their own there, and every name of XML ends in `-meta.xml`. What `.forceignore` names
stays out, and the replacements of `sfdx-project.json` are made.
"""

import fnmatch
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from tests.standins.salesforce.metadata import xml_parts
from tests.standins.salesforce.metadata.archive import Package, keep, read_components
from tests.standins.salesforce.metadata.components import Component, Problem
from tests.standins.salesforce.metadata.registry import BY_FOLDER, TYPES
from tests.standins.salesforce.metadata.xml_parts import UnreadableXmlError, text

_META = "-meta.xml"
# the folder of a part of an object -> its type, and the suffix of its files
_PARTS = {
    "compactLayouts": ("CompactLayout", "compactLayout"),
    "fieldSets": ("FieldSet", "fieldSet"),
    "fields": ("CustomField", "field"),
    "listViews": ("ListView", "listView"),
    "recordTypes": ("RecordType", "recordType"),
    "validationRules": ("ValidationRule", "validationRule"),
    "webLinks": ("WebLink", "webLink"),
}


def read_project(folder: Path, values: Mapping[str, str]) -> Package:
    """Everything that the project deploys; `values` are those of the variables that its replacements name.

    Raises
        KeyError  a replacement names a variable that has no value

    """
    project = json.loads((folder / "sfdx-project.json").read_text())
    ignored = _ignored(folder)
    package = Package(version=project["sourceApiVersion"], listed={kind: {"*"} for kind in TYPES})
    files: dict[str, bytes] = {}
    for directory in project["packageDirectories"]:
        for path in sorted((folder / directory["path"]).rglob("*")):
            place = path.relative_to(folder).as_posix()
            if path.is_file() and not any(fnmatch.fnmatch(f"/{place}", pattern) for pattern in ignored):
                content = _replaced(path.read_bytes(), place, project.get("replacements", []), values)
                _sort(package, files, PurePosixPath(place), content)
    package.file_count = len(files)
    read_components(package, files)
    package.listed = {}
    for kind, name in package.components:
        package.listed.setdefault(kind, set()).add(name)
    return package


def _ignored(folder: Path) -> list[str]:
    path = folder / ".forceignore"
    lines = path.read_text().splitlines() if path.exists() else []
    kept = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return [line.replace("**", "*") if line.startswith("**/") else f"*/{line}" for line in kept]


def _replaced(content: bytes, place: str, replacements: list[dict[str, str]], values: Mapping[str, str]) -> bytes:
    for one in replacements:
        # `**` stands for any folders, and for none.
        if any(fnmatch.fnmatch(place, one["glob"].replace("**/", folders)) for folders in ("", "*/")):
            word = one["stringToReplace"].encode()
            content = content.replace(word, values[one["replaceWithEnv"]].encode()) if word in content else content
    return content


def _sort(package: Package, files: dict[str, bytes], path: PurePosixPath, content: bytes) -> None:
    """Puts a file where the zip would have it; a part of an object is read at once."""
    at = next((at for at, name in enumerate(path.parts) if name in BY_FOLDER and at < len(path.parts) - 1), None)
    # A folder of the project may be called as that of a type is; the one that counts lies deepest.
    for deeper, name in enumerate(path.parts[:-1]):
        if name in BY_FOLDER and not (at is not None and path.parts[at] == "objects" and name in _PARTS):
            at = deeper
    if at is None:
        package.problems.append(Problem("", path.name, str(path), f"Could not infer a metadata type: {path.name}"))
        return
    inside = path.parts[at:]
    kind = BY_FOLDER[inside[0]]
    if kind.name == "CustomObject" and len(inside) == 4:
        _read_part(package, inside[1], inside[2], path, content)
    elif kind.name == "CustomObject":
        files[f"objects/{inside[-1].removesuffix(_META)}"] = content
    elif kind.is_bundle or kind.has_content:
        files["/".join(inside)] = content
    elif path.name.endswith(f".{kind.suffix}{_META}"):
        files[f"{kind.folder}/{path.name.removesuffix(_META)}"] = content
    else:
        package.problems.append(
            Problem(kind.name, path.name, str(path), f"Could not infer a metadata type: {path.name}")
        )


def _read_part(package: Package, parent: str, folder: str, path: PurePosixPath, content: bytes) -> None:
    kind, suffix = _PARTS.get(folder, ("", ""))
    name = f"{parent}.{path.name.removesuffix(_META).removesuffix(f'.{suffix}')}"
    if not kind or not path.name.endswith(f".{suffix}{_META}"):
        package.problems.append(Problem(kind, name, str(path), f"Could not infer a metadata type: {path.name}"))
        return
    try:
        part = xml_parts.read(content, kind)
    except UnreadableXmlError as error:
        package.problems.append(Problem(kind, name, str(path), str(error), line=error.line, column=error.column))
        return
    if f"{parent}.{text(part, 'fullName')}" != name:
        package.problems.append(Problem(kind, name, str(path), "fullName is not the name of the file"))
    keep(package, Component(kind, name, part, source=f"objects/{parent}.object"))
