"""Who works at the practices the stand-in plays, and where: users, their doctors, the offices.

Two practices. Most tests know only the first, of a doctor and an assistant; the second is there to be kept out.
"""

from copy import deepcopy

from tests.standins.drchrono.people_shapes import DOCTORS, OFFICES, PROVIDER, USER_ID, USERS
from tests.standins.drchrono.remembered import Record
from tests.standins.drchrono.shapes import DOCTOR_ID


class People:
    """Everybody as they are now.

    `in_browser` is the id of the user who would press Allow; `suspended` are those whom the vendor lets in no more.
    """

    def __init__(self) -> None:
        self.users = {user["id"]: deepcopy(user) for user in USERS}
        self.doctors = {doctor["id"]: dict(doctor) for doctor in DOCTORS}
        self.offices = {office["id"]: deepcopy(office) for office in OFFICES}
        self.in_browser = USER_ID
        self.suspended: set[str] = set()

    def change_user(self, user_id: str, given: Record) -> Record:
        """Merges the fields, and the permissions one by one; raises ValueError for what no user has."""
        user = self.users[user_id]
        permissions = given.get("permissions", {})
        _refuse_unknown(given, user)
        _refuse_unknown(permissions, user["permissions"])
        user |= {**given, "id": user_id, "permissions": {**user["permissions"], **permissions}}
        return user

    def suspend(self, user_id: str, *, is_suspended: bool) -> None:
        """Lets a user in no more, or again; only of a doctor does the API tell."""
        (self.suspended.add if is_suspended else self.suspended.discard)(user_id)
        user = self.users[user_id]
        if user["is_doctor"]:
            self.doctors[int(user["doctor"])]["is_account_suspended"] = is_suspended

    def change_doctor(self, doctor_id: int, given: Record) -> Record:
        """Merges the fields; raises ValueError for what no doctor has."""
        _refuse_unknown(given, PROVIDER)
        doctor = self.doctors[doctor_id]
        doctor |= {**given, "id": doctor_id}
        return doctor

    def add_doctor(self, given: Record) -> Record:
        """Hires a doctor, for the first practice unless told; raises ValueError for one who is here already."""
        _refuse_unknown(given, PROVIDER)
        doctor_id = int(given.get("id") or max(self.doctors) + 1)
        if doctor_id in self.doctors:
            raise ValueError(f"doctor {doctor_id} is here already")
        self.doctors[doctor_id] = {**PROVIDER, **given, "id": doctor_id}
        return self.doctors[doctor_id]

    def change_office(self, office_id: int, given: Record) -> Record:
        """Merges the fields; raises ValueError for what no office has."""
        _refuse_bad_office(given, self.doctors)
        office = self.offices[office_id]
        office |= {**given, "id": office_id}
        return office

    def add_office(self, given: Record) -> Record:
        """Opens an office, of the first practice unless told; raises ValueError for one that is here already."""
        _refuse_bad_office(given, self.doctors)
        office_id = int(given.get("id") or max(self.offices) + 1)
        if office_id in self.offices:
            raise ValueError(f"office {office_id} is here already")
        self.offices[office_id] = {**deepcopy(OFFICES[0]), **given, "id": office_id}
        return self.offices[office_id]


def _refuse_bad_office(given: Record, doctors: dict[int, Record]) -> None:
    _refuse_unknown(given, OFFICES[0])
    if given.get("doctor", DOCTOR_ID) not in doctors:
        raise ValueError("doctor: nobody of this id")
    rooms = given.get("exam_rooms", [])
    if not isinstance(rooms, list) or not all(isinstance(room, dict) and "index" in room for room in rooms):
        raise ValueError("exam_rooms: a list of objects, each with its index")


def _refuse_unknown(given: Record, known: Record) -> None:
    unknown = given.keys() - known.keys()
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
