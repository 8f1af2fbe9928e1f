"""The Salesforce package as SFDX source: what the mapping says, generated, and what is the same for every mapping.

`deploy/salesforce` is the package of the shipped mapping with documents. Apex classes, their tests, the card and
whatever else lies there in a folder that is not generated goes along as it is; the code for documents, only where the
mapping has them.

Source  Salesforce DX Developer Guide, Project Structure (read 2026-11)
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from defusedxml.ElementTree import fromstring

from app.errors import Misconfigured
from app.sync.mappings.table import Mappings, Table
from app.sync.model import Kind
from app.vendors.salesforce.metadata.fields import objects_of
from app.vendors.salesforce.metadata.messages import message_files
from app.vendors.salesforce.metadata.objects import event_files, object_files
from app.vendors.salesforce.metadata.pages import CARD_MAPPING, page_files
from app.vendors.salesforce.metadata.permission_sets import permission_files
from app.vendors.salesforce.metadata.xml import tag

PACKAGE = Path(__file__).parents[4] / "deploy" / "salesforce"
MAIN = "force-app/main"
_TYPES = (
    *("applications", "customPermissions", "deletions", "flows", "layouts", "objects", "permissionsets"),
    *("reportTypes", "tabs", "workflows"),
)
GENERATED = (CARD_MAPPING, *(f"{MAIN}/{name}" for name in _TYPES))  # folders of what follows the mapping
OF_DOCUMENTS = (
    f"{MAIN}/files",
    "force-app/tests/files",
)  # only a mapping with documents needs them; `documents` is a metadata type's
_PROJECT = "sfdx-project.json"
_LOOSE = (_PROJECT, ".forceignore")
_CARD_CLASS = b"@AuraEnabled"
_CREDENTIAL = ".externalCredential-meta.xml"


def source_files(mappings: Mappings, package: Path = PACKAGE) -> dict[str, bytes]:
    """Give the whole package of a mapping: path -> content, by path.

    package  where the parts are that follow no mapping

    Raises  Misconfigured, with a line for each key of the mapping that the platform does not allow
    """
    static = dict(_with_documents(_static_files(package), mappings))
    objects, api_version = objects_of(mappings), api_version_of(static)
    files = static | dict(event_files()) | dict(page_files(objects, api_version))
    files |= dict(permission_files(objects, _card_classes(static), _principals(static)))
    for one in objects:
        files |= dict(object_files(one)) | dict(message_files(one, api_version))
    return dict(sorted(files.items()))


def api_version_of(files: Mapping[str, bytes]) -> str:
    """Give the version of the API that a package is written for."""
    return str(json.loads(files[_PROJECT])["sourceApiVersion"])


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Write a package into a new folder, or over one that was written before, of which nothing generated is left.

    Raises  Misconfigured where the folder holds something else, or cannot be written
    """
    try:
        if folder.exists() and any(folder.iterdir()) and not _is_ours(folder / _PROJECT, files[_PROJECT]):
            raise Misconfigured(f"{folder} holds something else than this package; name a new folder")
        is_source = folder.resolve() == PACKAGE
        for name in GENERATED if is_source else (*GENERATED, *OF_DOCUMENTS):
            shutil.rmtree(folder / name, ignore_errors=True)
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        raise Misconfigured(f"{folder} cannot be written ({error.strerror}); name another folder") from None


def _is_ours(project: Path, ours: bytes) -> bool:
    """Say whether a project's file is that of such a package: nothing of somebody's own project is ours to delete."""
    try:
        return bool(json.loads(project.read_bytes())["name"] == json.loads(ours)["name"])
    except (OSError, ValueError, LookupError, TypeError):
        return False


def is_generated(path: str) -> bool:
    """Say whether a file of the package follows the mapping."""
    return any(path.startswith(f"{folder}/") for folder in GENERATED)


def _static_files(package: Path) -> Iterator[tuple[str, bytes]]:
    found = [package / name for name in _LOOSE] + sorted((package / "force-app").rglob("*"))
    for path in found:
        name = path.relative_to(package).as_posix()
        if path.is_file() and not is_generated(name):
            yield name, path.read_bytes()
    if not (package / _PROJECT).exists():
        raise Misconfigured(f"{package} holds no {_PROJECT}: run from a checkout or the image, which carry the package")


def _with_documents(files: Iterator[tuple[str, bytes]], mappings: Mappings) -> Iterator[tuple[str, bytes]]:
    """Give the files with their code for documents in the mapping's names, or without it where there are none."""
    documents, patients = mappings.get(Kind.DOCUMENT), mappings.get(Kind.PATIENT)
    for name, content in files:
        if not name.startswith(OF_DOCUMENTS):
            yield name, content
        elif documents is not None:
            yield name, _in_its_names(content, documents, patients) if name.endswith(".cls") else content


def _in_its_names(code: bytes, documents: Table, patients: Table | None) -> bytes:
    """Give code that names the fields of documents and the object of patients as the shipped mapping does, renamed."""
    names = {
        "DrChrono_Document_Id__c": documents.external_id,
        "Send_To_DrChrono__c": documents.opt_in or "",
        "Contact.SObjectType": f"{patients.object if patients else 'Contact'}.SObjectType",
    }
    return re.sub("|".join(map(re.escape, names)), lambda found: names[found[0]], code.decode()).encode()


def _card_classes(static: Mapping[str, bytes]) -> Iterator[str]:
    for name, content in static.items():
        if name.startswith(f"{MAIN}/") and name.endswith(".cls") and _CARD_CLASS in content:
            yield Path(name).stem


def _principals(static: Mapping[str, bytes]) -> Iterator[str]:
    """Give the principals of the external credentials, as a permission set names them."""
    for path, content in static.items():
        if not path.endswith(_CREDENTIAL):
            continue
        for parameter in fromstring(content).iter(tag("externalCredentialParameters")):
            if parameter.findtext(tag("parameterType")) == "NamedPrincipal":
                name = parameter.findtext(tag("parameterGroup")) or parameter.findtext(tag("parameterName"))
                yield f"{Path(path).name.removesuffix(_CREDENTIAL)}-{name}"
