"""The Metadata API: POST /services/Soap/m/version, as far as one deploys, retrieves, lists and deletes with it.

The session stands in the message. Whoever may not customize the org is refused every call, as the platform does.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from starlette.requests import Request
from starlette.responses import Response

from tests.standins.salesforce.ids import mint
from tests.standins.salesforce.metadata.archive import read_package, unzip, without_root, written, zipped
from tests.standins.salesforce.metadata.components import Catalog, Component, Key
from tests.standins.salesforce.metadata.deployments import Options
from tests.standins.salesforce.metadata.jobs import Deploy, Retrieval
from tests.standins.salesforce.metadata.registry import CHILDREN, NAMES, TYPES
from tests.standins.salesforce.metadata.replies import deploy_result, element, file_properties
from tests.standins.salesforce.org import INTEGRATION_USER, Org
from tests.standins.salesforce.web import org_of

METADATA = "http://soap.sforce.com/2006/04/metadata"
_SOAP, _OURS = "{http://schemas.xmlsoap.org/soap/envelope/}", f"{{{METADATA}}}"
_OLDEST, _NEWEST = 31, 68
MOST_ZIP_BYTES = 39 * 1024 * 1024
_NO_SESSION = "Invalid Session ID found in SessionHeader: Illegal Session. Session not found"
_NO_RIGHT = "use of the Metadata API requires a user with the ModifyAllData or ModifyMetadata permissions"


class FaultError(Exception):
    """The call as a whole is refused."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


async def call(request: Request) -> Response:
    """POST services/Soap/m/version."""
    org = org_of(request)
    try:
        root = fromstring(await request.body(), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError):
        return _fault("soapenv:Client", "the message is not well formed")
    try:
        name, answer = _answered(org, root, request.path_params["version"])
    except FaultError as fault:
        return _fault(fault.code, str(fault))
    return _sent(f'<{name}Response xmlns="{METADATA}">{answer}</{name}Response>', 200)


