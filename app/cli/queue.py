"""`chronobridge queue`: what waits and why, and when it will be done, for a person or a script."""

import json
from collections.abc import Sequence
from datetime import timedelta

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.operations.queue import DueCount, QueueReport, queue_report, report_as_json
from app.runtime import open_runtime
from app.settings.fields import Settings

_TO = {"to_drchrono": "to DrChrono", "to_salesforce": "to Salesforce"}


async def print_queue(settings: Settings, console: Console, *, as_json: bool) -> None:
    """Print the backlog.

    Raises  StoreUnavailable
    """
    async with open_runtime(settings) as runtime:
        found = await queue_report(runtime)
    if as_json:
        console.print_json(json.dumps(report_as_json(found)))
        return
    if found.by_kind:
        console.print(_table(found.by_kind))
    for line in _lines(found):
        console.print(Text(line), soft_wrap=True)


def _table(rows: Sequence[DueCount]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("kind", "direction", "lane"):
        table.add_column(name)
    for name in ("waiting", "oldest"):
        table.add_column(name, justify="right")
    for row in rows:
        oldest = str(timedelta(seconds=int(row.oldest_s))) if round(row.oldest_s, 3) else "later"
        table.add_row(row.kind, _TO[row.direction], row.lane, f"{row.count:,}", oldest)
    return table


def _lines(found: QueueReport) -> list[str]:
    """Give what is said below the table."""
    begin = "" if found.by_kind else "nothing waits; "
    left_out = f"{found.excluded:,} excluded, " if found.excluded else ""
    lines = [
        f"{begin}{found.failed:,} failed, {found.held:,} held, {left_out}{found.rate_per_minute:,} writes a minute"
    ]
    lines += [f"lane {one.lane} is paused: {one.reason}" for one in found.lanes if one.is_paused]
    return lines + found.forecast.sentences()
