"""Histories that nobody has told before: their seeds are drawn by the day, so that each day's tests look elsewhere."""

import random
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from tests.simulate.hand import DOCUMENTED, Mix
from tests.simulate.history import BROKEN, KEPT, is_on_postgresql, stage
from tests.simulate.rough import ROUGH
from tests.simulate.running import runner

AT_ONCE = 5
TODAY = random.Random(datetime.now(UTC).date().isoformat())
SEEDS = TODAY.sample(range(100_000, 1_000_000), 8)
ROUGH_SEEDS = TODAY.sample(range(100_000, 1_000_000), 8)
DOCUMENT_SEEDS = TODAY.sample(range(100_000, 1_000_000), 3)


@contextmanager
def on_a_stage(*where):
    """Give what is told on a stage, one history after the other: to set one up takes as long as to tell one."""
    with runner() as running:
        is_open = AsyncExitStack()
        one = running.run(is_open.enter_async_context(stage(*where)))
        try:
            yield SimpleNamespace(
                tells=lambda *seeds, mix=None: [running.run(one.tells(seed, mix)) for seed in seeds],
                shortest=lambda seed, mix: running.run(one.shortest(seed, mix)),
            )
        finally:
            running.run(is_open.aclose())


@pytest.fixture
def server(postgres_url):
    """Where the PostgreSQL of this run is."""
    return postgres_url.removesuffix("postgres")


@pytest.fixture(scope="module")
def sqlite():
    """A stage without a PostgreSQL."""
    with on_a_stage() as one:
        yield one


@pytest.fixture
def either(server):
    """A stage on which a history in ten is told on PostgreSQL; one process has one database there at a time."""
    with on_a_stage(server, is_on_postgresql) as one:
        yield one


def whole(broken, mix, on):
    return "\n".join([str(on.shortest(found.seed, mix)) for found in broken])


@pytest.mark.parametrize("at", range(0, len(SEEDS), AT_ONCE))
def test_whatever_happens_both_sides_agree_and_nothing_is_lost_once_everything_rests(at, either):
    broken = [one for one in either.tells(*SEEDS[at : at + AT_ONCE]) if one.complaints]

    assert not broken, whole(broken, Mix(), either)


def test_documents_are_on_both_sides_once_with_the_same_bytes_or_somebody_is_told_why_not(either):
    broken = [one for one in either.tells(*DOCUMENT_SEEDS, mix=DOCUMENTED) if one.complaints]

    assert not broken, whole(broken, DOCUMENTED, either)


@pytest.mark.long
def test_whatever_is_odd_hurts_itself_alone(either):
    broken = [one for one in either.tells(*ROUGH_SEEDS, mix=ROUGH) if one.complaints]

    assert not broken, whole(broken, ROUGH, either)


@pytest.mark.parametrize(
    ("seed", "mix"),
    [*KEPT, *(pytest.param(*one, marks=pytest.mark.xfail(strict=True, reason=why)) for *one, why in BROKEN)],
)
def test_a_seed_that_failed_once_holds(seed, mix, sqlite):
    (found,) = sqlite.tells(seed, mix=mix)

    assert not found.complaints, str(found)


def test_the_same_seed_tells_the_same_history(sqlite):
    once, other, again = sqlite.tells(7, 8, 7)

    assert once.trace == again.trace
    assert once.hash != other.hash


def test_the_same_seed_tells_the_same_rough_history_on_either_kind_of_database(sqlite, server):
    (here,) = sqlite.tells(7, mix=ROUGH)
    with on_a_stage(server, lambda _: True) as postgresql:
        (there,) = postgresql.tells(7, mix=ROUGH)

    assert there.is_on_postgresql
    assert there.trace == here.trace
