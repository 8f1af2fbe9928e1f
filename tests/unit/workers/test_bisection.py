"""A step that fails is narrowed to the records that it fails for; what is everybody's fault is nobody's."""

import asyncio

import pytest
import structlog

from app.errors import BatchFailed, LeaseLost, StoreUnavailable, Unexpected, ValueRefused
from workers.bisection import halved, one_by_one, side_by_side

RECORDS = {f"link{number}": number for number in range(8)}


def odd(*bad, error=ValueError):
    """Give a step that fails for these numbers, and doubles the others."""

    def step(number):
        if number in bad:
            raise error(f"Jane Canary has {number}")
        return number * 2

    return step


def many(step, asked):
    """Give a step that takes all records at once, fails where it fails for one, and notes how many it was given."""

    async def of_all(part):
        asked.append(len(part))
        return {link_id: step(number) for link_id, number in part.items()}

    return of_all


def blamed(found):
    return {link_id for link_id, one in found.items() if isinstance(one, Exception)}


@pytest.fixture
def lines():
    with structlog.testing.capture_logs() as said:
        yield said


def test_one_that_fails_leaves_its_neighbors_alone(lines):
    found = one_by_one(RECORDS, odd(3))

    assert blamed(found) == {"link3"}
    assert isinstance(found["link3"], Unexpected)
    assert found["link4"] == 8
    assert [(line["event"], line["link_id"]) for line in lines] == [("record.unexpected", "link3")]


async def test_those_under_way_together_do_not_hurt_each_other(lines):
    async def step(number):
        await asyncio.sleep(0)
        return odd(2, 5)(number)

    found = await side_by_side(RECORDS, step)

    assert blamed(found) == {"link2", "link5"}
    assert len(lines) == 2


async def test_a_step_of_all_is_halved_down_to_the_culprit(lines):
    asked = []

    found = await halved(RECORDS, many(odd(6, error=ValueRefused), asked))

    assert blamed(found) == {"link6"}
    assert isinstance(found["link6"], ValueRefused)
    assert asked == [8, 4, 4, 2, 2, 1, 1]


async def test_a_step_of_all_that_holds_is_asked_once():
    asked = []

    assert len(await halved(RECORDS, many(odd(), asked))) == 8
    assert await halved({}, many(odd(), asked)) == {}
    assert asked == [8]


@pytest.mark.parametrize("error", [StoreUnavailable, LeaseLost])
async def test_what_is_everybodys_fault_goes_through(error):
    with pytest.raises(error):
        await halved(RECORDS, many(odd(6, error=error), []))


def test_a_database_that_is_away_is_no_records_fault():
    with pytest.raises(StoreUnavailable):
        one_by_one(RECORDS, odd(3, error=StoreUnavailable))


def test_what_all_of_several_fail_of_at_one_place_is_no_records_fault(lines):
    found = one_by_one(RECORDS, odd(*RECORDS.values()))

    assert {type(one) for one in found.values()} == {BatchFailed}
    assert [(line["event"], line["records"]) for line in lines] == [("batch.failed", 8)]


def test_of_two_records_it_may_be_chance_that_both_fail(lines):
    found = one_by_one({"a": 1, "b": 1}, odd(1))

    assert {type(one) for one in found.values()} == {Unexpected}


def test_no_text_of_an_error_that_nobody_foresaw_is_told(lines):
    found = one_by_one(RECORDS, odd(3))

    assert "Canary" not in str(found["link3"])
    assert str(found["link3"]).startswith("ValueError test_bisection.py:")
