"""Masked: a value shown so that a person knows its shape, and not what it says (pure)."""

_LONGEST = 12


def masked(value: str | None) -> str:
    """Give a value with its letters and digits hidden, the first of a longer one shown; emptiness in words.

    A date or a phone keeps its punctuation, a long text is cut.
    """
    if value is None:
        return "(empty)"
    shown = "".join("•" if one.isalnum() else one for one in value.replace("\n", " "))
    first = value[0] if len(value) > 3 and value[0].isalpha() else shown[:1]  # noqa: PLR2004 - of three, one says much
    hidden = first + shown[1:]
    return hidden if len(hidden) <= _LONGEST else f"{hidden[: _LONGEST - 1]}…"
