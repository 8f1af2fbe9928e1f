"""Asks both stand-ins, and our HTTP contract, what there is to see; gives it as an act, ready to be judged."""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from app.sync.mappings.table import Mappings
from app.sync.model import Kind, Side
from tests.harness.cluster import Town, tells_status
from tests.harness.verify.normal import OBJECTS, World, one_way
from tests.harness.verify.people import Noted
from tests.harness.verify.seen import Act, Call, Conflict, Delivery, Edit, Failure, Write

_PATHS = {"patients": Kind.PATIENT, "appointments": Kind.APPOINTMENT}
_WRITES = ("POST", "PATCH", "PUT", "DELETE")
_FIRST_DOCTOR = "310001"


class Observer:
    """Remembers what was seen already, so that every act tells of itself only."""

    def __init__(self, here: Town, mappings: Mappings, noted: Sequence[Noted]) -> None:
        self._here, self._mappings, self._noted = here, mappings, noted
        self._known: set[str] = set()

    def world(self) -> World:
        """Give what both stand-ins hold now; of DrChrono what our practice sees."""
        people, here = self._here.drchrono, self._here
        doctors = people.get("/_control/doctors").json()["doctors"]
        ours = {
            key for key, one in doctors.items() if one["practice_group"] == doctors[_FIRST_DOCTOR]["practice_group"]
        }
        offices = people.get("/_control/offices").json()["offices"]
        drchrono = {
            Kind.PATIENT: here.patients(),
            Kind.APPOINTMENT: people.get("/_control/appointments").json()["appointments"],
            Kind.DOCTOR: {key: one for key, one in doctors.items() if key in ours},
            Kind.OFFICE: {key: one for key, one in offices.items() if str(one["doctor"]) in ours},
        }
        salesforce = {kind: {one["Id"]: one for one in here.records(name)} for name, kind in OBJECTS.items()}
        return World(self._mappings, drchrono, salesforce)

    def act(self, name: str, began: float, *, is_heard: bool, left: str, after: tuple[Call, ...]) -> Act:
        """Give the act that ends now."""
        world, calls = self.world(), self.calls(began)
        return Act(
            name,
            began,
            time.time(),
            is_heard,
            left,
            tuple(world.records()),
            tuple(edit for edit in self._edits(world) if edit.at >= began),
            tuple(self._deliveries()),
            tuple(calls),
            tuple(self.writes(began, calls)),
            tuple(self._conflicts()),
            tuple(self._failures()),
            after,
        )

    def calls(self, since: float) -> list[Call]:
        """Give the calls we made to either side, oldest first; those of a browser are not ours."""
        found = []
        for side, vendor in ((Side.DRCHRONO, self._here.drchrono), (Side.SALESFORCE, self._here.salesforce)):
            found += [
                Call(
                    at=one["at"],
                    side=side,
                    method=one["method"],
                    path=one["path"],
                    status=one["status"],
                    fault=one.get("fault", ""),
                    unheard=one.get("unheard"),
                    tells_status=tells_status(one),
                )
                for one in vendor.get("/_control/calls").json()["calls"]
                if one["at"] >= since and "/o/authorize" not in one["path"]
            ]
        return sorted(found, key=lambda one: one.at)

    def urls(self) -> str:
        """Give every address we called, in one text."""
        vendors = (self._here.drchrono, self._here.salesforce)
        calls = [one for vendor in vendors for one in vendor.get("/_control/calls").json()["calls"]]
        return "\n".join(f"{one['path']}?{one['query']}" for one in calls)

    def _edits(self, world: World) -> Iterator[Edit]:
        for at, kind, key, raw in self._noted:
            yield Edit(at, Side.DRCHRONO, kind, key, world.fields(Side.DRCHRONO, kind, key, raw))
        for one in self._here.drchrono.get("/_control/edits").json():
            kind, key = Kind(one["object"]), str(one["id"])
            fields = dict(world.fields(Side.DRCHRONO, kind, key, one["fields"]))
            table = world.mappings[kind]
            fields.pop(table.zoned or "", None)  # its doctor's, not part of what was edited
            yield Edit(one["at"], Side.DRCHRONO, kind, key, fields, one["kind"] == "create")
        for one in self._here.salesforce.get("/_control/edits").json()["edits"]:
            kind = OBJECTS[one["object"]]
            fields = dict(world.fields(Side.SALESFORCE, kind, one["id"], one["values"]))
            yield Edit(_moment(one["at"]), Side.SALESFORCE, kind, one["id"], fields, one["op"] == "created")

    def _deliveries(self) -> Iterator[Delivery]:
        for one in self._here.drchrono.get("/_control/deliveries", params={"items": "true"}).json()["items"]:
            if one["id"] not in self._known:
                self._known.add(one["id"])
                kind = Kind(one["event"].partition("_")[0].lower())
                yield Delivery(Side.DRCHRONO, kind, str(one["record_id"]), one["state"], one["attempts"])
        told = self._here.salesforce.get("/_control/outbound", params={"messages": "true"}).json()
        for message in told["messages"]:
            for one in message["notifications"]:
                if one["id"] not in self._known:
                    self._known.add(one["id"])
                    kind = OBJECTS[message["object"]]
                    yield Delivery(Side.SALESFORCE, kind, one["record"], message["state"], message["attempts"])

    def writes(self, began: float, calls: list[Call]) -> Iterator[Write]:
        """Give what we wrote since then and either side carried out; `calls` are those since then."""
        raw = self._here.drchrono.get("/_control/calls").json()["calls"]
        made = {(one["at"], one["path"]): str(one.get("id", "")) for one in raw}
        for call in calls:
            parts = call.path.strip("/").split("/")
            if call.side is Side.DRCHRONO and call.method in _WRITES and parts[0] == "api" and call.has_landed:
                is_new = call.method == "POST"
                record_id = made[call.at, call.path] if is_new else parts[2]
                yield Write(call.at, Side.DRCHRONO, _PATHS[parts[1]], record_id, is_new)
        for one in self._here.writes():
            if (at := _moment(one["at"])) >= began:
                kind, is_new, changes = OBJECTS[one["object"]], one["op"] == "created", one["op"] != "unchanged"
                is_put_back = not is_new and set(one["changed"]) <= one_way(self._mappings[kind])
                yield Write(at, Side.SALESFORCE, kind, one["id"], is_new, changes, is_put_back)

    def _conflicts(self) -> Iterator[Conflict]:
        for one in self._here.web.get("/api/v1/conflicts", params={"limit": 500}).json()["items"]:
            if one["id"] not in self._known:
                self._known.add(one["id"])
                yield Conflict(Kind(one["kind"]), str(one["drchrono_id"]), one["field"])

    def _failures(self) -> Iterator[Failure]:
        for one in self._here.web.get("/api/v1/failures").json()["items"]:
            fields = tuple(one["fields"])
            yield Failure(one["cause"], Kind(one["kind"]), fields, one["count"], one["fix"])


def _moment(stamp: Any) -> float:
    return datetime.fromisoformat(str(stamp)).timestamp()
