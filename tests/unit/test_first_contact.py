"""The table of trials: each is told apart, and what it says takes a difference in is there."""

import re

from app.operations.first_contact.model import Means
from app.operations.first_contact.run import STEPS
from app.settings.fields import Settings
from app.vendors.drchrono.wire import EVENT_KINDS

_NAME = re.compile(r"\b[A-Z]{2,}(?:_[A-Z]+)+\b")
TRIALS = [trial for step in STEPS for trial in step.trials]
NO_SETTINGS = {*EVENT_KINDS, "NOT_FOUND"}


def test_every_trial_and_every_step_has_a_name_of_its_own():
    assert len({trial.id for trial in TRIALS}) == len(TRIALS)
    assert len({step.id for step in STEPS}) == len(STEPS)


def test_every_setting_that_a_trial_names_is_there():
    words = [trial.takes_in for trial in TRIALS] + [one.assumes for one in TRIALS if isinstance(one.assumes, str)]
    named = {name for text in words for name in _NAME.findall(text)} - NO_SETTINGS

    assert named
    assert {name.lower() for name in named} <= Settings.model_fields.keys()


def test_only_reads_begin_unasked():
    unasked = {step.means for step in STEPS if not step.is_asked}

    assert unasked == {Means.READ, Means.NEVER}
    assert [step.id for step in STEPS if (step.try_out is None) != (step.means is Means.NEVER)] == []