def _answered(org: Org, root: Element, version: float) -> tuple[str, str]:
    session = root.findtext(f"{_SOAP}Header/{_OURS}SessionHeader/{_OURS}sessionId") or ""
    if not org.greet(session):
        raise FaultError("sf:INVALID_SESSION_ID", _NO_SESSION)
    if org.calls_used >= org.settings.daily_calls:
        raise FaultError("sf:REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    org.calls_used += 1
    if not _OLDEST <= version <= _NEWEST:
        raise FaultError("sf:UNSUPPORTED_API_VERSION", f"Invalid Api version specified on URL: {version}")
    user = org.user_of(session)
    if user == INTEGRATION_USER and not org.settings.integration_may_deploy:
        raise FaultError("sf:INSUFFICIENT_ACCESS", _NO_RIGHT)
    body = root.find(f"{_SOAP}Body")
    asked = next(iter(body), None) if body is not None else None
    name = "" if asked is None else asked.tag.removeprefix(_OURS)
    if asked is None or name not in _CALLS:
        raise FaultError("soapenv:Client", f"No operation available for request {name}")
    return name, _CALLS[name](org, asked, user)


def _deploy(org: Org, asked: Element, user: str) -> str:
    given = {one.tag.removeprefix(_OURS): one for one in asked}
    options = given.get("DeployOptions")
    try:
        content = base64.b64decode("".join((given["ZipFile"].text or "").split()), validate=True)
        if len(content) > MOST_ZIP_BYTES:
            raise FaultError(
                "sf:LIMIT_EXCEEDED", f"Maximum size of request reached. Maximum is {MOST_ZIP_BYTES} bytes."
            )
        files = unzip(content)
    except (KeyError, binascii.Error, ValueError) as error:
        raise FaultError("sf:INVALID_FIELD", f"ZipFile: {error}") from None
    if _flag(options, "singlePackage", default=False) is False:
        files = without_root(files)
    run = [one.text or "" for one in options.findall(f"{_OURS}runTests")] if options is not None else []
    wanted = Options(
        check_only=_flag(options, "checkOnly"),
        rollback_on_error=_flag(options, "rollbackOnError") or org.settings.production,
        ignore_warnings=_flag(options, "ignoreWarnings"),
        allow_missing_files=_flag(options, "allowMissingFiles"),
        test_level=(options.findtext(f"{_OURS}testLevel") or "").strip() if options is not None else "",
        run_tests=tuple(run),
    )
    package = read_package(files, may_miss=wanted.allow_missing_files)
    made = Deploy(mint("0Af", len(org.deploys) + 1), package, wanted, user, org.stamp())
    org.deploys[made.id] = made
    return element("result", {"done": False, "id": made.id, "state": "Queued"})


def _flag(options: Element | None, name: str, *, default: bool = False) -> bool:
    found = None if options is None else options.findtext(f"{_OURS}{name}")
    return default if found is None else found.strip() in {"true", "1"}


def _check_deploy_status(org: Org, asked: Element, _user: str) -> str:
    found = _deploy_of(org, asked)
    found.look(org)
    return deploy_result(found, org, with_details=_flag(asked, "includeDetails"))


def _cancel_deploy(org: Org, asked: Element, _user: str) -> str:
    found = _deploy_of(org, asked)
    if found.is_done:
        raise FaultError("sf:INVALID_ID_FIELD", f"Deployment already completed: {found.id}")
    found.cancel()
    return element("result", {"done": False, "id": found.id})


def _deploy_of(org: Org, asked: Element) -> Deploy:
    # Clients name this argument differently; the platform takes the first there is.
    given = (asked[0].text or "").strip() if len(asked) else ""
    found = org.deploys.get(given) or next((one for key, one in org.deploys.items() if key[:15] == given), None)
    if found is None:
        raise FaultError("sf:INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    return found


def _retrieve(org: Org, asked: Element, _user: str) -> str:
    request = asked[0] if len(asked) else asked
    unpackaged = request.find(f"{_OURS}unpackaged")
    keys: list[Key] = []
    missing: list[tuple[str, str]] = []
    for types in () if unpackaged is None else unpackaged.findall(f"{_OURS}types"):
        kind = types.findtext(f"{_OURS}name") or ""
        if kind not in NAMES:
            raise FaultError("sf:INVALID_TYPE", f"Unknown type: {kind}")
        for member in types.findall(f"{_OURS}members"):
            found = _members(org.catalog, kind, member.text or "")
            keys += found
            if not found and member.text != "*":
                missing.append((kind, member.text or ""))
    version = request.findtext(f"{_OURS}apiVersion") or "67.0"
    root = "" if _flag(request, "singlePackage") else "unpackaged/"
    files = {f"{root}{path}": one for path, one in written(org.catalog, keys, version).items()}
    names = [(kind, name, f"{root}{_file_of(org.catalog, kind, name)}") for kind, name in dict.fromkeys(keys)]
    made = Retrieval(mint("09S", len(org.retrievals) + 1), zipped(files), names, missing)
    org.retrievals[made.id] = made
    return element("result", {"done": False, "id": made.id, "state": "Queued"})


def _members(catalog: Catalog, kind: str, name: str) -> list[Key]:
    """The components that the name of a manifest means: an object comes with all that is its own."""
    whole = [one for one in catalog.of(kind) if name in {"*", one.name}]
    keys = [one.key for one in whole]
    if kind in TYPES and TYPES[kind].children:
        parents = [one.name for one in whole] or ([name] if name != "*" else [])
        for child in TYPES[kind].children.values():
            if kind == "CustomLabels":
                keys += [one.key for one in catalog.of(child)]
            else:
                keys += [one.key for parent in parents for one in catalog.children(child, parent)]
    return keys


def _file_of(catalog: Catalog, kind: str, name: str) -> str:
    of = CHILDREN[kind][0] if kind in CHILDREN else TYPES[kind]
    parent = name if kind in TYPES else name.partition(".")[0]
    return f"{of.folder}/{'CustomLabels' if of.name == 'CustomLabels' else parent}.{of.suffix}"


def _check_retrieve_status(org: Org, asked: Element, _user: str) -> str:
    found = org.retrievals.get((asked[0].text or "").strip() if len(asked) else "")
    if found is None:
        raise FaultError("sf:INVALID_LOCATOR", "invalid async process id")
    found.looks += 1
    is_done = found.looks > org.settings.deploy_looks
    status = "Succeeded" if is_done else "Pending" if found.looks == 1 else "InProgress"
    head: dict[str, Any] = {"done": is_done, "id": found.id, "status": status, "success": is_done}
    if not is_done:
        return element("result", head)
    told = [file_properties(org, *one) for one in found.names]
    messages = [
        {"fileName": "unpackaged/package.xml", "problem": f"Entity of type '{kind}' named '{name}' cannot be found"}
        for kind, name in found.missing
    ]
    zip_file = {"zipFile": base64.b64encode(found.content).decode()} if _flag(asked, "includeZip", default=True) else {}
    return element("result", {**head, "fileProperties": told, "messages": messages, **zip_file})


def _describe_metadata(org: Org, _asked: Element, _user: str) -> str:
    objects = [
        {
            "childXmlNames": list(one.children.values()),
            "directoryName": one.folder,
            "inFolder": False,
            "metaFile": one.has_content,
            "suffix": one.suffix,
            "xmlName": one.name,
        }
        for one in TYPES.values()
    ]
    known = {"organizationNamespace": "", "partialSaveAllowed": not org.settings.production}
    return element("result", {"metadataObjects": objects, **known, "testRequired": org.settings.production})


def _list_metadata(org: Org, asked: Element, _user: str) -> str:
    found: list[Component] = []
    for query in asked.findall(f"{_OURS}queries"):
        kind = (query.findtext(f"{_OURS}type") or "").strip()
        if kind not in NAMES:
            raise FaultError("sf:INVALID_TYPE", f"INVALID_TYPE: Unknown type:{kind}")
        found += org.catalog.of(kind)
    told = [file_properties(org, one.kind, one.name, _file_of(org.catalog, *one.key)) for one in found]
    return "".join(element("result", one) for one in told)


_CALLS: dict[str, Callable[[Org, Element, str], str]] = {
    "cancelDeploy": _cancel_deploy,
    "checkDeployStatus": _check_deploy_status,
    "checkRetrieveStatus": _check_retrieve_status,
    "deploy": _deploy,
    "describeMetadata": _describe_metadata,
    "listMetadata": _list_metadata,
    "retrieve": _retrieve,
}


def _fault(code: str, text: str) -> Response:
    name = code.rpartition(":")[2]
    told = f"<faultcode>{code}</faultcode><faultstring>{escape(f'{name}: {text}')}</faultstring>"
    return _sent(f"<soapenv:Fault>{told}</soapenv:Fault>", 500)


def _sent(inside: str, status: int) -> Response:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
        'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:sf="http://soap.sforce.com/2006/04/metadata" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>{inside}</soapenv:Body>'
        "</soapenv:Envelope>"
    )
    return Response(body, status, media_type="text/xml;charset=UTF-8")
