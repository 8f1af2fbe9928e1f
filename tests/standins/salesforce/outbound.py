"""Outbound messages: what deployed flows send of saved records, each a notification with the values of then.

Where they go the deployed message says, or whoever sets them up here. Who sets them up with objects of their own has a
notification of every create and update of these instead. Deletes and undeletes send nothing; of a merge the record that
is left is an update. A notification is queued when the write is done, and its record is read when the message leaves,
at every attempt anew.
"""

import itertools
from dataclasses import dataclass
from typing import Any

from tests.standins.salesforce.ids import full, mint
from tests.standins.salesforce.metadata.flows import flows_of, messages_of
from tests.standins.salesforce.metadata.formulas import Saved
from tests.standins.salesforce.metadata.replies import component_id
from tests.standins.salesforce.metadata.shipped import NOWHERE
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
    kind: str
    row: Row


class Outbound:
    """The outbound messages of the org; `PUT /_control/outbound` is an admin who says where they go, and how."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._courier: Courier | None = None
        self._objects: dict[str, list[str]] | None = None
        self._silent = True
        self._is_redirected = False
        self._numbers = itertools.count(1)
        org.followers.append(self.follow)

    def set_up(self, wanted: dict[str, Any]) -> None:
        """Changes what is given and keeps the rest; the first time begins it.

        Raises
            ValueError  something is no object, no field, no switch or no number that can be

        """
        wanted = dict(wanted)
        silent = wanted.pop("silence_integration_user", self._silent)
        objects = self._checked(wanted.pop("objects")) if "objects" in wanted else self._objects
        policy = (self._courier.policy if self._courier else Policy()).changed(wanted)
        if policy.batch > MOST_NOTIFICATIONS:
            raise ValueError(f"batch: at most {MOST_NOTIFICATIONS}")
        self._silent, self._objects = silent, objects
        self._is_redirected = self._is_redirected or "url" in wanted
        self._begin().change(policy)

    def follow(self) -> None:
        """Other components are deployed: messages with an address leave by themselves from now on."""
        urls = [one.url for one in messages_of(self._org.catalog).values() if not one.url.startswith(NOWHERE)]
        if self._courier is None and urls:
            self._begin().change(Policy(url=urls[0]))

    def _begin(self) -> Courier:
        if self._courier is None:
            accepts = lambda answer: is_acked(answer.status_code, answer.content)  # noqa: E731
            self._courier = Courier(self._compose, accepts, self._address)
            self._org.listeners.append(self._hear)
        return self._courier

    async def end(self) -> None:
        courier, self._courier = self._courier, None
        self._objects, self._silent, self._is_redirected, self._numbers = None, True, False, itertools.count(1)
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
        if self._courier is None or op in {"deleted", "undeleted"}:
            return
        if self._objects is not None and (
            table.kind.name not in self._objects or (self._silent and call.user == INTEGRATION_USER)
        ):
            return
        if op == "merged":
            row = table.rows[row["MasterRecordId"]]
        kind = table.kind.name
        for name in [kind] if self._objects is not None else self._sent_by_flows(call, table, row, op):
            self._courier.admit(name, Notification(mint("04l", next(self._numbers)), kind, row))

    def _sent_by_flows(self, call: Call, table: Table, row: Row, op: str) -> list[str]:
        flows = flows_of(self._org.catalog).get(table.kind.name.lower())
        if not flows:
            return []
        # A merge changes the record that is left, but none of its fields.
        before = {} if op == "merged" else call.before
        saved = Saved(row, before, self._org.permissions_of(call.user))
        known = messages_of(self._org.catalog)
        return [name for flow in flows for name in flow.sends(saved) if name in known]

    def _address(self, parcel: Parcel) -> str:
        found = messages_of(self._org.catalog).get(parcel.kind)
        return "" if found is None or self._is_redirected else found.url

    def _compose(self, parcel: Parcel) -> tuple[bytes, dict[str, str]]:
        table = self._org.tables[parcel.items[0].kind.lower()]
        if self._objects is not None:
            action_id = mint("04k", list(self._org.tables).index(table.kind.name.lower()) + 1)
            names = self._objects.get(table.kind.name, [])
        else:
            action_id = component_id("WorkflowOutboundMessage", parcel.kind)
            found = messages_of(self._org.catalog).get(parcel.kind)
            # What the user whom the message is sent as cannot see is not in it.
            names = [name for name in (found.fields if found else ()) if table.kind.field(name)]
        told = [(one.id, one.row) for one in parcel.items]
        return message(full(self._org.credentials.org_id[:15]), action_id, table.kind, told, names), HEADERS


def _shown(parcel: Parcel) -> dict[str, Any]:
    return {
        "object": parcel.items[0].kind,
        "notifications": [{"id": one.id, "record": one.row["Id"]} for one in parcel.items],
        "state": parcel.state,
        "attempts": parcel.attempts,
        "last_status": parcel.last_status,
    }
