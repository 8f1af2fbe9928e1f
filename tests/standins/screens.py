"""The plain screens a vendor's own people work at: the records that moved last, and a form for one of them.

A page shows itself anew every two seconds, unless somebody is writing on it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">{again}
<title>{title}</title><style>
:root {{ color-scheme: light dark }}
body {{ font: 13px/1.5 system-ui, sans-serif; margin: 0; padding: .8rem }}
h1 {{ font-size: 1.1rem; margin: 0 0 .8rem; color: {color} }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .3rem .5rem; border-bottom: 1px solid #8884; overflow-wrap: break-word }}
td:nth-child(4), td:nth-child(5) {{ white-space: nowrap }}
label {{ display: block; margin: .5rem 0 .1rem }}
input {{ font: inherit; padding: .3rem .5rem; width: 100%; max-width: 26rem; box-sizing: border-box }}
button {{ font: inherit; padding: .4rem 1rem; margin-top: 1rem }}
</style></head><body><h1>{title}</h1>{body}</body></html>"""


@dataclass(frozen=True, slots=True)
class Screen:
    """What a vendor shows of its patients. `columns`: field -> what it is called there; `color` tells the two apart."""

    title: str
    key: str
    columns: Mapping[str, str]
    color: str

    def listed(self, rows: Iterable[Mapping[str, Any]]) -> str:
        """Gives the page with these records, each with a way to its form."""
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns.values())
        lines = "".join(
            f"<tr>{''.join(f'<td>{_text(row, name)}</td>' for name in self.columns)}"
            f'<td><a href="?edit={escape(str(row[self.key]))}">edit</a></td></tr>'
            for row in rows
        )
        body = f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{lines}</tbody></table>"
        return self._page(body, '<meta http-equiv="refresh" content="2">')

    def form(self, row: Mapping[str, Any]) -> str:
        """Gives the page on which a record is edited."""
        fields = "".join(
            f'<label for="{name}">{escape(called)}</label><input id="{name}" name="{name}" value="{_text(row, name)}">'
            for name, called in self.columns.items()
        )
        hidden = f'<input type="hidden" name="{self.key}" value="{escape(str(row[self.key]))}">'
        ways = '<button>Save</button> <a href="?">Leave it</a>'
        return self._page(f'<form method="post" action="?">{hidden}{fields}{ways}</form>', "")

    def changed(self, row: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
        """Gives the fields that a sent form changes."""
        return {name: given[name] for name in self.columns if name in given and given[name] != str(row.get(name) or "")}

    def _page(self, body: str, again: str) -> str:
        return _PAGE.format(title=escape(self.title), color=self.color, again=again, body=body)


def _text(row: Mapping[str, Any], name: str) -> str:
    return escape(str(row.get(name) or ""))


def latest(rows: Sequence[Mapping[str, Any]], stamp: str, most: int = 25) -> list[Mapping[str, Any]]:
    """Gives the records that moved last, the last of them first."""
    return sorted(rows, key=lambda row: str(row[stamp]), reverse=True)[:most]
