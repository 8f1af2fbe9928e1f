"""The zip of the Metadata API: its files read into components, and components written into such files.

`package.xml` says what is meant; what it names and the zip lacks is a problem, and so is what the zip has besides.
The words of refusals are the platform's where they are known from public reports; of files in folders that no type
has, of content without its `-meta.xml`, and of folders inside a bundle it is assumed that they are refused as well.
"""

import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.standins.salesforce.metadata import xml_parts
from tests.standins.salesforce.metadata.components import Catalog, Component, Key, Problem
from tests.standins.salesforce.metadata.registry import BY_FOLDER, CHILDREN, NAMES, TYPES, MetadataType
from tests.standins.salesforce.metadata.xml_parts import Part, UnreadableXmlError, parts, text, texts

MANIFEST = "package.xml"
MOST_FILES, MOST_BYTES = 10_000, 400 * 1024 * 1024
_OLDEST, _NEWEST = 20, 68
_PRE, _POST = ("destructiveChangesPre.xml", "destructiveChanges.xml"), ("destructiveChangesPost.xml",)
_NOT_FOUND = "An object '{name}' of type {kind} was named in package.xml, but was not found in zipped directory"


@dataclass
class Package:
    """What a zip asks for; `listed` are the components that its manifest names."""

    components: dict[Key, Component] = field(default_factory=dict)
    listed: dict[str, set[str]] = field(default_factory=dict)
    version: str = ""
    delete_before: list[Key] = field(default_factory=list)
    delete_after: list[Key] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    file_count: int = 0

    def names(self, kind: str, name: str) -> bool:
        """Whether the manifest names the component, by itself, by its object, or by a star."""
        listed = self.listed.get(kind, set())
        if name in listed or ("*" in listed and (kind != "CustomObject" or name.endswith(("__c", "__e", "__mdt")))):
            return True
        if kind not in CHILDREN:
            return False
        parent = CHILDREN[kind][0].name
        return kind != parent and (parent == "CustomLabels" or self.names(parent, name.partition(".")[0]))


def unzip(content: bytes) -> dict[str, bytes]:
    """The files of a zip by their paths, without the folder that all of them may lie in.

    Raises
        ValueError  it is no zip, or holds more than the platform takes

    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as opened:
            entries = [one for one in opened.infolist() if not one.is_dir()]
            if len(entries) > MOST_FILES or sum(one.file_size for one in entries) > MOST_BYTES:
                raise ValueError("Maximum size of request reached. Maximum size of request is 52428800 bytes.")
            files = {one.filename: opened.read(one) for one in entries}
    except (zipfile.BadZipFile, OSError, EOFError, zipfile.zlib.error) as error:
        raise ValueError(f"Unable to unzip the zip file: {error}") from None
    return without_root(files)


def without_root(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files, without the one folder that all of them lie in."""
    roots = {path.partition("/")[0] for path in files}
    if MANIFEST not in files and len(roots) == 1 and f"{next(iter(roots))}/{MANIFEST}" in files:
        return {path.partition("/")[2]: content for path, content in files.items()}
    return dict(files)


