"""Whose call this is, and what that user may see: the token's scope, the user's permissions, the practice's walls.

Scope alone is not enough: the user who authorized also needs the in-app permission. Both are missing in one way.
"""

from dataclasses import dataclass

from starlette.requests import Request

from tests.standins.drchrono.appointment_fields import Known
from tests.standins.drchrono.remembered import Record
from tests.standins.drchrono.state import RefusedError, State, state_of

NOT_FOUND = {"detail": "Not found."}
NOT_SIGNED_IN = {"detail": "Authentication credentials were not provided."}
NOT_ALLOWED = {"detail": "You do not have permission to perform this action."}

# The reference speaks of "manage-patients", for reading and writing alike; that it is this one is inferred.
MANAGE_PATIENTS = "create_and_update_patients"
# "scheduling" and "clinical-notes" there.
SCHEDULING = "access_scheduling access_clinical_notes"


@dataclass(frozen=True, slots=True)
class Caller:
    """One signed-in call: the practices it came to, and the user whose token it carries."""

    state: State
    user: Record

    def may(self, permission: str) -> bool:
        return bool(self.user["permissions"].get(permission))

    def works_with(self, member: Record) -> bool:
        """Whether a user, a doctor or an office is of the caller's practice."""
        member = member if "practice_group" in member else self.state.people.doctors[member["doctor"]]
        # As text: a user's practice is a computed field, which a test may turn into a string.
        return str(member["practice_group"]) == str(self.user["practice_group"])

    def doctors(self) -> list[int]:
        """The doctors of the caller's practice."""
        return [key for key, doctor in self.state.people.doctors.items() if self.works_with(doctor)]

    def strangers(self) -> list[int]:
        """The doctors of every other practice."""
        return [key for key, doctor in self.state.people.doctors.items() if not self.works_with(doctor)]

    def shares(self, record: Record) -> bool:
        # The reference: share_patients widens access to patients and appointments to the whole practice. That
        # without it only those of the user's own doctor are there, the others a 404 like anything not visible, is
        # inferred.
        return self.may("share_patients") or str(record["doctor"]) == str(self.user["doctor"])

    def sees(self, record: Record | None) -> bool:
        return record is not None and self.shares(record) and record["doctor"] not in self.strangers()

    def shown(self, record: Record | None) -> Record:
        """Raises the 404 of a record that is not there or not shared, or the 403 of another practice's."""
        if record is not None and record["doctor"] in self.strangers():
            raise RefusedError(403, NOT_ALLOWED)
        if record is None or not self.shares(record):
            raise RefusedError(404, NOT_FOUND)
        return record

    def known(self) -> Known:
        """Gives who and what an appointment of this caller's may name."""
        people = self.state.people
        offices = {key: office for key, office in people.offices.items() if self.works_with(office)}
        return Known(self.doctors(), offices, lambda key: self.sees(self.state.patients.records.get(key)))


def signed_in(request: Request, scopes: str = "", permissions: str = "") -> Caller:
    """Raises the 401 of an unknown, expired or replaced token, or the 403 of a missing scope or permission.

    Both are words with a blank between, and all of them are needed.
    """
    state = state_of(request)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    lag_s = state.settings.token_lag_s
    granted = state.tokens.grant_of(token, lag_s) if scheme.lower() == "bearer" else None
    if granted is None:
        raise RefusedError(401, NOT_SIGNED_IN)
    caller = Caller(state, state.people.users[granted.user])
    has_scopes = set(scopes.split()) <= set(granted.scope.split())
    if not has_scopes or not all(map(caller.may, permissions.split())):
        raise RefusedError(403, NOT_ALLOWED)
    return caller
