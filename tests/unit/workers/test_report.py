"""What the log says of a plan."""

from typing import get_args

from app.sync.plan import ReadyPlan
from workers.report import PLAN_WORDS


def test_the_log_has_a_word_for_every_kind_of_plan_that_is_carried_out():
    assert PLAN_WORDS.keys() == set(get_args(ReadyPlan))
    assert set(PLAN_WORDS.values()) == {
        "nothing",
        "write",
        "create",
        "exclude",
        "delete",
        "link",
        "succeed",
        "follow",
        "merge",
        "wait",
        "hold",
        "stay_dismissed",
    }
