"""Charts: series over time as SVG, drawn on the server, so that they are there without scripts.

Pure: values, labels and ticks in, markup out. Everything lies at percentages of the drawing's width and height, which
the page's style decides; so lines and letters keep their size on a phone. Of each step a pointer is told what it holds,
and the label of the whole drawing says the most important; readers without either have the table beside it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from markupsafe import Markup

from app.operations.activity import Activity
from app.operations.clinic_time import ClinicTime, age
from app.sync.model import Side

_GAP = 0.16  # of a step's width is left free between two bars
_LEAST = 1.5  # percent of the height: what there is at all is seen
_MOST_TICKS = 5
_ROUND = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
_SPANS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
_HOUR = timedelta(hours=1)
_TICK_SPANS = (
    *(timedelta(minutes=minutes) for minutes in (5, 10, 15, 30)),
    *(hours * _HOUR for hours in (1, 2, 3, 6, 12, 24, 48, 96, 168, 336)),
)


class ChartForm(StrEnum):
    """How values are drawn."""

    BARS = "bars"
    LINE = "line"


@dataclass(frozen=True, slots=True)
class ChartSeries:
    """One row of values, step by step; `look`: its class in the style. None: there is no value."""

    name: str
    look: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on the axis of time, 0 to 1, with its words."""

    at: float
    words: str

    @property
    def anchor(self) -> str:
        """Which end of the words is there, so that none is cut off."""
        return "start" if self.at < 0.07 else "end" if self.at > 0.93 else "middle"  # noqa: PLR2004 - half a label


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """The axis of time that charts of one range share: the words of each step, and ticks."""

    steps: Sequence[str]
    ticks: Sequence[Tick]


@dataclass(frozen=True, slots=True)
class Chart:
    """Series over the same steps.

    title  what it shows; `label`: the most important of it, in a sentence
    unit   says a value with its unit
    top    the value at the upper edge; charts that are compared share it
    """

    title: str
    label: str
    series: Sequence[ChartSeries]
    time: TimeAxis
    unit: Callable[[float], str]
    top: float
    form: ChartForm = ChartForm.BARS

    @property
    def marks(self) -> list[str]:
        """The words along the axis of values, from above."""
        return [self.unit(self.top * part) for part in _parts(self.top, self.form)]

    @property
    def legend(self) -> Mapping[str, str]:
        """Name -> look of its series, where there are several."""
        return {one.name: one.look for one in self.series} if len(self.series) > 1 else {}

    @property
    def svg(self) -> Markup:
        """The drawing, without the words along its edges."""
        grid = Markup("").join(
            Markup('<line class="grid" x1="0" x2="100%" y1="{0}%" y2="{0}%"/>').format(_number(100 - 100 * part))
            for part in _parts(self.top, self.form)
        )
        if self.form is ChartForm.BARS:
            drawn = Markup("").join(self._bars(at) for at in range(len(self.time.steps)))
        else:
            drawn = self._line() + Markup("").join(self._point(at) for at in range(len(self.time.steps)))
        return Markup('<svg class="plot" role="img" aria-label="{}">{}{}</svg>').format(self.label, grid, drawn)

    @property
    def axis(self) -> Markup:
        """The words along the axis of time."""
        words = Markup("").join(
            Markup('<text x="{}%" y="75%" text-anchor="{}">{}</text>').format(
                _number(tick.at * 100), tick.anchor, tick.words
            )
            for tick in self.time.ticks
        )
        return Markup('<svg class="axis" aria-hidden="true">{}</svg>').format(words)

    def _bars(self, at: int) -> Markup:
        width, below, bars = 100 / len(self.time.steps), 0.0, Markup("")
        for one in self.series:
            if value := one.values[at]:
                high = max(value / self.top * 100, _LEAST)
                bars += Markup('<rect class="{}" x="{}%" y="{}%" width="{}%" height="{}%"/>').format(
                    one.look,
                    _number(width * (at + _GAP / 2)),
                    _number(max(100 - below - high, 0)),
                    _number(width * (1 - _GAP)),
                    _number(high),
                )
                below += high
        return self._step(at, bars)

    def _point(self, at: int) -> Markup:
        points = Markup("").join(
            Markup('<circle class="{}" cx="{}%" cy="{}%" r="2.5"/>').format(
                one.look, _number(self._x(at)), _number(self._y(value))
            )
            for one in self.series
            if (value := one.values[at]) is not None
        )
        return self._step(at, points)

    def _line(self) -> Markup:
        lines = Markup("")
        for one in self.series:
            for at, (value, following) in enumerate(zip(one.values, one.values[1:], strict=False)):
                if value is not None and following is not None:
                    lines += Markup('<line class="{}" x1="{}%" y1="{}%" x2="{}%" y2="{}%"/>').format(
                        one.look, *map(_number, (self._x(at), self._y(value), self._x(at + 1), self._y(following)))
                    )
        return lines

    def _step(self, at: int, drawn: Markup) -> Markup:
        """Put what is drawn of a step together with what a pointer is told of it."""
        width = 100 / len(self.time.steps)
        said = [f"{one.name}: {self.unit(value)}" for one in self.series if (value := one.values[at]) is not None]
        return Markup('<g><title>{}</title><rect class="hit" x="{}%" y="0" width="{}%" height="100%"/>{}</g>').format(
            "\n".join([self.time.steps[at], *said]), _number(width * at), _number(width), drawn
        )

    def _x(self, at: int) -> float:
        return 100 * (at + 0.5) / len(self.time.steps)

    def _y(self, value: float) -> float:
        return 100 - min(value / self.top, 1) * 100


