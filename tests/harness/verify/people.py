"""The people of both sides: what they register, book and edit, drawn from a seed, through the stand-ins' control doors.

Whoever is entered has a birth date of their own and every visit a length of its own, which nobody ever edits: so a
second chart of one person is seen. Every text bears a word that occurs nowhere else, so that it can be searched for.
"""

import random
import time
from datetime import date, timedelta
from typing import Any

import httpx

from app.sync.mappings.table import Mappings
from app.sync.model import Kind, Side
from tests.harness.cluster import Town

_EDITED = ("first_name", "last_name", "email", "cell_phone", "home_phone", "address", "city", "zip_code")
# no value ever returns, so that every edit is one: of the rooms there are only two
_VISIT = ("scheduled_time", "status", "reason", "notes")
_GENDERS = ("Female", "Male", "Other")
_FIRST_BORN, _FIRST_VISIT = date(1931, 1, 1), date(2027, 1, 4)


# what DrChrono's stand-in keeps no list of, when it was done: an edit of a doctor, or of an office
Noted = tuple[float, Kind, str, dict[str, Any]]


class People:
    """Everybody who edits anything in a history."""

    def __init__(self, here: Town, rng: random.Random, mappings: Mappings) -> None:
        self._here, self._rng, self._mappings = here, rng, mappings
        self.word = "Q" + "".join(rng.choice("aeiou") + rng.choice("klmnprvz") for _ in range(5))
        self._number = self._persons = self._booked = 0
        self.charts: list[str] = []
        self.visits: list[str] = []
        self.poisoned = ""
        self.noted: list[Noted] = []

    def registers(self) -> str:
        """The front desk registers somebody; gives the chart's id."""
        given = self._person(Side.DRCHRONO)
        chart = str(self._desk("POST", "patients", given)["id"])
        self.charts.append(chart)
        return chart

    def sets_apart(self) -> None:
        """Choose somebody whom nobody edits from now on: an edit across would mend what is poisoned."""
        self.poisoned = self._rng.choice(self.charts)

    def enters(self) -> None:
        """Somebody in Salesforce enters a person and asks for a chart."""
        self._here.enters_record("Contact", **self._person(Side.SALESFORCE), Sync_To_DrChrono__c=True)

    def meets_a_stranger(self) -> None:
        """Somebody in Salesforce enters a person who is nobody's patient."""
        self._here.enters_record("Contact", **self._person(Side.SALESFORCE))

    def edits_chart(self, chart: str = "", names: tuple[str, ...] = ()) -> None:
        """The front desk edits a field or two of somebody."""
        drawn = names or self._fields(_EDITED)
        values = {self._name(Side.DRCHRONO, Kind.PATIENT, name): self._value(name) for name in drawn}
        self._desk("PATCH", f"patients/{chart or self._anybody()}", values)

    def edits_contact(self, chart: str = "", names: tuple[str, ...] = ()) -> None:
        """Somebody in Salesforce edits a field or two of a Contact, where there is one by now."""
        drawn, chart = names or self._fields(_EDITED), chart or self._anybody()
        values = {self._name(Side.SALESFORCE, Kind.PATIENT, name): self._value(name) for name in drawn}
        if contact := self._held("Contact", "DrChrono_Patient_Id__c").get(chart):
            self._here.edits_record("Contact", contact["Id"], **values)

    def edits_what_is_put_back(self) -> None:
        """Somebody in Salesforce edits what only DrChrono may say."""
        chart = self._anybody()
        if contact := self._held("Contact", "DrChrono_Patient_Id__c").get(chart):
            self._here.edits_record("Contact", contact["Id"], DrChrono_Chart_Id__c=f"{self.word}{self._next()}")

    def books(self) -> None:
        """The front desk books a visit; every visit has a day of its own."""
        given = {"patient": int(self._anybody()), **self._slot()}
        self.visits.append(str(self._desk("POST", "appointments", given)["id"]))

    def enters_visit(self) -> None:
        """Somebody in Salesforce books a visit, for a patient whom both sides know."""
        chart, slot = self._anybody(), self._slot()
        contact = self._held("Contact", "DrChrono_Patient_Id__c").get(chart)
        doctors, offices = (self._here.records(f"DrChrono_{name}__c") for name in ("Doctor", "Office"))
        if contact is None or not doctors or not offices:
            return
        self._here.enters_record(
            "DrChrono_Appointment__c", Patient__c=contact["Id"], Doctor__c=doctors[0]["Id"], Office__c=offices[0]["Id"],
            Exam_Room__c=slot["exam_room"], Start__c=f"{slot['scheduled_time'][:10]}T15:00:00Z",
            Duration_Minutes__c=slot["duration"],
        )  # fmt: skip

    def edits_visit(self) -> None:
        """The front desk moves or edits a visit."""
        name, visit = self._rng.choice(_VISIT), self._rng.choice(self.visits)
        day = self._here.drchrono.get("/_control/appointments").json()["appointments"][visit]["scheduled_time"][:10]
        self._desk("PATCH", f"appointments/{visit}", {name: self._value(name, day)})

    def edits_booked(self) -> None:
        """Somebody in Salesforce moves or edits a visit, where it is there by now."""
        name, visit, number = self._rng.choice(_VISIT), self._rng.choice(self.visits), self._next()
        row = self._held("DrChrono_Appointment__c", "DrChrono_Id__c").get(visit)
        if row is None:
            return
        value = self._value(name)
        if name == "scheduled_time":
            value = f"{row['Start__c'][:10]}T{14 + number % 7}:{number % 60:02}:00Z"
        self._here.edits_record(
            "DrChrono_Appointment__c", row["Id"], **{self._name(Side.SALESFORCE, Kind.APPOINTMENT, name): value}
        )

    def deletes_visit(self) -> None:
        """The front desk deletes a visit."""
        if len(self.visits) > 1:
            visit = self.visits.pop(self._rng.randrange(len(self.visits)))
            self._here.drchrono.delete(f"/_control/appointments/{visit}").raise_for_status()

    def edits_staff(self) -> None:
        """Somebody in DrChrono edits a doctor and an office, of which no webhook ever tells."""
        for kind, record_id, name in ((Kind.DOCTOR, "310001", "specialty"), (Kind.OFFICE, "410001", "city")):
            given = {name: self._value(name)}
            self._desk("PUT", f"{kind}s/{record_id}", given)
            self.noted.append((time.time(), kind, record_id, given))

    def _person(self, side: Side) -> dict[str, Any]:
        self._persons += 1
        born = (_FIRST_BORN + timedelta(days=17 * self._persons)).isoformat()
        gender = self._rng.choice(_GENDERS)
        values = {name: self._value(name) for name in _EDITED} | {"date_of_birth": born, "gender": gender}
        return {self._name(side, Kind.PATIENT, name): value for name, value in values.items()}

    def _slot(self) -> dict[str, Any]:
        self._booked += 1
        day = _FIRST_VISIT + timedelta(days=self._booked)
        return {
            "scheduled_time": f"{day}T10:00:00",
            "duration": 14 + self._booked,
            "exam_room": self._rng.choice((1, 2)),
        }

    def _value(self, name: str, day: str = "") -> Any:
        number = self._next()
        match name:
            case "email":
                return f"{self.word.lower()}{number}@example.com"
            case "cell_phone" | "home_phone":
                return f"({201 + number // 10_000}) 555-{number % 10_000:04}"
            case "zip_code":
                return f"{10_000 + number}"
            case "scheduled_time":
                return f"{day}T{9 + number % 8:02}:{number % 60:02}:00"
        return f"{self.word} {number}"

    def _fields(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self._rng.sample(names, self._rng.choice((1, 1, 2))))

    def _name(self, side: Side, kind: Kind, name: str) -> str:
        return self._mappings[kind].rows[name].names[side]

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _anybody(self) -> str:
        return self._rng.choice([one for one in self.charts if one != self.poisoned])

    def _held(self, name: str, key: str) -> dict[str, dict[str, Any]]:
        return {one[key]: one for one in self._here.records(name) if one[key]}

    def _desk(self, method: str, path: str, given: dict[str, Any]) -> dict[str, Any]:
        answer: httpx.Response = self._here.drchrono.request(method, f"/_control/{path}", json=given)
        return dict(answer.raise_for_status().json())
