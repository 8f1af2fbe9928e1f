"""The source files of objects: the object, its fields, compact layout and list views, and the event of the card. Pure.

Source  Metadata API Developer Guide, CustomObject, ListView, CompactLayout (read 2026-11)
"""

from collections.abc import Iterator, Mapping

from app.sync.model import Side
from app.sync.sync_status import SYNC_MESSAGE, SYNC_STATUS, SYNCED_AT, SyncStatus
from app.vendors.salesforce.metadata.fields import OrgObject, plural_of
from app.vendors.salesforce.metadata.xml import Element, document

FOLDER = "force-app/main/objects"
EVENT = "DrChrono_Sync__e"
EVENT_FIELDS: Mapping[str, tuple[int, str]] = {  # name -> length, what it says
    "Action__c": (20, "What happened or is asked for: changed, deleted, undeleted, merged, sync, link or unlink."),
    "Chart_Id__c": (64, "With link: the id of the DrChrono patient that the record is to be linked to."),
    "External_Id__c": (64, "The id in DrChrono that a deleted record had."),
    "Object__c": (80, "The API name of the record's object."),
    "Record_Id__c": (18, "The id of the record."),
    "Winner_Id__c": (18, "With merged: the id of the record that remains."),
}
_NAMES_IN_LISTS = {"Account": "ACCOUNT.NAME", "Contact": "FULL_NAME", "Lead": "FULL_NAME"}
_LISTED = 7  # fields of a list view or a compact layout, beside the name


def object_files(one: OrgObject) -> Iterator[tuple[str, bytes]]:
    """Give the files of an object, and of a standard one those of what is added to it."""
    folder = f"{FOLDER}/{one.name}"
    if one.is_custom:
        yield f"{folder}/{one.name}.object-meta.xml", document("CustomObject", _object(one))
        compact = {"fullName": _compact(one), "fields": ["Name", *listed_fields(one)], "label": one.label}
        yield f"{folder}/compactLayouts/{_compact(one)}.compactLayout-meta.xml", document("CompactLayout", compact)
    for field in one.made:
        made = {"fullName": field.name, **(field.made or {})}
        yield f"{folder}/fields/{field.name}.field-meta.xml", document("CustomField", made)
    for name, view in _views(one).items():
        yield f"{folder}/listViews/{name}.listView-meta.xml", document("ListView", view)


def event_files() -> Iterator[tuple[str, bytes]]:
    """Give the files of the platform event by which triggers and the card reach the service."""
    event: Element = {
        "deploymentStatus": "Deployed",
        "description": "A record may differ, or somebody asks for something. It holds ids and no values.",
        "eventType": "HighVolume",
        "label": "DrChrono Sync",
        "pluralLabel": "DrChrono Syncs",
        "publishBehavior": "PublishAfterCommit",
    }
    yield f"{FOLDER}/{EVENT}/{EVENT}.object-meta.xml", document("CustomObject", event)
    for name, (length, says) in EVENT_FIELDS.items():
        label = name.removesuffix("__c").replace("_", " ")
        field: Element = {
            "fullName": name,
            "description": says,
            "label": label,
            "length": length,
            "required": False,
            "type": "Text",
            "unique": False,
        }
        yield f"{FOLDER}/{EVENT}/fields/{name}.field-meta.xml", document("CustomField", field)


def _object(one: OrgObject) -> Element:
    """Give the object. What an administrator may want there, activities or a history, is left as it is."""
    kind = one.tables[0].kind.value
    name: Element = {"label": f"{one.label} Name", "type": "Text"}
    if one.name_row is None:
        name = {"displayFormat": f"{kind[0].upper()}-{{000000}}", "label": f"{one.label} Number", "type": "AutoNumber"}
    return {
        "compactLayoutAssignment": _compact(one),
        "deploymentStatus": "Deployed",
        "description": f"DrChrono's {kind}s, kept the same by Chronobridge.",
        "enableBulkApi": True,
        "enableReports": True,
        "enableSearch": True,
        "enableSharing": True,
        "enableStreamingApi": True,
        "externalSharingModel": "Private",
        "label": one.label,
        "nameField": name,
        "pluralLabel": plural_of(one.label),
        "sharingModel": "ReadWrite",  # of those whom a permission set lets at the object; nobody else sees a record
        "visibility": "Public",
    }


def _compact(one: OrgObject) -> str:
    return f"DrChrono_{one.word}"


def listed_fields(one: OrgObject) -> list[str]:
    """Give the fields that lists show of a record: what people edit first, in the mapping's order, and no long text."""
    rows = {row.shown(Side.SALESFORCE) for table in one.tables for row in table.rows.values()}
    short = [field for field in one.fields if field.made and field.name in rows and not field.is_long]
    return [field.name for field in sorted(short, key=lambda field: not field.is_edited)][:_LISTED]


def _views(one: OrgObject) -> Mapping[str, Element]:
    """Give an object's list views: of all records where the object is ours, and of each status that people look for.

    The org's files have none.
    """
    name = ["NAME"] if one.is_custom else [_NAMES_IN_LISTS[one.name]] if one.name in _NAMES_IN_LISTS else []
    views: dict[str, Element] = {}
    if one.is_custom:
        columns = [*name, *listed_fields(one)]
        views["All"] = {"fullName": "All", "columns": columns, "filterScope": "Everything", "label": "All"}
    is_listed = one.has_status and not one.is_file
    for status in (SyncStatus.IN_STEP, SyncStatus.FAILED, SyncStatus.NEEDS_REVIEW) if is_listed else ():
        full_name = f"DrChrono_{status.name.title()}"
        views[full_name] = {
            "fullName": full_name,
            "columns": [*name, SYNC_STATUS, SYNC_MESSAGE, SYNCED_AT, one.tables[0].external_id],
            "filterScope": "Everything",
            "filters": {"field": SYNC_STATUS, "operation": "equals", "value": status.value},
            "label": f"DrChrono: {status.label}",
        }
    return views
