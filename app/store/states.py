"""How far an outward call has come, as the journal says it; for those too whom the journal itself leans on."""

from enum import StrEnum


class State(StrEnum):
    """How far an outward call is known to have come."""

    PLANNED = "planned"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    UNKNOWN = "unknown"


OPEN = (State.PLANNED.value, State.UNKNOWN.value)  # it may have been sent, and may yet land
