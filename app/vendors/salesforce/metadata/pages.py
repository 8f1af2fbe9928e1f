"""What people see in the org: the app, its tabs, page layouts, and a report type of what needs attention. Pure.

Source  Metadata API Developer Guide, CustomApplication, CustomTab, Layout, ReportType (read 2026-11)
"""

from collections.abc import Iterator, Sequence

from app.sync.model import Kind, Side
from app.sync.sync_status import SYNC_MESSAGE, SYNC_STATUS, SYNCED_AT
from app.vendors.salesforce.metadata.fields import OrgField, OrgObject
from app.vendors.salesforce.metadata.objects import listed_fields
from app.vendors.salesforce.metadata.permission_sets import APP
from app.vendors.salesforce.metadata.xml import Element, document

_MOTIFS = {Kind.PATIENT: "Custom15: People", Kind.APPOINTMENT: "Custom25: Alarm clock"}  # icons of Salesforce's
_OTHER_MOTIF = "Custom18: Form"
CARD_MAPPING = "force-app/main/lwc/drchronoMapping"
_PATIENT_ID = "DrChrono_Patient_Id__c"  # where the mapping has no patients: a field that no object has
_REPORT_TYPE = "DrChrono_Needs_Attention"
_DOCUMENT_METHODS = ("documents", "send")
_OF_DOCUMENTS = "What the card asks about the files of a record; null where the mapping has no documents."


def page_files(objects: Sequence[OrgObject], api_version: str) -> Iterator[tuple[str, bytes]]:
    """Give the files of everything that is shown and that is no field."""
    yield f"force-app/main/applications/{APP}.app-meta.xml", document("CustomApplication", _app(objects))
    for one in objects:
        if one.is_custom:
            motif = _MOTIFS.get(one.tables[0].kind, _OTHER_MOTIF)
            tab: Element = {"customObject": True, "motif": motif}
            yield f"force-app/main/tabs/{one.name}.tab-meta.xml", document("CustomTab", tab)
            layout = f"{one.name}-{one.label} Layout"  # the name of the one that the platform makes by itself
            yield f"force-app/main/layouts/{layout}.layout-meta.xml", document("Layout", _layout(one, objects))
    yield from _card_files(objects, api_version)
    with_status = [one for one in objects if one.has_status and not one.is_file]
    if with_status:
        report = document("ReportType", _report_type(with_status))
        yield f"force-app/main/reportTypes/{_REPORT_TYPE}.reportType-meta.xml", report


def _card_files(objects: Sequence[OrgObject], api_version: str) -> Iterator[tuple[str, bytes]]:
    """Give what the card has to know of the mapping: a field that it names, and whether there are documents."""
    tables = (table for one in objects for table in one.tables)
    patient_id = next((table.external_id for table in tables if table.kind is Kind.PATIENT), _PATIENT_ID)
    says = "The field by which a record is linked to a patient in DrChrono. It is the mapping's, and written with it."
    folder = f"{CARD_MAPPING}/drchronoMapping"
    asks = _DOCUMENT_METHODS if any(one.is_file for one in objects) else ()
    lines = [f"import {name} from '@salesforce/apex/DrChronoCardDocuments.{name}';" for name in asks]
    lines += [""] if asks else []
    lines += [f"/** {says} */", f"export const PATIENT_ID = '{patient_id}';"]
    documents = f"{{ {', '.join(asks)} }}" if asks else "null"
    lines += [f"/** {_OF_DOCUMENTS} */", f"export const DOCUMENTS = {documents};"]
    yield f"{folder}.js", "\n".join([*lines, ""]).encode()
    meta: Element = {"apiVersion": api_version, "description": says, "isExposed": False}
    yield f"{folder}.js-meta.xml", document("LightningComponentBundle", meta)


def _app(objects: Sequence[OrgObject]) -> Element:
    tabs = [one.name if one.is_custom else f"standard-{one.name}" for one in objects if one.tables and not one.is_file]
    return {
        "brand": {"headerColor": "#0070D2", "shouldOverrideOrgTheme": False},
        "description": "Patients, appointments, doctors and offices of DrChrono.",
        "formFactors": ["Small", "Large"],
        "isNavAutoTempTabsDisabled": False,
        "isNavPersonalizationDisabled": False,
        "isNavTabPersistenceDisabled": False,
        "label": "DrChrono",
        "navType": "Standard",
        "tabs": tabs,
        "uiType": "Lightning",
    }


def _layout(one: OrgObject, objects: Sequence[OrgObject]) -> Element:
    rows = {row.shown(Side.SALESFORCE) for table in one.tables for row in table.rows.values()}
    of_record = [field for field in one.fields if field.made and field.name in rows]
    of_service = [field for field in one.fields if field.made and field.name not in rows]
    name: Element = {"behavior": "Readonly" if one.name_row is None else "Required", "field": "Name"}
    owner: Element = {"behavior": "Edit", "field": "OwnerId"}
    by_whom: list[Element] = [{"behavior": "Readonly", "field": name} for name in ("CreatedById", "LastModifiedById")]
    return {
        "layoutSections": [
            _section("Information", [name, *map(_item, of_record)]),
            _section("DrChrono", [*map(_item, of_service), owner]),
            _section("System Information", by_whom),
        ],
        "relatedLists": list(_related(one, objects)),
        "showEmailCheckbox": False,
        "showHighlightsPanel": False,
        "showInteractionLogPanel": False,
        "showRunAssignmentRulesCheckbox": False,
        "showSubmitAndAttachButton": False,
    }


def _related(one: OrgObject, objects: Sequence[OrgObject]) -> Iterator[Element]:
    """Give the lists of the records that look this one up, of objects of ours."""
    for other in objects:
        for field in other.made if other.is_custom else ():
            if field.made and field.made.get("referenceTo") == one.name:
                columns = [name for name in listed_fields(other) if name != field.name]
                yield {"fields": ["NAME", *columns], "relatedList": f"{other.name}.{field.name}"}


def _item(field: OrgField) -> Element:
    return {"behavior": "Edit" if field.is_edited else "Readonly", "field": field.name}


def _section(label: str, items: Sequence[Element]) -> Element:
    return {
        "customLabel": True,
        "detailHeading": True,
        "editHeading": True,
        "label": label,
        "layoutColumns": [{"layoutItems": list(items[0::2])}, {"layoutItems": list(items[1::2])}],
        "style": "TwoColumnsTopToBottom",
    }


def _report_type(objects: Sequence[OrgObject]) -> Element:
    """Give the patients with their appointments, or whichever of the two the mapping has."""
    base, *others = objects
    join: Element = {}
    sections = [_columns(base, base.name)]
    relations = [
        field.made["relationshipName"]
        for one in others
        for field in one.made
        if field.made and field.made.get("referenceTo") == base.name
    ]
    if relations:
        relation = f"{relations[0]}__r"
        join = {"join": {"outerJoin": True, "relationship": relation}}
        sections.append(_columns(others[0], f"{base.name}.{relation}"))
    return {
        "baseObject": base.name,
        "category": "other",
        "deployed": True,
        "description": "Whatever is not in step between DrChrono and Salesforce: filter by the status.",
        **join,
        "label": "DrChrono Needs Attention",
        "sections": sections,
    }


def _columns(one: OrgObject, table: str) -> Element:
    names = ["Name", SYNC_STATUS, SYNC_MESSAGE, SYNCED_AT, one.tables[0].external_id]
    columns = [{"checkedByDefault": True, "field": name, "table": table} for name in names]
    return {"columns": columns, "masterLabel": one.label}
