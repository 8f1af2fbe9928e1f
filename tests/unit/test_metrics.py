"""The metrics: their names, their bounded labels, and the table of them in the documents."""

import re
from itertools import product
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.metrics import definitions
from app.metrics.definitions import OTHER, SUM, Type
from app.metrics.exposition import Samples, text
from app.operations.metrics import counted_by_batches
from app.store.counters import ProcessCounters, read_metrics
from app.store.tables import tallies
from app.sync.failure_causes import class_of
from app.sync.model import Side

ODD = ("", "x" * 300, "kept|sum", "Canary", "220000101", 'a"b\nc', "патиент", "DRCHRONO")
DOCUMENT = Path(__file__).parents[2] / "deploy" / "docs" / "metrics.md"
EVERY = pytest.mark.parametrize("metric", definitions.ALL, ids=lambda metric: metric.name)


def families(samples):
    return {family.name: family for family in text_string_to_metric_families(text(samples).decode())}


def series(samples):
    return sum(len(one.samples) for name, one in families(samples).items() if name.startswith("chronobridge_"))


@EVERY
def test_names_follow_the_convention_and_every_one_has_a_meaning(metric):
    assert re.fullmatch(r"chronobridge_[a-z][a-z_]+", metric.name)
    assert metric.name.endswith("_total") == (metric.type is Type.COUNTER)
    assert bool(metric.buckets) == (metric.type is Type.HISTOGRAM)
    assert metric.buckets == tuple(sorted(metric.buckets))
    assert len(metric.help) > 15
    assert families(Samples([metric]))[metric.name.removesuffix("_total")].documentation == metric.help


def test_no_name_is_given_twice():
    assert len({metric.name for metric in definitions.ALL}) == len(definitions.ALL)


@EVERY
def test_odd_labels_make_no_more_series_than_there_can_be(metric):
    samples, counts = Samples([metric]), ProcessCounters()
    for labels in product(ODD, repeat=len(metric.labels)):
        if metric in definitions.BY_PROCESSES:
            (counts.observe(metric, 1.0, *labels) if metric.buckets else counts.add(metric, *labels))
        elif not metric.buckets:
            samples.add(metric, 1.0, *labels)
    for _, labels, parts in read_metrics(counts._new):
        samples.counted(metric, labels, parts)

    assert series(samples) == (len(metric.buckets) + 3 if metric.buckets else 1)
    assert "Canary" not in text(samples).decode()
    assert metric.most_series <= 300


def test_all_there_can_ever_be_is_bounded():
    assert sum(metric.most_series for metric in definitions.ALL) < 1500


@pytest.mark.parametrize("metric", definitions.BY_PROCESSES, ids=lambda metric: metric.name)
def test_every_count_fits_into_the_database_and_is_read_back(metric):
    counts = ProcessCounters()
    labels = list(product(*metric.labels.values()))
    for each in labels:
        (counts.observe(metric, 2.0, *each) if metric.buckets else counts.add(metric, *each))

    found = list(read_metrics(counts._new))

    assert max(len(name) for name in counts._new) <= tallies.c.name.type.length
    assert sorted(each for _, each, _ in found) == sorted(labels)
    assert {sum(times for part, times in parts.items() if part != SUM) for *_, parts in found} == {1}


def test_counts_that_nobody_knows_any_more_make_no_series():
    samples = Samples(definitions.ALL)
    before, saved = (
        series(samples),
        {"chronobridge_old_total|x": 3, "chronobridge_deliveries_total": 1, "applied_x_y": 4},
    )

    for metric, labels, parts in read_metrics(saved):
        samples.counted(metric, labels, parts)
    for metric, times, labels in counted_by_batches(saved | {"linked_Canary": 2}):
        samples.add(metric, times, *labels)

    assert series(samples) == before


def test_skips_of_an_unknown_cause_are_counted_as_other():
    found = [(times, labels) for _, times, labels in counted_by_batches({"skipped_break": 2, "skipped_Canary": 3})]

    assert found == [(2, ("break",)), (3, (OTHER,))]


def test_a_histogram_adds_up_and_ends_with_all():
    counts, samples = ProcessCounters(), Samples([definitions.END_TO_END])
    for lasted_s in (0.1, 0.2, 9999.0):
        counts.observe(definitions.END_TO_END, lasted_s, Side.DRCHRONO)
    for metric, labels, parts in read_metrics(counts._new):
        samples.counted(metric, labels, parts)

    found = {
        (one.name, one.labels.get("le")): one.value for one in families(samples)[definitions.END_TO_END.name].samples
    }

    name = definitions.END_TO_END.name
    assert [
        found[f"{name}_bucket", le]
        for le in ("0.1", "0.25", "7200", "7200.0", "+Inf")
        if (f"{name}_bucket", le) in found
    ] == [1, 2, 2, 3]
    assert found[f"{name}_count", None] == 3
    assert found[f"{name}_sum", None] == pytest.approx(9999.3)


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        (200, "2xx"),
        (204, "2xx"),
        (302, "3xx"),
        (404, "4xx"),
        (429, "429"),
        (503, "5xx"),
        (999, "5xx"),
        (None, "none"),
        (100, OTHER),
    ],
)
def test_an_answers_status_is_counted_by_its_class(status, shown):
    counts = ProcessCounters()

    counts.called(Side.SALESFORCE, status)

    assert [labels for _, labels, _ in read_metrics(counts._new)] == [("salesforce", shown)]


@pytest.mark.parametrize(
    ("cause", "of"),
    [
        ("overlaps_4711", "clash"),
        ("HTTP_503", "answer"),
        ("ReadTimeout", "answer"),
        ("MY_OWN_CODE", "other"),
        ("", "other"),
    ],
)
def test_a_cause_of_the_vendors_own_is_of_a_class_too(cause, of):
    assert class_of(cause) == of


def test_the_documents_table_names_exactly_the_metrics_there_are():
    rows = re.findall(r"^\| `(chronobridge_\w+)` \| (\w+) \| (.*?) \|", DOCUMENT.read_text(), re.MULTILINE)

    told = {(name, type_, tuple(re.findall(r"`(\w+)`", labels))) for name, type_, labels in rows}
    assert told == {(metric.name, metric.type.value, tuple(metric.labels)) for metric in definitions.ALL}
    assert len(rows) == len(definitions.ALL)


def test_the_documents_alerts_name_only_metrics_there_are():
    named = set(re.findall(r"chronobridge_\w+", DOCUMENT.read_text()))

    exposed = {metric.name + ending for metric in definitions.ALL for ending in ("", "_bucket", "_sum", "_count")}
    assert named <= exposed
