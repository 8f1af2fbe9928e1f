"""`package.xml` and its like: which components, by type, a zip holds, asks for or deletes."""

from collections.abc import Collection, Mapping
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from app.vendors.salesforce.metadata.xml import NAMESPACE, tag


def package_xml(members: Mapping[str, Collection[str]], version: str) -> bytes:
    """Give the document that names components, by type."""
    root = Element(tag("Package"))
    add_types(root, members, version)
    return document(root)


def add_types(package: Element, members: Mapping[str, Collection[str]], version: str) -> None:
    """Add components to a package, sorted, and the version that they are written for."""
    for name in sorted(members):
        types = SubElement(package, tag("types"))
        for member in sorted(members[name]):
            SubElement(types, tag("members")).text = member
        SubElement(types, tag("name")).text = name
    SubElement(package, tag("version")).text = version


def document(root: Element) -> bytes:
    """Give an element of the namespace as a file: the platform's own declaration, four blanks a level."""
    indent(root, "    ")
    text = tostring(root, encoding="unicode", default_namespace=NAMESPACE)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()
