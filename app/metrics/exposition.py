"""Metrics as Prometheus reads them: samples are put in by their labels, of each metric in one family."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from app.metrics.definitions import SUM, Metric, Type

_MILLI = 1000


class Samples(Collector):
    """The samples of one scrape. A metric that was named and has none is shown with its meaning alone."""

    def __init__(self, named: Iterable[Metric]) -> None:
        self._values: dict[Metric, dict[tuple[str, ...], float]] = {one: {} for one in named if not one.buckets}
        self._counted: dict[Metric, dict[tuple[str, ...], Mapping[str, int]]] = {
            one: {} for one in named if one.buckets
        }

    def add(self, metric: Metric, value: float, *labels: str) -> None:
        """Put a value in; of the same labels, unknown ones among them, they are added up."""
        bounded, values = metric.bounded(labels), self._values[metric]
        values[bounded] = values.get(bounded, 0) + value

    def highest(self, metric: Metric, value: float, *labels: str) -> None:
        """Put a value in, where there is no higher one of the same labels."""
        bounded, values = metric.bounded(labels), self._values[metric]
        values[bounded] = max(values.get(bounded, value), value)

    def counted(self, metric: Metric, labels: tuple[str, ...], counts: Mapping[str, int]) -> None:
        """Put in what processes have counted."""
        if metric.buckets:
            self._counted[metric][labels] = counts
        else:
            self.add(metric, sum(counts.values()), *labels)

    def collect(self) -> Iterator[Family]:
        """Give every family."""
        for metric, values in self._values.items():
            family = (CounterMetricFamily if metric.type is Type.COUNTER else GaugeMetricFamily)(
                metric.name, metric.help, labels=list(metric.labels)
            )
            for labels, value in values.items():
                family.add_metric(list(labels), value)
            yield family
        for metric, found in self._counted.items():
            histogram = HistogramMetricFamily(metric.name, metric.help, labels=list(metric.labels))
            for labels, counts in found.items():
                histogram.add_metric(list(labels), _buckets(metric, counts), counts.get(SUM, 0) / _MILLI)
            yield histogram


def _buckets(metric: Metric, counts: Mapping[str, int]) -> list[tuple[str, float]]:
    """Give bound -> how many were no higher."""
    bounds = [*(f"{bound:g}" for bound in metric.buckets), "+Inf"]
    return list(zip(bounds, accumulate(counts.get(str(at), 0) for at in range(len(bounds))), strict=True))


def text(samples: Samples) -> bytes:
    """Give the samples as Prometheus reads them, with the memory, time and files of the process that answers."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(samples)
    ProcessCollector(registry=registry)
    return generate_latest(registry)
