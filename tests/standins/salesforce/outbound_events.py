"""`DrChrono_Sync__e` on its way to an HTTP endpoint: by the package's own triggers, or as other senders would do it.

The package announces what was deleted, restored or merged, where its trigger is on the object, and which files of
patients changed, and carries it by the trigger on the event, several times if need be. A Flow's callout and Apex in
batches carry every change once, and EventBridge tries again for a day. Events hold ids and names, never values.
"""

import base64
import hashlib
import hmac
import itertools
import json
import re
import uuid
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from tests.standins.salesforce.ids import full
from tests.standins.salesforce.metadata.components import Catalog
from tests.standins.salesforce.org import INTEGRATION_USER, Org
from tests.standins.salesforce.outbound_courier import Courier, Parcel, Policy
from tests.standins.salesforce.outbound_files import KEY, told_of
from tests.standins.salesforce.records import Row, Table
from tests.standins.salesforce.rules import Call

EVENT = "DrChrono_Sync__e"
_OPERATIONS = {
    "created": "CREATE", "updated": "UPDATE", "unchanged": "UPDATE",
    "deleted": "DELETE", "undeleted": "UNDELETE", "merged": "MERGE",
}  # fmt: skip
# how many events one request carries
_BATCHES = {"package": 200, "flow": 1, "apex": 2000, "relay": 1}
_NEVER_AGAIN = {"retry_s": 1.0, "give_up_s": 0.0}
_TRIES = {"package": {"retry_s": 60.0, "most_retry_s": 600.0, "give_up_s": 1500.0}, "relay": {"retry_s": 1.0}}
_ANNOUNCED = frozenset({"deleted", "undeleted", "merged"})
_TRIGGER = re.compile(r"\btrigger\s+\w+\s+on\s+(\w+)\s*\(([^)]*)\)")
Event = dict[str, Any]


@lru_cache(maxsize=64)
def announced_by(catalog: Catalog) -> frozenset[str]:
    """The objects, in lower case, whose deletions the package's triggers announce; none where nothing carries them."""
    found = set()
    is_carried = False
    for one in catalog.of("ApexTrigger"):
        code = b"".join(content for _, content in one.files).decode()
        on = _TRIGGER.search(code)
        is_carried |= on is not None and on[1] == EVENT and "DrChronoSender.send(" in code
        if on is not None and "DrChronoChanges.told(" in code and "after delete" in on[2]:
            found.add(on[1].lower())
    return frozenset(found) if is_carried else frozenset()