def _parts(top: float, form: ChartForm) -> tuple[float, ...]:
    """Give where the grid's lines are, from above: at the edges, and halfway where that is a whole number too."""
    return (1, 0.5, 0) if form is ChartForm.LINE or top % 2 == 0 else (1, 0)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def top_of_counts(series: Sequence[ChartSeries]) -> float:
    """Give a round whole number that no stack of bars is higher than."""
    stacks = zip(*(one.values for one in series), strict=True)
    most, size = max((sum(value or 0 for value in stack) for stack in stacks), default=0), 1
    while most > 10 * size:
        size *= 10
    return next(size * step for step in _ROUND if most <= size * step and (size * step) % 1 == 0)


def top_of_seconds(values: Sequence[float | None]) -> float:
    """Give a span that people count in, and that no value is longer than."""
    most = max((value for value in values if value is not None), default=0.0)
    return next((span for span in _SPANS_S if most <= span), _SPANS_S[-1])


def in_seconds(value: float) -> str:
    """Say a span: `0`, `0.25 s`, `4.2 s`, `12 min`."""
    if value >= 10:  # noqa: PLR2004 - seconds; below, parts of one matter
        return age(value)
    return f"{value:.2f}".rstrip("0").rstrip(".") + (" s" if value else "")


def ticks(since: datetime, until: datetime, clinic: ClinicTime) -> list[Tick]:
    """Give places on the axis of time where the clinic's clock is round, few enough for a phone."""
    span = next((one for one in _TICK_SPANS if (until - since) / one <= _MOST_TICKS), _TICK_SPANS[-1])
    shown = clinic.local(since).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None, fold=0)
    found: dict[datetime, Tick] = {}
    while True:
        at = shown.replace(tzinfo=clinic.zone).astimezone(since.tzinfo)
        if at >= until:
            return list(found.values())
        if at >= since:
            is_midnight = shown.hour == shown.minute == 0
            words = clinic.day(shown.date()) if is_midnight else clinic.hour(at)
            found.setdefault(at, Tick((at - since) / (until - since), words))
        shown += span


def words_of_step(begin: datetime, step: timedelta, clinic: ClinicTime) -> str:
    """Say from when to when a step goes: `Nov 28, 10:00 AM to 10:30 AM`."""
    end = begin + step
    is_one_day = clinic.local(begin).date() == clinic.local(end).date()
    return f"{clinic.weekday(clinic.local(begin).date())}, {clinic.clock(begin)} to " + (
        clinic.clock(end) if is_one_day else f"{clinic.weekday(clinic.local(end).date())}, {clinic.clock(end)}"
    )


def time_axis(found: Activity, clinic: ClinicTime) -> TimeAxis:
    """Give the axis of time of some activity."""
    words = [words_of_step(one.begin, found.step, clinic) for one in found.steps]
    return TimeAxis(words, ticks(found.since, found.until, clinic))


def of_activity(found: Activity, words: str, clinic: ClinicTime) -> tuple[Chart, ...]:
    """Give the charts of what was received, applied and failed, and how long it took; `words`: of which range."""
    time, steps = time_axis(found, clinic), found.steps
    received = [
        ChartSeries(f"From {_NAMES[side]}", look, [one.received[side] for one in steps]) for side, look in _LOOKS
    ]
    applied = [ChartSeries(f"To {_NAMES[side]}", look, [one.applied[side] for one in steps]) for side, look in _LOOKS]
    waits = [
        ChartSeries("Failed", "bad", [one.failed for one in steps]),
        ChartSeries("Needs review", "warn", [one.needs_review for one in steps]),
    ]
    return (
        counted("Received", f"deliveries received in {words}", received, time),
        counted("Applied", f"changes applied in {words}", applied, time),
        counted("Needs attention", f"records that began to fail or to need review in {words}", waits, time),
        latency(found, words, time),
    )


def counted(title: str, what: str, series: Sequence[ChartSeries], time: TimeAxis) -> Chart:
    """Give a chart of counts, stacked; `what`: is counted, and in which range."""
    sums = [f"{one.name} {in_whole(sum(value or 0 for value in one.values))}" for one in series]
    return Chart(title, f"{title}: {what}. {', '.join(sums)}.", series, time, in_whole, top_of_counts(series))


def latency(found: Activity, words: str, time: TimeAxis) -> Chart:
    """Give the chart of how long it took until deliveries were applied."""
    values, whole = [one.p95_s for one in found.steps], found.total.p95_s
    says = "nothing was applied" if whole is None else f"95 of 100 within {in_seconds(whole)}"
    series = [ChartSeries("95 of 100 within", "first", values)]
    label, top = f"Time until applied in {words}: {says}.", top_of_seconds(values)
    return Chart("Time until applied (p95)", label, series, time, in_seconds, top, ChartForm.LINE)


def in_whole(value: float) -> str:
    """Say a count."""
    return f"{value:,.0f}"


_NAMES = {Side.DRCHRONO: "DrChrono", Side.SALESFORCE: "Salesforce"}
_LOOKS = ((Side.DRCHRONO, "first"), (Side.SALESFORCE, "second"))
