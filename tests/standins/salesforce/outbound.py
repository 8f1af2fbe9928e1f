"""Outbound messages: every create and update of the objects told is a notification, sent with the values of then.

Deletes and undeletes send nothing; of a merge the record that is left is an update. A notification is queued when the
write is done, and its record is read when the message leaves, at every attempt anew.
"""

import itertools
from dataclasses import dataclass
from typing import Any

from tests.standins.salesforce.ids import full, mint
from tests.standins.salesforce.org import INTEGRATION_USER, Org
from tests.standins.salesforce.outbound_courier import Courier, Parcel, Policy
from tests.standins.salesforce.outbound_soap import HEADERS, is_acked, message
from tests.standins.salesforce.records import Row, Table
from tests.standins.salesforce.rules import Call

MOST_NOTIFICATIONS = 100


@dataclass(frozen=True, slots=True)
class Notification:
    """One record that a message tells of."""

    id: str
    row: Row


class Outbound:
    """The outbound messages an admin has set up; `PUT /_control/outbound` is that admin."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._courier: Courier | None = None
        self._objects: dict[str, list[str]] = {}
        self._silent = True
        self._numbers = itertools.count(1)

    def set_up(self, wanted: dict[str, Any]) -> None:
        """Changes what is given and keeps the rest; the first time begins it.

        Raises
            ValueError  something is no object, no field, no switch or no number that can be

        """
        wanted = dict(wanted)
        silent = wanted.pop("silence_integration_user", self._silent)
        objects = self._checked(wanted.pop("objects", self._objects))
        policy = (self._courier.policy if self._courier else Policy()).changed(wanted)
        if policy.batch > MOST_NOTIFICATIONS:
            raise ValueError(f"batch: at most {MOST_NOTIFICATIONS}")
        if self._courier is None:
            self._courier = Courier(self._compose, lambda answer: is_acked(answer.status_code, answer.content))
            self._org.listeners.append(self._hear)
        self._silent, self._objects = silent, objects
        self._courier.change(policy)

    async def end(self) -> None:
        courier, self._courier = self._courier, None
        self._objects, self._silent, self._numbers = {}, True, itertools.count(1)
        if courier is not None:
            if self._hear in self._org.listeners:
                self._org.listeners.remove(self._hear)
            await courier.end()

    def shown(self, *, with_messages: bool) -> dict[str, Any]:
        """The counts of notifications; `messages` says what became of each one, the latest last."""
        if self._courier is None:
            return {"url": None, "waiting": 0, "in_flight": 0, "delivered": 0, "given_up": 0, "lost": 0, "sends": 0}
        answer = {"url": self._courier.policy.url, **self._courier.counts()}
        return {**answer, "messages": [_shown(one) for one in self._courier.parcels]} if with_messages else answer

    def _checked(self, objects: Any) -> dict[str, list[str]]:
        if not objects or not isinstance(objects, dict):
            raise ValueError("objects: {object: [fields]}")
        checked = {}
        for name, wanted in objects.items():
            table = self._org.tables.get(str(name).lower())
            columns = [table.kind.field(str(one), unseen=True) for one in wanted] if table else []
            if table is None or None in columns:
                raise ValueError(f"objects: there is no such object or field: {name}")
            checked[table.kind.name] = [column.name for column in columns if column]
        return checked

    def _hear(self, call: Call, table: Table, row: Row, op: str, _changed: list[str]) -> None:
        if op in {"deleted", "undeleted"} or table.kind.name not in self._objects:
            return
        if self._courier is None or (self._silent and call.user == INTEGRATION_USER):
            return
        if op == "merged":
            row = table.rows[row["MasterRecordId"]]
        self._courier.admit(table.kind.name, Notification(mint("04l", next(self._numbers)), row))

    def _compose(self, parcel: Parcel) -> tuple[bytes, dict[str, str]]:
        kind = self._org.tables[parcel.kind.lower()].kind
        action_id = mint("04k", list(self._org.tables).index(parcel.kind.lower()) + 1)
        told = [(one.id, one.row) for one in parcel.items]
        org_id = full(self._org.credentials.org_id[:15])
        return message(org_id, action_id, kind, told, self._objects.get(parcel.kind, [])), HEADERS


def _shown(parcel: Parcel) -> dict[str, Any]:
    return {
        "object": parcel.kind,
        "notifications": [{"id": one.id, "record": one.row["Id"]} for one in parcel.items],
        "state": parcel.state,
        "attempts": parcel.attempts,
        "last_status": parcel.last_status,
    }