def zipped(files: Mapping[str, bytes]) -> bytes:
    """The files as a zip; the same files make the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as opened:
        for path, content in sorted(files.items()):
            opened.writestr(zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0)), content)
    return out.getvalue()


def read_package(files: Mapping[str, bytes], *, may_miss: bool = False) -> Package:
    """Everything the files ask for, and what is wrong with them; `may_miss`: a file that is not there only warns."""
    package = Package(file_count=len(files))
    manifest = _manifest(package, files, MANIFEST)
    if manifest is None:
        package.problems.append(Problem("", MANIFEST, MANIFEST, "No package.xml found"))
        return package
    package.version = text(manifest, "version")
    if not package.version.replace(".", "", 1).isdigit() or not _OLDEST <= float(package.version) <= _NEWEST:
        package.problems.append(Problem("", MANIFEST, MANIFEST, f"Invalid version specified: {package.version}"))
    package.listed = _listed(package, manifest, MANIFEST)
    for names, wanted in ((_PRE, package.delete_before), (_POST, package.delete_after)):
        for name in names:
            if name in files and (asked := _manifest(package, files, name)) is not None:
                wanted.extend((kind, one) for kind, of in _listed(package, asked, name).items() for one in sorted(of))
    read_components(package, {path: one for path, one in files.items() if "/" in path})
    _compare(package, may_miss=may_miss)
    return package


def _manifest(package: Package, files: Mapping[str, bytes], name: str) -> Part | None:
    if name not in files:
        return None
    try:
        return xml_parts.read(files[name], "Package")
    except UnreadableXmlError as error:
        package.problems.append(Problem("", name, name, str(error), line=error.line, column=error.column))
        return {}


def _listed(package: Package, manifest: Part, file: str) -> dict[str, set[str]]:
    listed: dict[str, set[str]] = {}
    for types in parts(manifest, "types"):
        kind = text(types, "name")
        if kind not in NAMES:
            package.problems.append(Problem("", kind, file, f"Unknown type name '{kind}' specified in {file}"))
        else:
            listed.setdefault(kind, set()).update(texts(types, "members"))
    return listed


def read_components(package: Package, files: dict[str, bytes]) -> None:
    bundles: dict[tuple[str, str], dict[str, bytes]] = {}
    for path, content in files.items():
        folder, _, rest = path.partition("/")
        kind = BY_FOLDER.get(folder)
        if kind is None:
            package.problems.append(Problem("", path, path, "Not in package.xml"))
        elif kind.is_bundle:
            name, _, inside = rest.partition("/")
            if "/" in inside:
                text = f"A {kind.name} must not contain the folder {inside.rpartition('/')[0]}"
                package.problems.append(Problem(kind.name, name, path, text))
            else:
                bundles.setdefault((folder, name), {})[path] = content
        elif not (kind.has_content and path.endswith("-meta.xml")):
            _read_file(package, kind, path, content, files)
    for (folder, name), inside in bundles.items():
        _read_bundle(package, BY_FOLDER[folder], name, inside)


def _read_file(package: Package, kind: MetadataType, path: str, content: bytes, files: Mapping[str, bytes]) -> None:
    name = path.partition("/")[2].removesuffix(f".{kind.suffix}")
    if not path.endswith(f".{kind.suffix}"):
        package.problems.append(Problem(kind.name, name, path, "Not in package.xml"))
        return
    beside: tuple[tuple[str, bytes], ...] = ()
    if kind.has_content:
        beside, meta = ((path, content),), f"{path}-meta.xml"
        if meta not in files:
            package.problems.append(Problem(kind.name, name, path, f"The file {meta} is missing"))
            return
        content = files[meta]
    part = _part(package, kind.name, name, path, content)
    if part is not None:
        _split(package, kind, Component(kind.name, name, part, beside, path))


def _read_bundle(package: Package, kind: MetadataType, name: str, inside: dict[str, bytes]) -> None:
    folder = f"{kind.folder}/{name}"
    meta = f"{folder}/{name}.{kind.suffix}-meta.xml"
    for needed in (meta, f"{folder}/{name}.{kind.suffix}"):
        if needed not in inside:
            package.problems.append(Problem(kind.name, name, folder, f"The file {needed} is missing"))
            return
    part = _part(package, kind.name, name, meta, inside.pop(meta))
    if part is not None:
        keep(package, Component(kind.name, name, part, tuple(sorted(inside.items())), folder))


def _part(package: Package, kind: str, name: str, path: str, content: bytes) -> Part | None:
    try:
        return xml_parts.read(content, kind)
    except UnreadableXmlError as error:
        package.problems.append(Problem(kind, name, path, str(error), line=error.line, column=error.column))
        return None


def _split(package: Package, kind: MetadataType, whole: Component) -> None:
    """Keeps the component, and apart from it those of its elements that are components too."""
    own = {name: found for name, found in whole.part.items() if name not in kind.children}
    for element, child in kind.children.items():
        for part in parts(whole.part, element):
            name = text(part, "fullName")
            name = name if kind.name == "CustomLabels" else f"{whole.name}.{name}"
            keep(package, Component(child, name, part, source=whole.source))
    if own or package.names(kind.name, whole.name):
        keep(package, Component(kind.name, whole.name, own, whole.files, whole.source))


def keep(package: Package, one: Component) -> None:
    if one.key in package.components:
        text = f"duplicate value found: {one.name} is there twice"
        package.problems.append(Problem(one.kind, one.name, one.source, text))
    package.components[one.key] = one


def _compare(package: Package, *, may_miss: bool) -> None:
    """Compares the manifest with what was found; what it does not name is no part of the package."""
    broken = {(one.kind, one.name) for one in package.problems}
    for key, one in list(package.components.items()):
        if not package.names(*key):
            if not (one.kind == "Workflow" or (one.kind == "CustomObject" and not _is_whole(one))):
                package.problems.append(Problem(one.kind, one.name, one.source, "Not in package.xml"))
            del package.components[key]
    for kind, listed in package.listed.items():
        for name in sorted(listed - {"*"}):
            if (kind, name) not in package.components and (kind, name) not in broken:
                missing = _NOT_FOUND.format(name=name, kind=kind)
                package.problems.append(Problem("", name, MANIFEST, missing, is_warning=may_miss))


def _is_whole(one: Component) -> bool:
    # A file that only carries children may stand for an object that the manifest does not name.
    return bool(one.part)


def written(catalog: Catalog, keys: Iterable[Key], version: str) -> dict[str, bytes]:
    """The files of these components as the platform hands them out, manifest included."""
    listed: dict[str, list[str]] = {}
    wholes: dict[Key, Part] = {}
    files: dict[str, bytes] = {}
    for kind, name in sorted(set(keys)):
        one = catalog.get(kind, name)
        if one is None:
            continue
        listed.setdefault(kind, []).append(one.name)
        if kind in CHILDREN:
            of, element = CHILDREN[kind]
            whole = wholes.setdefault((of.name, of.name if of.name == "CustomLabels" else one.parent), {})
            whole.setdefault(element, []).append(one.part)
        else:
            wholes.setdefault(one.key, {}).update(one.part)
            files.update(one.files)
    for (kind, name), part in wholes.items():
        files[_path(TYPES[kind], name)] = xml_parts.write(part, kind)
    manifest: Part = {"types": [{"members": names, "name": [kind]} for kind, names in listed.items()]}
    files[MANIFEST] = xml_parts.write({**manifest, "version": [version]}, "Package")
    return files


def _path(kind: MetadataType, name: str) -> str:
    if kind.is_bundle:
        return f"{kind.folder}/{name}/{name}.{kind.suffix}-meta.xml"
    return f"{kind.folder}/{name}.{kind.suffix}{'-meta.xml' if kind.has_content else ''}"
