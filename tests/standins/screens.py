"""The screens a vendor's own people work at: some of its records in a list, and a form for each of them.

The list shows itself anew every two seconds, and what has changed since it was last shown lights up for a while.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from html import escape
from typing import Any
from urllib.parse import quote

Record = Mapping[str, Any]
Complaints = Mapping[str, Sequence[str]]  # field -> what is wrong with it; "" stands for the whole record
LIT_S = 6.0
MOST = 12

_AGAIN = '<meta http-equiv="refresh" content="2">'
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">{again}
<title>{title}, {product}</title><style>
:root {{ color-scheme: light dark }}
* {{ box-sizing: border-box }}
body {{ margin: 0; background: var(--ground); color: var(--ink) }}
header {{ display: flex; gap: .6rem; align-items: baseline; background: var(--bar); color: var(--on-bar) }}
header span {{ font-size: .8em; border: 1px solid; border-radius: 1rem; padding: 0 .5rem }}
h1, h2 {{ margin: 0; font-size: 1.15em }}
h2 {{ margin-top: 1.2rem; font-size: 1em }}
p {{ margin: .4rem 0 }}
a {{ color: var(--link) }}
.bar {{ display: flex; flex-wrap: wrap; gap: .4rem 1rem; align-items: baseline; margin-bottom: .6rem }}
table {{ border-collapse: collapse; width: 100%; background: var(--card) }}
th, td {{ text-align: left; border-bottom: 1px solid var(--line); overflow-wrap: break-word }}
th {{ color: var(--quiet); white-space: nowrap }}
.whole, .ways {{ white-space: nowrap; overflow-wrap: normal }}
label {{ display: block; margin: .7rem 0 .15rem }}
input {{ font: inherit; width: 100%; max-width: 26rem; color: inherit; background: var(--card);
  border: 1px solid var(--quiet) }}
button {{ font: inherit; cursor: pointer }}
td form, li form {{ display: inline }}
.files td {{ vertical-align: top }}
.files img {{ display: block; max-width: 9rem; max-height: 7rem; border: 1px solid var(--line) }}
.wrong {{ color: var(--bad); font-weight: 600; margin: .2rem 0 0 }}
.hidden {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }}
.lit {{ animation: lit {lit_s:g}s ease-out var(--since) backwards }}
@keyframes lit {{ from {{ background: var(--lit) }} }}
@media (prefers-reduced-motion: reduce) {{ .lit {{ animation: none; background: var(--lit) }} }}
@media (max-width: 33rem) {{
  thead {{ display: none }}
  tr {{ display: block; padding: .5rem 0; border-bottom: 1px solid var(--line) }}
  td {{ display: flex; gap: .8rem; border: 0; padding: .1rem .8rem !important }}
  td[data-label]::before {{ content: attr(data-label); flex: 0 0 5.5rem; color: var(--quiet) }}
}}
{theme}</style></head>
<body><header><strong>{product}</strong><span>simulator</span></header><main>{body}</main></body></html>"""


