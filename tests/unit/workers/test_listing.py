"""Whether a row of a list says anything but what both sides last agreed on."""

import pytest

from tests.build import a_chart, a_link, rules
from workers.compare.listing import drchrono_row_changed


@pytest.mark.parametrize(
    ("fields", "is_news"),
    [({}, False), ({"city": "Newtown"}, True), ({"doctor": 10**70}, True), ({"race": "asian"}, False)],
    ids=["agreed", "edited", "nobody can read it", "not mapped"],
)
def test_a_row_of_a_linked_chart_is_news_where_a_mapped_field_is_another_or_cannot_be_read(fields, is_news):
    assert drchrono_row_changed(rules(), a_chart(**fields), a_link()) is is_news
