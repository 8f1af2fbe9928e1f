"""The words of a SOQL query, and what its string literals spell."""

import re

from tests.standins.salesforce.errors import ApiError

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d))
    | (?P<date>\d{4}-\d\d-\d\d)
    | (?P<number>[+-]?\d+(?:\.\d+)?)
    | (?P<word>[A-Za-z_][\w.]*)
    | (?P<sign><=|>=|!=|<>|[=<>(),])
    | (?P<end>$)
    )""",
    re.VERBOSE,
)
# An escaped wildcard stands for itself. These two private characters say so until LIKE has been read.
PLAIN_UNDERSCORE, PLAIN_PERCENT = "\ue000", "\ue001"
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "'": "'", '"': '"', "\\": "\\"}
_ESCAPES |= {"_": PLAIN_UNDERSCORE, "%": PLAIN_PERCENT}


def tokens(text: str) -> list[tuple[str, str]]:
    """Every token with its kind, an `end` last.

    Raises
        ApiError  MALFORMED_QUERY

    """
    found: list[tuple[str, str]] = []
    position = 0
    while not found or found[-1][0] != "end":
        token = _TOKEN.match(text, position)
        if token is None or token.lastgroup is None:
            raise unexpected(text[position:].split(maxsplit=1)[0])
        found.append((token.lastgroup, token[token.lastgroup]))
        position = token.end()
    return found


def unexpected(token: str) -> ApiError:
    return ApiError("MALFORMED_QUERY", f"unexpected token: '{token}'")


def unescaped(quoted: str) -> str:
    """What a quoted literal spells; an escape Salesforce does not know is refused."""
    return re.sub(r"\\(u[0-9A-Fa-f]{4}|.)", _escaped, quoted[1:-1], flags=re.DOTALL) if "\\" in quoted else quoted[1:-1]


def _escaped(found: re.Match[str]) -> str:
    if len(found[1]) > 1:
        return chr(int(found[1][1:], 16))
    if found[1] not in _ESCAPES:
        raise ApiError("MALFORMED_QUERY", f"Illegal character sequence '{found[0]}' in string literal.")
    return _ESCAPES[found[1]]
