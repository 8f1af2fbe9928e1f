"""A project's source files as the Metadata API takes them: one file a component, `package.xml` beside them, zipped.

Source format takes an object apart, file by file, and calls every XML file `…-meta.xml`; free folders may stand above
those of the types. Here objects are put together again, and XML that is a component by itself loses the ending, which
code keeps. What `.forceignore` names stays out, and what `replacements` in `sfdx-project.json` name is filled in. The
same files make the same zip, byte for byte.

Source  Salesforce DX Developer Guide, project structure, source format and string replacement; Metadata API Developer
        Guide, file-based calls (read 2026-11)
"""

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from io import BytesIO
from typing import Any
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from defusedxml.ElementTree import fromstring

from app.vendors.salesforce.metadata.package_xml import document, package_xml
from app.vendors.salesforce.metadata.xml import tag

PROJECT = "sfdx-project.json"
_META = "-meta.xml"
_AT = (2026, 1, 1, 0, 0, 0)  # of every file in a zip
_TEST = re.compile(rb"@istest[^{;]*?\bvoid\b", re.IGNORECASE)
_ACTIVE = re.compile(rb"<status>\s*Active\s*</status>")

# a file's ending, the type of its component, and the folder of the type in the zip
_XML = {
    "app": ("CustomApplication", "applications"),
    "cspTrustedSite": ("CspTrustedSite", "cspTrustedSites"),
    "customPermission": ("CustomPermission", "customPermissions"),
    "externalCredential": ("ExternalCredential", "externalCredentials"),
    "flexipage": ("FlexiPage", "flexipages"),
    "flow": ("Flow", "flows"),
    "globalValueSet": ("GlobalValueSet", "globalValueSets"),
    "labels": ("CustomLabels", "labels"),
    "layout": ("Layout", "layouts"),
    "md": ("CustomMetadata", "customMetadata"),
    "namedCredential": ("NamedCredential", "namedCredentials"),
    "permissionset": ("PermissionSet", "permissionsets"),
    "platformEventSubscriberConfig": ("PlatformEventSubscriberConfig", "PlatformEventSubscriberConfigs"),
    "quickAction": ("QuickAction", "quickActions"),
    "remoteSite": ("RemoteSiteSetting", "remoteSiteSettings"),
    "reportType": ("ReportType", "reportTypes"),
    "tab": ("CustomTab", "tabs"),
    "workflow": ("Workflow", "workflows"),
}
# code has its XML beside it, and a bundle is a folder, whatever lies in it
_CODE = {"cls": ("ApexClass", "classes"), "trigger": ("ApexTrigger", "triggers")}
_BUNDLES = {"lwc": "LightningComponentBundle", "aura": "AuraDefinitionBundle"}
# the parts of an object: the ending of their files, the type, and its element in the object
_PARTS = {
    "businessProcess": ("BusinessProcess", "businessProcesses"),
    "compactLayout": ("CompactLayout", "compactLayouts"),
    "field": ("CustomField", "fields"),
    "fieldSet": ("FieldSet", "fieldSets"),
    "index": ("Index", "indexes"),
    "listView": ("ListView", "listViews"),
    "recordType": ("RecordType", "recordTypes"),
    "validationRule": ("ValidationRule", "validationRules"),
    "webLink": ("WebLink", "webLinks"),
}
_OBJECT = "object"
# components that stand together in one file: the file's type, their element in it, and their own type
_INSIDE = {
    "Workflow": {"outboundMessages": "WorkflowOutboundMessage", "alerts": "WorkflowAlert", "rules": "WorkflowRule"},
    "CustomLabels": {"labels": "CustomLabel"},
}


class NoComponentError(ValueError):
    """A file of the source is none that can be deployed; its path is the message."""


@dataclass(frozen=True, slots=True)
class Package:
    """What a project deploys: files by their path in the zip, and names of components by their type."""

    files: Mapping[str, bytes]
    members: Mapping[str, tuple[str, ...]]
    version: str

    @property
    def count(self) -> int:
        """Of how many components it is made."""
        return sum(map(len, self.members.values()))

    @property
    def tests(self) -> tuple[str, ...]:
        """The classes of code that hold tests."""
        known = self.members.get("ApexClass", ())
        return tuple(name for name in known if _TEST.search(self.files[f"classes/{name}.cls"]))

    def zipped(self) -> bytes:
        """Give the zip that deploys it."""
        return _zip({**self.files, "package.xml": package_xml(self.members, self.version)})

    def with_flows_as_drafts(self) -> "Package":
        """Give it with its flows inactive: an active one cannot be deleted."""
        files = {
            path: _ACTIVE.sub(b"<status>Draft</status>", text) if path.startswith("flows/") else text
            for path, text in self.files.items()
        }
        return Package(files, self.members, self.version)


