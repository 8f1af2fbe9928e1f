"""What tells the service of an edit: outbound messages, the flows that send them, the triggers of deletions. Pure.

A flow starts for nobody who holds the custom permission of the integration user, so an echo of the service's own writes
sends nothing; nor for a record that is no patient and is not to become one; and an edit of fields that the mapping does
not name sends nothing. A message carries ids and a stamp: the service reads the record itself.

Source  Metadata API Developer Guide, Flow, Workflow (read 2026-11). Two flows an object, because what a record was
        before is known to a flow of updates alone; a decision, and no entry condition, compares the fields, because
        entry conditions take no long texts
"""

from collections.abc import Iterator

from app.vendors.salesforce.metadata.fields import OrgObject
from app.vendors.salesforce.metadata.xml import Element, document

OUTBOUND_URL, INTEGRATION_USER = "CHRONOBRIDGE_OUTBOUND_URL", "CHRONOBRIDGE_INTEGRATION_USER"  # filled in at a deploy
INTEGRATION = "DrChrono_Integration"  # the custom permission, and the permission set that holds it
_EVENTS = "after delete, after undelete"  # an outbound message is not sent of these
_SEND, _COMPARE = "Send_Outbound_Message", "Compare_Mapped_Fields"
_FAULT, _WHY = "Save_All_The_Same", "Why_Nothing_Was_Sent"
_LAST = 2000  # of all flows that a save starts


def message_files(one: OrgObject, api_version: str) -> Iterator[tuple[str, bytes]]:
    """Give the files by which an object's edits reach the service.

    There are none of an object that only DrChrono edits; nor of the org's files, for which no flow starts: the triggers
    of `files` tell of those.
    """
    if one.is_one_way or one.is_file:
        return
    yield f"force-app/main/workflows/{one.name}.workflow-meta.xml", document("Workflow", _workflow(one, api_version))
    for when, flow in (("Created", _on_create(one)), ("Updated", _on_update(one))):
        name = f"DrChrono_{one.word}_{when}"
        label = f"DrChrono: {one.label.removeprefix('DrChrono ')} {when.lower()}"
        made = _flow(one, flow, label, api_version)
        yield f"force-app/main/flows/{name}.flow-meta.xml", document("Flow", made)
    name = f"DrChrono{one.word.replace('_', '')}"
    body = "    DrChronoChanges.told(Trigger.operationType, Trigger.old, Trigger.new);"
    yield (
        f"force-app/main/deletions/triggers/{name}.trigger",
        f"trigger {name} on {one.name}({_EVENTS}) {{\n{body}\n}}\n".encode(),
    )
    meta: Element = {"apiVersion": api_version, "status": "Active"}
    yield f"force-app/main/deletions/triggers/{name}.trigger-meta.xml", document("ApexTrigger", meta)


def _workflow(one: OrgObject, api_version: str) -> Element:
    fields = ["Id", "LastModifiedById", "SystemModstamp", *(table.external_id for table in one.tables)]
    message: Element = {
        "fullName": _message(one),
        "apiVersion": api_version,
        "description": "Tells Chronobridge that a record may differ. It carries no values: the record is read there.",
        "endpointUrl": OUTBOUND_URL,
        "fields": sorted(dict.fromkeys(fields)),
        "includeSessionId": False,
        "integrationUser": INTEGRATION_USER,
        "name": _message(one),
        "protected": False,
        "useDeadLetterQueue": False,
    }
    return {"outboundMessages": message}


def _message(one: OrgObject) -> str:
    return f"DrChrono_{one.word}"


def _on_create(one: OrgObject) -> Element:
    return {"start": _start(one, "Create", _SEND, _is_synced(one))}


def _on_update(one: OrgObject) -> Element:
    """Give what sends a message when one of the fields has another value than before."""
    changed = [
        {
            "leftValueReference": f"$Record.{field.name}",
            "operator": "NotEqualTo",
            "rightValue": {"elementReference": f"$Record__Prior.{field.name}"},
        }
        for field in one.fields
        if field.is_watched
    ]
    compare: Element = {
        "name": _COMPARE,
        "label": "Compare Mapped Fields",
        "locationX": 182,
        "locationY": 287,
        "defaultConnectorLabel": "Nothing of interest changed",
        "rules": {
            "name": "A_Mapped_Field_Changed",
            "conditionLogic": "or",
            "conditions": changed,
            "connector": {"targetReference": _SEND},
            "label": "A mapped field changed",
        },
    }
    was = [f"ISCHANGED({field})" for field in _deciding(one)]
    return {"decisions": compare, "start": _start(one, "Update", _COMPARE, [*_is_synced(one), *was])}


def _deciding(one: OrgObject) -> list[str]:
    """Give the fields that say that a record is synced; none where every record is."""
    tables = [table for table in one.tables if not table.is_one_way]
    if any(table.opt_in is None for table in tables):
        return []
    names = [name for table in tables for name in (table.opt_in, table.external_id)]
    return [f"{{!$Record.{name}}}" for name in dict.fromkeys(names)]


def _is_synced(one: OrgObject) -> list[str]:
    ticks = {f"{{!$Record.{table.opt_in}}}" for table in one.tables}
    return [field if field in ticks else f"NOT(ISBLANK({field}))" for field in _deciding(one)]


def _start(one: OrgObject, when: str, target: str, any_of: list[str]) -> Element:
    stranger = f"NOT({{!$Permission.{INTEGRATION}}})"
    return {
        "locationX": 56,
        "locationY": 0,
        "connector": {"targetReference": target},
        "filterFormula": f"AND({stranger}, OR({', '.join(any_of)}))" if any_of else stranger,
        "object": one.name,
        "recordTriggerType": when,
        "triggerType": "RecordAfterSave",
    }


def _flow(one: OrgObject, own: Element, label: str, api_version: str) -> Element:
    send: Element = {
        "name": _SEND,
        "label": "Send Outbound Message",
        "locationX": 50,
        "locationY": 395,
        "actionName": f"{one.name}.{_message(one)}",
        "actionType": "outboundMessage",
        "faultConnector": {"targetReference": _FAULT},
        "flowTransactionModel": "CurrentTransaction",
        "nameSegment": f"{one.name}.{_message(one)}",
    }
    why: Element = {
        "assignToReference": _WHY,
        "operator": "Assign",
        "value": {"elementReference": "$Flow.FaultMessage"},
    }
    keep: Element = {  # without it, whoever edits would see a fault of ours, and their edit would be lost
        "name": _FAULT,
        "label": "Save All The Same",
        "locationX": 314,
        "locationY": 503,
        "assignmentItems": why,
    }
    settings = [("BuilderType", "LightningFlowBuilder"), ("CanvasMode", "AUTO_LAYOUT_CANVAS")]
    flow: Element = {
        "actionCalls": send,
        "apiVersion": api_version,
        "assignments": keep,
        "description": "Tells Chronobridge of what people edit. It starts for nobody with the permission of its user.",
        "environments": "Default",
        "interviewLabel": f"{label} {{!$Flow.CurrentDateTime}}",
        "label": label,
        "processMetadataValues": [{"name": name, "value": {"stringValue": value}} for name, value in settings],
        "processType": "AutoLaunchedFlow",
        "status": "Active",
        "triggerOrder": _LAST,
        "variables": {"name": _WHY, "dataType": "String", "isCollection": False, "isInput": False, "isOutput": False},
        **own,
    }
    return dict(sorted(flow.items()))
