"""Writes what bench.json has into performance.md: two tables between markers, and the plots."""

from collections.abc import Mapping
from typing import Any

from tests.harness.cluster import ROOT
from tests.load.bench import plots, sizing
from tests.load.bench.rows import ROWS, Row, said

DOCS = ROOT / "deploy" / "docs"
PAGE, END = DOCS / "performance.md", "<!-- bench:end -->\n"


def write(kept: Mapping[str, Any]) -> list[str]:
    """Write table and plots, and give the files that were written."""
    written = replaced(PAGE.read_text(), "table", table(kept))
    if of := sizing.costs({name: value for one in kept.values() for name, value in one["measures"].items()}):
        written = replaced(written, "sizing", sizing.table(of))
    PAGE.write_text(written)
    return [PAGE.name, *plots.draw(kept, DOCS / "images")]


def replaced(text: str, name: str, inside: str) -> str:
    """Give a page with what stands between a name's marker and the next end replaced."""
    before, begin, rest = text.partition(f"<!-- bench:{name} -->\n")
    assert begin, f"the page has no place for {name}"
    return before + begin + inside + END + rest.partition(END)[2]


def table(kept: Mapping[str, Any]) -> str:
    """Give the table, and of each part when, how often and beside how much else it was measured."""
    lines = ["| measure | here | yardstick | target | |", "|---|---|---|---|---|"]
    lines += [_line(row, kept.get(row.part)) for row in ROWS]
    machines = sorted({f"{one['machine']['cores']} cores, Python {one['machine']['python']}" for one in kept.values()})
    days = sorted({one["at"][:10] for one in kept.values()})
    loads = [one["machine"]["load"] for one in kept.values()]
    quick = sorted(name for name, one in kept.items() if one["is_quick"])
    told = f"Measured on {' and '.join(machines)}, {' to '.join(dict.fromkeys((days[0], days[-1])))}"
    told += f", at a load of {min(loads):.1f} to {max(loads):.1f} before each part."
    if quick:
        told += f" From a quick run, which says little: {', '.join(quick)}."
    return "\n".join([*lines, "", told, ""])


def _line(row: Row, part: Mapping[str, Any] | None) -> str:
    measures = part["measures"] if part else {}
    value, target = measures.get(row.measure), row.target_words
    words = row.words if not row.words.startswith(" ") else f"· {row.words.strip()}"
    if value is None:
        return f"| {words} | not run | | {target} | |"
    verdict = (
        "" if row.target is None or part is None or part["is_quick"] else "met" if row.is_met(value) else "**missed**"
    )
    return f"| {words} | {said(value)} | {said(measures.get(row.beside or ''))} | {target} | {verdict} |"