def package_of(source: Mapping[str, bytes], values: Mapping[str, str] | None = None) -> Package:
    """Give what a project deploys.

    source  its files, by their path in it
    values  what stands for the variables that `replacements` name; None: the files stay as they are
    Raises  NoComponentError; LookupError with the name of a variable that is not among the values
    """
    project = json.loads(source[PROJECT])
    roots = tuple(f"{one['path'].strip('./')}/" for one in project["packageDirectories"])
    is_ignored = _ignored(source.get(".forceignore", b"").decode())
    chosen = {path: text for path, text in source.items() if path.startswith(roots) and not is_ignored(path)}
    if values is not None:
        chosen = _filled(chosen, project.get("replacements", ()), values)
    files: dict[str, bytes] = {}
    members: dict[str, set[str]] = {}
    objects: dict[str, list[tuple[str, bytes]]] = {}
    for path, text in sorted(chosen.items()):
        *folders, file = path.split("/")
        name, _, ending = file.removesuffix(_META).rpartition(".")
        bundle = next((at for at, folder in enumerate(folders[:-1]) if folder in _BUNDLES), None)
        if bundle is not None:
            target, named = "/".join((*folders[bundle:], file)), [(_BUNDLES[folders[bundle]], folders[bundle + 1])]
        elif ending in _CODE:
            type_, folder = _CODE[ending]
            target, named = f"{folder}/{file}", [(type_, name)]
        elif ending in _XML and file.endswith(_META):
            type_, folder = _XML[ending]
            target, named = f"{folder}/{file.removesuffix(_META)}", _components(type_, name, path, text)
        elif ending in (_OBJECT, *_PARTS) and file.endswith(_META) and len(folders) > 1:
            objects.setdefault(folders[-1 if ending == _OBJECT else -2], []).append((path, text))
            continue
        else:
            raise NoComponentError(path)
        files[target] = text
        for type_, member in named:
            members.setdefault(type_, set()).add(member)
    for name, parts in objects.items():
        files[f"objects/{name}.object"] = _whole(name, parts, members)
    in_order = {type_: tuple(sorted(names)) for type_, names in sorted(members.items())}
    return Package(dict(sorted(files.items())), in_order, str(project["sourceApiVersion"]))


def destruction(members: Mapping[str, tuple[str, ...]], version: str) -> bytes:
    """Give the zip that deletes components, once what comes with it, which is nothing, is deployed."""
    return _zip({"package.xml": package_xml({}, version), "destructiveChangesPost.xml": package_xml(members, version)})


def _components(type_: str, name: str, path: str, text: bytes) -> list[tuple[str, str]]:
    """Give the components that an XML file is made of: mostly itself."""
    inside = _INSIDE.get(type_)
    if inside is None:
        return [(type_, name)]
    owner = f"{name}." if type_ == "Workflow" else ""
    parts = (one for one in fromstring(text) if _local(one) in inside)
    return [(inside[_local(one)], f"{owner}{_full_name(one, path)}") for one in parts]


def _whole(name: str, parts: list[tuple[str, bytes]], members: dict[str, set[str]]) -> bytes:
    """Give an object put together of its parts, which become members."""
    root = Element(tag("CustomObject"))
    for path, text in parts:
        part = fromstring(text)
        ending = path.removesuffix(_META).rpartition(".")[2]
        if ending == _OBJECT:
            root[:0] = list(part)
            members.setdefault("CustomObject", set()).add(name)
            continue
        type_, element = _PARTS[ending]
        part.tag = tag(element)
        root.append(part)
        members.setdefault(type_, set()).add(f"{name}.{_full_name(part, path)}")
    return document(root)


def _full_name(element: Element, path: str) -> str:
    found = element.findtext(tag("fullName"))
    if not found:
        raise NoComponentError(path)
    return found


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _ignored(rules: str) -> Any:
    """Give what says whether a path is left out, by lines of patterns as git knows them, without exceptions."""
    patterns = [line.strip().strip("/") for line in rules.splitlines() if line.strip() and not line.startswith("#")]

    def is_ignored(path: str) -> bool:
        above = [path, *_parents(path)]
        return any(
            fnmatchcase(one, pattern) or fnmatchcase(one, f"*/{pattern}") or fnmatchcase(f"/{one}", pattern)
            for pattern in (pattern.removesuffix("/**") for pattern in patterns)
            for one in above
        )

    return is_ignored


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _filled(
    files: Mapping[str, bytes], replacements: list[dict[str, Any]], values: Mapping[str, str]
) -> dict[str, bytes]:
    """Give files with the values of variables in the place of what stands for them."""
    filled = dict(files)
    for one in replacements:
        value = values[one["replaceWithEnv"]]
        for path in files:
            if path == one.get("filename") or fnmatchcase(path, one.get("glob", "")):
                text = escape(value) if path.endswith(".xml") else value
                filled[path] = filled[path].replace(one["stringToReplace"].encode(), text.encode())
    return filled


def _zip(files: Mapping[str, bytes]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in sorted(files.items()):
            entry = zipfile.ZipInfo(path, _AT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text)
    return buffer.getvalue()
