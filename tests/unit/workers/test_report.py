"""What the log says of a plan."""

from typing import get_args

from app.sync.plan import Plan
from workers.report import PLAN_WORDS


def test_the_log_has_a_word_for_every_kind_of_plan():
    assert PLAN_WORDS.keys() == set(get_args(Plan))
    assert set(PLAN_WORDS.values()) == {
        "nothing",
        "write",
        "create",
        "find",
        "delete",
        "link",
        "succeed",
        "follow",
        "merge",
        "wait",
        "hold",
    }