@dataclass(slots=True)
class Watched:
    """What a list shows: whose records, where more is said about each, and which of their values changed lately."""

    by: str = ""
    values: list[str] = field(default_factory=list)
    more: str = ""
    _seen: dict[str, Sequence[str]] = field(default_factory=dict)
    _changed: dict[tuple[str, int], float] = field(default_factory=dict)

    def take(self, given: Mapping[str, Any]) -> None:
        """List the records that hold one of these `values` in the field `by`, in that order, from now on.

        `more` is the address at which more is said about a record, without the record's key.
        """
        self.by, self.more = str(given.get("by", "")), str(given.get("more", ""))
        self.values = [str(value) for value in given.get("values", ())]
        self._seen.clear()

    def pick(self, rows: Iterable[Record], stamp: str) -> list[Record]:
        """Gives the records to be listed; where none were named, those that moved last."""
        if not self.by:
            return sorted(rows, key=lambda row: str(row[stamp]), reverse=True)[:MOST]
        place = {value: at for at, value in enumerate(self.values)}
        return sorted(
            (row for row in rows if str(row.get(self.by)) in place), key=lambda row: place[str(row.get(self.by))]
        )

    def ages_s(self, shown: Mapping[str, Sequence[str]]) -> dict[tuple[str, int], float]:
        """Gives how long ago each value that changed lately was seen to have changed, by record and column."""
        now = time.monotonic()
        for key, texts in shown.items():
            before = self._seen.get(key)
            for at, text in enumerate(texts if self._seen else ()):
                if before is None or before[at] != text:
                    self._changed[key, at] = now
        self._seen = dict(shown)
        self._changed = {place: at for place, at in self._changed.items() if now - at < LIT_S}
        return {place: now - at for place, at in self._changed.items()}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the list: what it is called, and the fields whose values it shows; `whole`: never on two lines."""

    label: str
    fields: tuple[str, ...]
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Screen:
    """What a vendor shows of its patients. `fields`: those of the form, by what they are called; `theme`: its CSS."""

    product: str
    title: str
    key: str
    columns: Sequence[Column]
    fields: Mapping[str, str]
    dates: frozenset[str]
    theme: str

    def listed(self, rows: Sequence[Record], watched: Watched, below: str = "") -> str:
        """Gives the page with these records, each with a way to its form and to what the console says of it."""
        shown = {str(row[self.key]): [self._text(row, column) for column in self.columns] for row in rows}
        lines = self._table(shown, watched, watched.ages_s(shown))
        ways = '<a href="?find=">Find somebody else</a>'
        return self._page(f'<div class="bar"><h1>{escape(self.title)}</h1>{ways}</div>{lines}{below}', _AGAIN)

    def found(self, rows: Iterable[Record], words: str, watched: Watched) -> str:
        """Gives the page on which somebody is looked for, with those whose name has these words."""
        wanted = words.casefold().split()
        named = [(row, self._text(row, self.columns[0]).casefold()) for row in rows if wanted]
        found = [row for row, name in named if all(word in name for word in wanted)][:MOST]
        shown = {str(row[self.key]): [self._text(row, column) for column in self.columns] for row in found}
        result = self._table(shown, watched, {}) if shown else f"<p>{'Nobody has that name.' if wanted else ''}</p>"
        form = (
            f'<form><label for="find">Part of the name</label><input id="find" name="find" value="{escape(words)}" '
            'autofocus><p><button>Find</button> <a href="?">Back to the list</a></p></form>'
        )
        return self._page(f'<div class="bar"><h1>Find: {escape(self.title)}</h1></div>{form}{result}')

    def form(
        self,
        row: Record,
        typed: Mapping[str, str] | None = None,
        complaints: Complaints | None = None,
        below: str = "",
    ) -> str:
        """Gives the page on which a record is edited; with what was typed, and what is wrong with it."""
        wrong = complaints or {}
        values = {name: _plain(row.get(name)) for name in self.fields} | {
            name: value for name, value in (typed or {}).items() if name in self.fields
        }
        rest = [text for name, texts in wrong.items() if name not in self.fields for text in texts]
        inputs = "".join(self._input(name, values[name], wrong.get(name, ())) for name in self.fields)
        said = "".join(f'<p class="wrong" role="alert">{escape(text)}</p>' for text in rest)
        head = f"<h1>{escape(self._text(row, self.columns[0]))}</h1>{said}"
        hidden = f'<input type="hidden" name="{self.key}" value="{escape(str(row[self.key]))}">'
        ways = '<p><button>Save</button> <a href="?">Cancel</a></p>'
        return self._page(f'{head}<form method="post" action="?">{hidden}{inputs}{ways}</form>{below}')

    def missing(self) -> str:
        """Gives the page that says that the record is not there, with a way back."""
        return self._page('<h1>This record is not there any more.</h1><p><a href="?">Back to the list</a></p>')

    def changed(self, row: Record, given: Mapping[str, str]) -> dict[str, str]:
        """Gives the fields that a sent form changes."""
        return {name: given[name] for name in self.fields if name in given and given[name] != _plain(row.get(name))}

    def _table(
        self, listed: Mapping[str, Sequence[str]], watched: Watched, ages_s: Mapping[tuple[str, int], float]
    ) -> str:
        head = "".join(f'<th scope="col">{escape(column.label)}</th>' for column in self.columns)
        lines = []
        for key, texts in listed.items():
            cells = []
            for at, (column, text) in enumerate(zip(self.columns, texts, strict=True)):
                age_s, shown = ages_s.get((key, at)), escape(text).replace("@", "<wbr>@")
                style = "" if age_s is None else f' style="--since:-{age_s:.1f}s"'
                names = " ".join(["whole"] * column.whole + ["lit"] * (age_s is not None))
                cells.append(f'<td data-label="{escape(column.label)}" class="{names}"{style}>{shown}</td>')
            whom = f'<span class="hidden"> {escape(texts[0])}</span>'
            ways = f'<a href="?edit={quote(key)}">Edit{whom}</a>'
            if watched.more:
                ways += f' <a href="{escape(watched.more + quote(key))}" target="console">Console{whom}</a>'
            lines.append(f'<tr>{"".join(cells)}<td class="ways">{ways}</td></tr>')
        end = '<th scope="col"><span class="hidden">Ways</span></th>'
        return f"<table><thead><tr>{head}{end}</tr></thead><tbody>{''.join(lines)}</tbody></table>"

    def _input(self, name: str, value: str, wrong: Sequence[str]) -> str:
        kind = "date" if name in self.dates else "text"
        said = f' aria-invalid="true" aria-describedby="{name}-wrong"' if wrong else ""
        text = f'<p class="wrong" id="{name}-wrong" role="alert">{escape(" ".join(wrong))}</p>' if wrong else ""
        return (
            f'<label for="{name}">{escape(self.fields[name])}</label>'
            f'<input id="{name}" name="{name}" type="{kind}" value="{escape(value)}"{said}>{text}'
        )

    def _text(self, row: Record, column: Column) -> str:
        texts = (_day(row.get(name)) if name in self.dates else _plain(row.get(name)) for name in column.fields)
        return " ".join(text for text in texts if text)

    def _page(self, body: str, again: str = "") -> str:
        title, product = escape(self.title), escape(self.product)
        return _PAGE.format(title=title, product=product, theme=self.theme, lit_s=LIT_S, again=again, body=body)


@dataclass(frozen=True, slots=True)
class Shown:
    """A file in a record's list: where it opens, whether as a picture, what is said of it, and its buttons."""

    name: str
    url: str
    is_picture: bool
    texts: Sequence[str]
    ways: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Files:
    """A record's files on its page, and the form by which one more is uploaded; `fields` are that form's own."""

    title: str
    columns: Sequence[str]
    fields: Mapping[str, str]
    dates: frozenset[str] = frozenset()

    def section(self, shown: Sequence[Shown], key: str, wrong: Sequence[str] = ()) -> str:
        """Gives the part of the record's page, with what is wrong with an upload that was just tried."""
        head = "".join(f'<th scope="col">{escape(one)}</th>' for one in ("File", *self.columns))
        lines = "".join(map(self._line, shown))
        end = '<th scope="col"><span class="hidden">Ways</span></th>'
        table = f"<thead><tr>{head}{end}</tr></thead><tbody>{lines}</tbody>"
        listed = f'<table class="files">{table}</table>' if shown else "<p>None.</p>"
        said = f'<p class="wrong" id="file-wrong" role="alert">{escape(" ".join(wrong))}</p>' if wrong else ""
        more = "".join(
            f'<label for="file-{name}">{escape(label)}</label>'
            f'<input id="file-{name}" name="{name}" type="{"date" if name in self.dates else "text"}">'
            for name, label in self.fields.items()
        )
        look = f'<p><a href="?edit={quote(key)}#files">Look again</a></p>'
        told = ' aria-invalid="true" aria-describedby="file-wrong"' if wrong else ""
        return (
            f'<h2 id="files">{escape(self.title)}</h2>{listed}{look}'
            f'<form method="post" action="?upload={quote(key)}" enctype="multipart/form-data">'
            f'<label for="file">Upload a file</label><input id="file" name="file" type="file"{told}>{said}{more}'
            "<p><button>Upload</button></p></form>"
        )

    def _line(self, one: Shown) -> str:
        picture = f'<img src="{escape(one.url)}" alt="">' if one.is_picture else ""
        file = f'<a href="{escape(one.url)}">{picture}{escape(one.name)}</a>'
        cells = "".join(
            f'<td data-label="{escape(label)}">{escape(text)}</td>'
            for label, text in zip(self.columns, one.texts, strict=True)
        )
        whom = f'<span class="hidden"> {escape(one.name)}</span>'
        ways = " ".join(
            f'<form method="post" action="{escape(action)}"><button>{escape(label)}{whom}</button></form>'
            for action, label in one.ways.items()
        )
        return f'<tr><td data-label="File">{file}</td>{cells}<td class="ways">{ways}</td></tr>'


def _plain(value: Any) -> str:
    return "" if value is None else str(value)


def _day(value: Any) -> str:
    """Gives a date as people in the United States write it."""
    try:
        day = date.fromisoformat(str(value))
    except ValueError:
        return _plain(value)
    return f"{day.month}/{day.day}/{day.year}"