class Events:
    """The one subscriber; `POST /_control/events` puts another in its place."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._courier: Courier | None = None
        self._replay = itertools.count(1_000_001)

    def set_up(self, wanted: dict[str, Any]) -> None:
        """Begins to send; an earlier one must have ended.

        Raises
            ValueError  there is no such shape, object or switch, or the url or token is missing

        """
        wanted = dict(wanted)
        self._shape, self._token = wanted.pop("shape", "apex"), wanted.pop("token", "")
        self._silent = wanted.pop("silence_integration_user", True)
        self._key = base64.urlsafe_b64decode(wanted.pop("signing_key", ""))
        kinds = [str(one).lower() for one in wanted.pop("kinds", self._org.tables)]
        if self._shape not in _BATCHES or not self._token or set(kinds) - self._org.tables.keys():
            raise ValueError(f"shape: one of {', '.join(_BATCHES)}; token: text; kinds: names of objects")
        own = _TRIES.get(self._shape, _NEVER_AGAIN)
        policy = Policy().changed({"batch": _BATCHES[self._shape], **own, **wanted})
        self._kinds = {self._org.tables[one].kind.name for one in kinds}
        self._courier = Courier(self._compose, lambda answer: answer.is_success)
        self._courier.change(policy)
        self._org.listeners.append(self._hear)

    async def end(self) -> None:
        courier, self._courier = self._courier, None
        if courier is not None:
            if self._hear in self._org.listeners:
                self._org.listeners.remove(self._hear)
            await courier.end()

    def shown(self) -> dict[str, Any]:
        if self._courier is None:
            return {"url": None, "waiting": 0, "in_flight": 0, "delivered": 0, "given_up": 0, "lost": 0, "sends": 0}
        return {"url": self._courier.policy.url, **self._courier.counts()}

    def _hear(self, call: Call, table: Table, row: Row, op: str, changed: list[str]) -> None:
        if self._courier is None or table.kind.name not in self._kinds:
            return
        if self._shape == "package":
            if op in _ANNOUNCED and table.kind.name.lower() in announced_by(self._org.catalog):
                self._courier.admit(EVENT, self._announcement(call, table, row, op))
            for one in told_of(call, table, row, op, changed):
                versions = self._org.tables["contentversion"]
                key = one.version.get(KEY) if one.action != "changed" else None
                self._courier.admit(EVENT, self._announcement(call, versions, one.version, one.action, key))
            return
        if self._silent and call.user == INTEGRATION_USER:
            return
        if op == "merged":  # Apex sees an update of the one that is left, and the other's deletion
            self._courier.admit(EVENT, self._event(call, table, table.rows[row["MasterRecordId"]], "UPDATE", []))
        self._courier.admit(EVENT, self._event(call, table, row, _OPERATIONS[op], changed))

    def _announcement(self, call: Call, table: Table, row: Row, action: str, key: str | None = None) -> Event:
        column = next((column.name for column in table.kind.own if column.external_id and column.unique), None)
        return {
            "EventUuid": str(uuid.uuid4()),
            "ReplayId": str(next(self._replay)),
            "CreatedDate": _moment(self._org.now()),
            "CreatedById": call.user,
            "Action__c": action,
            "Object__c": table.kind.name,
            "Record_Id__c": row["Id"],
            "Winner_Id__c": row.get("MasterRecordId") if action == "merged" else None,
            "External_Id__c": row[column] if column else key,
            "Chart_Id__c": None,
        }

    def _event(self, call: Call, table: Table, row: Row, operation: str, changed: list[str]) -> Event:
        key = next((column.name for column in table.kind.own if column.external_id and column.unique), None)
        return {
            "EventUuid": str(uuid.uuid4()),
            "ReplayId": str(next(self._replay)),
            "CreatedDate": _moment(self._org.now()),
            "CreatedById": call.user,
            "Object_Api_Name__c": table.kind.name,
            "Record_Id__c": row["Id"],
            "Operation__c": operation,
            "Changed_Fields__c": ",".join(changed)[:255] or None,
            "DrChrono_Id__c": row[key] if key else None,
            "Master_Record_Id__c": row.get("MasterRecordId") if operation == "MERGE" else None,
            "Actor_User_Id__c": call.user,
            "Source_Client__c": None,
            "stamp": row["SystemModstamp"],
        }

    def _compose(self, parcel: Parcel) -> tuple[bytes, dict[str, str]]:
        body = json.dumps(_SHAPES[self._shape](self._org, parcel.items)).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        if self._key:
            at = str(int(self._org.now().timestamp()))
            signature = hmac.new(self._key, at.encode() + b"." + body, hashlib.sha256).hexdigest()
            headers["X-Chronobridge-Signature"] = f"t={at},v1={signature}"
        return body, headers


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _org_id(org: Org) -> str:
    return full(org.credentials.org_id[:15])


def _as_published(event: Event) -> Event:
    return {name: value for name, value in event.items() if name != "stamp"}


def _flow(org: Org, events: list[Event]) -> Any:
    (event,) = events
    operation = event["Operation__c"]
    body = {
        "organizationId": _org_id(org),
        "objectApiName": event["Object_Api_Name__c"],
        "recordId": event["Record_Id__c"],
        "operation": "CreateOrUpdate" if operation in {"CREATE", "UPDATE"} else operation.title(),
        "drchronoId": event["DrChrono_Id__c"],
        "lastModifiedById": event["Actor_User_Id__c"],
        "systemModstamp": event["stamp"][:19] + "Z",
    }
    return body | ({"masterRecordId": event["Master_Record_Id__c"]} if operation == "MERGE" else {})


def _apex(org: Org, events: list[Event]) -> Any:
    return {
        "schema": "drcsync.platform_event.v1",
        "organizationId": _org_id(org),
        "sentAt": _moment(org.now()),
        "events": [_as_published(event) for event in events],
    }


def _package(org: Org, events: list[Event]) -> Any:
    return {"organizationId": _org_id(org), "sentAt": _moment(org.now()), "events": events}


def _relay(org: Org, events: list[Event]) -> Any:
    (event,) = events
    payload = {name: value for name, value in _as_published(event).items() if name != "ReplayId"}
    return {
        "version": "0",
        "id": event["EventUuid"],
        "detail-type": EVENT,
        "source": f"aws.partner/salesforce.com/{_org_id(org)}/0YLSYN0000000014BA",
        "account": "123456789012",
        "time": event["CreatedDate"][:19] + "Z",
        "region": "us-west-2",
        "resources": [],
        "detail": {
            "payload": payload,
            "schemaId": "SYNTHETICschemaIdBase64_1",
            "id": event["EventUuid"],
            "replayId": event["ReplayId"],
        },
    }


_SHAPES: dict[str, Callable[[Org, list[Event]], Any]] = {
    "package": _package,
    "flow": _flow,
    "apex": _apex,
    "relay": _relay,
}
