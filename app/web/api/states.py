"""States by the names that the API's documents give them; scripts and generated clients know them by these."""

from enum import StrEnum


class Standing(StrEnum):
    """How a record stands, for a person."""

    IN_STEP = "in_step"
    ON_ITS_WAY = "on_its_way"
    FAILED = "failed"
    HELD = "held"
    ALONE = "alone"


class State(StrEnum):
    """How far an outward call is known to have come."""

    PLANNED = "planned"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Ending(StrEnum):
    """How a decision stands.

    OVERTAKEN  somebody had edited the field since, so that edit stayed
    DROPPED    a person let its failure go before it could be carried out
    """

    OPEN = "open"
    DONE = "done"
    OVERTAKEN = "overtaken"
    DROPPED = "dropped"
