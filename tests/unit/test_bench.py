"""What `make bench` says of what it measured: which rows are met, and how they reach the page."""

from xml.etree import ElementTree as ET

import pytest

from tests.load.bench import page, plots
from tests.load.bench.__main__ import PARTS
from tests.load.bench.rows import ROWS, show

SERIES = {
    "arrival": [[10.0, 9.9, 200.0, 2.4], [800.0, 560.0, 18.0, 1.1]],
    "stored": [[1_000.0, 1.2, 0.5], [1_000_000.0, 1.3, 0.6]],
    "applying": [[0.5, 8.0, 4.0], [0.99, 40.0, 11.0]],
    "memory": [[2_000.0 * n, 120.0, 130.0] for n in range(1, 100)],
}


def kept(**parts):
    """Give what bench.json has of parts, by their measures."""
    machine = {"cores": 2, "python": "3.11.7", "load": 0.1}
    whole = {"at": "2026-11-29T13:00:00+00:00", "is_quick": False, "machine": machine}
    return {name: whole | {"measures": measures} for name, measures in parts.items()}


def test_every_row_is_of_a_part_that_there_is():
    assert {row.part for row in ROWS} <= PARTS.keys()


@pytest.mark.parametrize(
    ("p50_ms", "is_quick", "code"),
    [(7.9, False, 0), (8.1, False, 1), (8.1, True, 0)],
    ids=["within the target", "beyond it", "a quick run says nothing"],
)
def test_a_missed_target_fails_the_run(p50_ms, is_quick, code):
    assert show({"idle_p50_ms": p50_ms}, ["idle"], PARTS, is_quick=is_quick) == code


def test_a_row_that_was_not_measured_is_told_as_that(capsys):
    code = show({}, [], ["first-load"], is_quick=False)

    told = capsys.readouterr().out
    assert code == 0
    assert "met" not in told
    assert told.count("not run") == sum(row.part == "first-load" for row in ROWS) + 1


def test_the_page_shows_a_measure_beside_its_yardstick():
    table = page.table(kept(applying={"applying_ack_p99_ms": 35.0, "alone_ack_p99_ms": 8.0}))

    assert "| acknowledgement while applying, p99 ms | 35.0 | 8.00 | ≤ 40 | met |" in table


def test_the_page_keeps_what_stands_around_a_table():
    text = "above\n<!-- bench:table -->\nold\n<!-- bench:end -->\nbelow\n<!-- bench:sizing -->\n<!-- bench:end -->\n"

    written = page.replaced(text, "table", "new\n")

    assert written == text.replace("old", "new")


def test_the_plots_stand_alone(tmp_path):
    drawn = plots.draw({name: {"series": {name: points}} for name, points in SERIES.items()}, tmp_path)

    roots = [ET.parse(tmp_path / name).getroot() for name in drawn]
    assert len(roots) == len(SERIES)
    assert all(root.tag == "{http://www.w3.org/2000/svg}svg" for root in roots)
