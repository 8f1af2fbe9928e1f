"""The plots of performance.md: series of bench.json as SVG files that stand alone, drawn by the console's own charts.

A chart has no words along its edges, and its style is the page's; both are added here. Steps lie at equal distances,
which is what rates and sizes that grow by a factor want.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from app.web.charts import Chart, ChartForm, ChartSeries, Tick, TimeAxis, top_of_counts

WIDTH, PANEL = 760, 250
_LEFT, _RIGHT, _ABOVE, _BELOW = 64, 20, 52, 44
_LOOKS = ("first", "second", "third")
_MOST_STEPS = 12
_STYLE = """
    text { font: 12px system-ui, sans-serif; fill: #566072; }
    .title { font-size: 14px; font-weight: 600; fill: #1a2230; }
    .ground { fill: #fff; } .grid { stroke: #d5dae2; } .hit { fill: transparent; } line { stroke-width: 2; }
    .first { stroke: #0b5cad; fill: #0b5cad; } .second { stroke: #b3541e; fill: #b3541e; }
    .third { stroke: #1b6e3c; fill: #1b6e3c; } .key { stroke-width: 0; }
"""


def draw(kept: Mapping[str, Any], folder: Path) -> list[str]:
    """Draw a file for each part that has a series; gives their names."""
    drawn = []
    for name, (part, panels) in _FILES.items():
        points = kept.get(part, {}).get("series", {}).get(part)
        if points:
            (folder / name).write_text(_file(panels(_thinned(points))))
            drawn.append(name)
    return drawn


def _arrival(points: Sequence[Sequence[float]]) -> list[Chart]:
    rates = [f"{rate:,.0f}" for rate, *_ in points]
    changes = {"arriving": [one[0] for one in points], "applied": [one[1] for one in points]}
    calls = {"calls": [one[2] for one in points]}
    return [
        _chart("Changes a second, over new patients arriving a second", rates, changes, _whole),
        _chart("Salesforce calls per 1,000 changes, over new patients arriving a second", rates, calls, _whole),
    ]


def _stored(points: Sequence[Sequence[float]]) -> list[Chart]:
    series = {"worker": [one[1] for one in points], "web": [one[2] for one in points]}
    return [_chart("CPU ms of a change, over stored links", [f"{one[0]:,.0f}" for one in points], series, _tenths)]


def _applying(points: Sequence[Sequence[float]]) -> list[Chart]:
    shares = [f"p{one[0] * 100:g}" for one in points]
    series = {"while a worker applies": [one[1] for one in points], "without a worker": [one[2] for one in points]}
    title = "ms until acknowledged, at 100 deliveries a second, by percentile"
    return [_chart(title, shares, series, _whole)]


def _memory(points: Sequence[Sequence[float]]) -> list[Chart]:
    series = {"web": [one[1] for one in points], "worker": [one[2] for one in points]}
    return [_chart("MB held, over deliveries", [f"{one[0]:,.0f}" for one in points], series, _whole)]


_FILES: dict[str, tuple[str, Callable[[Sequence[Sequence[float]]], list[Chart]]]] = {
    "performance-arrival.svg": ("arrival", _arrival),
    "performance-stored.svg": ("stored", _stored),
    "performance-applying.svg": ("applying", _applying),
    "performance-memory.svg": ("memory", _memory),
}


def _chart(
    title: str, steps: Sequence[str], series: Mapping[str, Sequence[float]], unit: Callable[[float], str]
) -> Chart:
    drawn = [ChartSeries(name, _LOOKS[at], values) for at, (name, values) in enumerate(series.items())]
    axis = TimeAxis(steps, [Tick((at + 0.5) / len(steps), words) for at, words in enumerate(steps)])
    top = max(top_of_counts([one]) for one in drawn)
    return Chart(title, title, drawn, axis, unit, top, ChartForm.LINE)


def _file(panels: Sequence[Chart]) -> str:
    height = PANEL * len(panels)
    inside = Markup("").join(_panel(chart, at * PANEL) for at, chart in enumerate(panels))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">'
    return f'{head}<style>{_STYLE}</style><rect class="ground" width="100%" height="100%"/>{inside}</svg>\n'


def _panel(chart: Chart, above: float) -> Markup:
    """Put the words around a chart: its title, what its lines are, and what its edges mean."""
    wide, high, top = WIDTH - _LEFT - _RIGHT, PANEL - _ABOVE - _BELOW, above + _ABOVE
    place = f'<svg class="plot" x="{_LEFT}" y="{top}" width="{wide}" height="{high}" overflow="visible"'
    parts = [
        _text(_LEFT, above + 20, chart.title, "start", "title"),
        Markup(str(chart.svg).replace('<svg class="plot"', place)),
    ]
    marks = chart.marks
    for at, words in enumerate(marks):
        parts.append(_text(_LEFT - 10, top + high * at / (len(marks) - 1) + 4, words, "end"))
    parts += [_text(_LEFT + wide * one.at, top + high + 22, one.words, "middle") for one in chart.time.ticks]
    x = float(_LEFT)
    for name, look in chart.legend.items():
        key = Markup('<rect class="{} key" x="{}" y="{}" width="10" height="10"/>').format(look, x, above + 31)
        parts += [key, _text(x + 15, above + 40, name, "start")]
        x += 40 + 7 * len(name)
    return Markup("").join(parts)


def _text(x: float, y: float, words: str, anchor: str, look: str = "") -> Markup:
    given = Markup('<text class="{}" x="{:.0f}" y="{:.0f}" text-anchor="{}">{}</text>')
    return given.format(look, x, y, anchor, escape(words))


def _thinned(points: Sequence[Sequence[float]]) -> Sequence[Sequence[float]]:
    """Give so few points that each has room for its words, the last among them."""
    every = -(-len(points) // _MOST_STEPS)
    return points[::-1][::every][::-1]


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _tenths(value: float) -> str:
    return f"{value:.1f}"
