"""By which name a notice tells an error: nothing that only a vendor knows leaves the house."""

import pytest

from app.store.notices import ToPeople
from app.sync.notices import NoticeEvent
from workers.notices import merged, told_cause

CAUSES = {
    "cannot_be_empty": "cannot_be_empty",
    "REQUIRED_FIELD_MISSING": "REQUIRED_FIELD_MISSING",
    "HTTP_503": "HTTP_503",
    "HTTP_Canary": "other",
    "overlaps_310001": "clash",
    "ReadTimeout": "answer",
    "Jane.Canary:1951-02-03": "other",
}


@pytest.mark.parametrize(("cause", "told"), CAUSES.items())
def test_an_error_that_only_a_vendor_knows_is_told_by_its_class(cause, told):
    assert told_cause(cause) == told


def test_errors_that_only_an_id_tells_apart_are_one_condition():
    waiting = [ToPeople("drchrono", "appointment", f"overlaps_{number}", False, 2, 1) for number in range(3)]
    waiting.append(ToPeople("salesforce", "patient", "held", True, 5, 0))

    failing, reviewed = merged(NoticeEvent.FAILURE, waiting), merged(NoticeEvent.REVIEW, waiting)

    assert [(one.what, one.path) for one in failing] == [("6 appointments failed (DrChrono: clash)", "/attention")]
    assert reviewed == []
