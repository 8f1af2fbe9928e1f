"""The Metadata API: what is sent to an org to change how it is made, and asked of it.

Deploying and retrieving go on over there once they are begun, under an id, whoever watches. Sending the same package
twice comes to what sending it once does. Answers are XML, or a zip of bounded size within it.

Source  Metadata API Developer Guide: deploy(), checkDeployStatus(), cancelDeploy(), retrieve(), checkRetrieveStatus(),
        listMetadata(); metadata WSDL (read 2026-11)
"""

from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from collections.abc import Collection, Mapping
from xml.etree.ElementTree import Element, SubElement

from app.errors import EdgeAnswered, Unreadable
from app.sync.model import Side
from app.vendors.http import MISFIT
from app.vendors.salesforce import soap
from app.vendors.salesforce.metadata.deployment import Deployment, DeployOptions, read_deployment
from app.vendors.salesforce.metadata.package_xml import add_types
from app.vendors.salesforce.metadata.xml import NAMESPACE, tag
from app.vendors.salesforce.transport import Transport

_SIDE = Side.SALESFORCE.value
_LISTED_AT_ONCE = 3
_LONGEST_ZIP = 52_428_800  # characters; the platform gives no more


async def deploy(org: Transport, archive: bytes, options: DeployOptions) -> str:
    """Begin to deploy a zip, and give the id under which it goes on.

    Raises  Unavailable, OutcomeUnknown when it may have begun, Unauthorized, Rejected, Unreadable
    """
    call = Element(tag("deploy"))
    SubElement(call, tag("ZipFile")).text = b64encode(archive).decode()
    given = SubElement(call, tag("DeployOptions"))  # the WSDL's order
    for name, value in (
        ("allowMissingFiles", False),
        ("autoUpdatePackage", False),
        ("checkOnly", options.check_only),
        ("ignoreWarnings", True),
        ("performRetrieve", False),
        ("purgeOnDelete", False),  # what is deleted can be brought back for some days
        ("rollbackOnError", True),
    ):
        SubElement(given, tag(name)).text = str(value).lower()
    for name in options.tests:
        SubElement(given, tag("runTests")).text = name
    SubElement(given, tag("singlePackage")).text = "true"
    if options.level is not None:
        SubElement(given, tag("testLevel")).text = options.level.value
    return _id(await _answered(org, call, writes=True), "deploy")


async def deployment(org: Transport, id_: str, *, with_details: bool) -> Deployment:
    """Give how far a deployment has come; with details, each component's and each test's outcome.

    Raises  Unavailable, Unauthorized, Rejected, Unreadable
    """
    call = Element(tag("checkDeployStatus"))
    SubElement(call, tag("asyncProcessId")).text = id_
    SubElement(call, tag("includeDetails")).text = str(with_details).lower()
    found = read_deployment(_result(await _answered(org, call)))
    if found is None:
        raise Unreadable(_SIDE, "POST Soap checkDeployStatus", code=MISFIT)
    return found


async def cancel(org: Transport, id_: str) -> None:
    """Have a deployment canceled; it is over once its status says so.

    Raises  Unavailable, OutcomeUnknown, Unauthorized, Rejected
    """
    call = Element(tag("cancelDeploy"))
    SubElement(call, tag("String")).text = id_
    await _answered(org, call, writes=True)


async def begin_retrieve(org: Transport, members: Mapping[str, Collection[str]], version: str) -> str:
    """Begin to retrieve components, by their type, and give the id under which they come.

    Raises  as `deployment`
    """
    call = Element(tag("retrieve"))
    request = SubElement(call, tag("retrieveRequest"))
    SubElement(request, tag("apiVersion")).text = version
    SubElement(request, tag("singlePackage")).text = "true"
    add_types(SubElement(request, tag("unpackaged")), members, version)
    return _id(await _answered(org, call), "retrieve")


async def retrieved(org: Transport, id_: str) -> bytes | None:
    """Give the zip of what was retrieved; None while it is not there yet.

    Raises  as `deployment`
    """
    call = Element(tag("checkRetrieveStatus"))
    SubElement(call, tag("asyncProcessId")).text = id_
    SubElement(call, tag("includeZip")).text = "true"
    result = _result(await _answered(org, call))
    if result is None:
        raise Unreadable(_SIDE, "POST Soap checkRetrieveStatus", code=MISFIT)
    if result.findtext(tag("done")) != "true":
        return None
    text = result.findtext(tag("zipFile")) or ""
    try:
        zipped = b64decode(text, validate=False) if len(text) <= _LONGEST_ZIP else b""
    except (NoBase64, ValueError):
        zipped = b""
    if not zipped:
        raise Unreadable(_SIDE, "POST Soap checkRetrieveStatus", code="NO_ZIP")
    return zipped


async def names_there(org: Transport, types: Collection[str], version: str) -> dict[str, set[str]]:
    """Give, by type, the full names of the components that the org holds.

    Raises  as `deployment`
    """
    found: dict[str, set[str]] = {name: set() for name in types}
    names = sorted(types)
    for some in (names[at : at + _LISTED_AT_ONCE] for at in range(0, len(names), _LISTED_AT_ONCE)):
        call = Element(tag("listMetadata"))
        for name in some:
            SubElement(SubElement(call, tag("queries")), tag("type")).text = name
        SubElement(call, tag("asOfVersion")).text = version
        root = await _answered(org, call)
        for one in root.iter(tag("result")):
            type_, member = one.findtext(tag("type")), one.findtext(tag("fullName"))
            if type_ in found and member:
                found[type_].add(member)
    return found


async def _answered(org: Transport, call: Element, *, writes: bool = False) -> Element:
    """Give the response element of a call."""
    name = call.tag.rpartition("}")[2]
    content = await org.called(
        f"POST Soap {name}", lambda library: soap.post(library, "m", NAMESPACE, call), writes=writes
    )
    root = soap.read(content)
    found = None if root is None else root.find(f".//{tag(f'{name}Response')}")
    if found is None:
        kind = EdgeAnswered if writes else Unreadable
        raise kind(_SIDE, f"POST Soap {name}", code=MISFIT)
    return found


def _result(answer: Element) -> Element | None:
    return answer.find(tag("result"))


def _id(answer: Element, call: str) -> str:
    found = answer.findtext(f"{tag('result')}/{tag('id')}") or ""
    if not found.isalnum():
        raise EdgeAnswered(_SIDE, f"POST Soap {call}", code=MISFIT)
    return found
