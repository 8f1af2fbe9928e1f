"""Smaller calls: the size an org lets through is found and remembered, a culprit found; what is no use ends early."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from app.errors import Rejected, Unauthorized, Unavailable
from app.store.journal import Entry
from app.sync.model import Side
from app.vendors.rate_limit.salesforce import unlimited
from app.vendors.salesforce.call_sizes import MOST_RECORDS, CallSizes
from app.vendors.salesforce.wire import RecordRefused
from tests.build import a_link
from workers.batch import PreparedWrite, Written
from workers.send_salesforce import in_smaller_calls, of_the_org

LIMIT, TRIGGER, OTHERS = (
    RecordRefused("transaction_limit", likeness=1),
    RecordRefused("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", ("acme.ContactTrigger",), likeness=2),
    RecordRefused("REQUIRED_FIELD_MISSING", ("LastName",), likeness=3),
)
HOUR_S = 3600.0


class Org:
    """An org whose code copes with so many records of a call, and fails of some; `at_s`: its clock."""

    def __init__(self, most=MOST_RECORDS, culprits=(), refused=TRIGGER, invalid=()):
        self.most, self.culprits, self.refused, self.invalid = most, culprits, refused, invalid
        self.calls, self.at_s = [], 0.0
        salesforce = SimpleNamespace(sizes=CallSizes(lambda: self.at_s), budget=unlimited())
        table = SimpleNamespace(object="Contact")
        self.batch = SimpleNamespace(salesforce=salesforce, rules=SimpleNamespace(table=table))

    async def call(self, writes):
        self.calls.append(len(writes))
        ids = [write.link.id for write in writes]
        valid = [one for one in ids if one not in self.invalid]
        fell = LIMIT if len(valid) > self.most else self.refused if set(valid) & set(self.culprits) else None
        if isinstance(fell, Rejected):
            return dict.fromkeys(ids, fell)
        return {one: OTHERS if one in self.invalid else fell or Written(one, True, {}, {}) for one in ids}

    async def takes(self, count, call="update"):
        writes = [
            PreparedWrite(replace(a_link(), id=str(n)), str(n), Entry(str(n), Side.SALESFORCE, call, {}, None), {}, {})
            for n in range(count)
        ]
        self.calls.clear()
        answers = await in_smaller_calls(self.batch, self.call, writes)
        assert len(answers) == count
        return {int(one) for one, answer in answers.items() if not isinstance(answer, Written)}


async def test_a_call_is_halved_until_the_limit_lets_it_through():
    org = Org(most=50)

    assert await org.takes(200) == set()
    assert org.calls == [200, 100, 50, 50, 50, 50]


async def test_the_size_that_went_through_is_remembered_by_object_and_call_and_grows_back_with_the_hours():
    org = Org(most=50)
    await org.takes(200)

    assert await org.takes(120) == set()
    assert org.calls == [50, 50, 20]
    assert await org.takes(60, call="create") == set()
    assert org.calls == [60, 30, 30]
    org.most, org.at_s = MOST_RECORDS, HOUR_S
    assert await org.takes(200) == set()
    assert org.calls == [100, 100]
    org.at_s = 2 * HOUR_S
    assert await org.takes(200) == set()
    assert org.calls == [200]


async def test_what_a_size_grew_back_to_shrinks_again_where_the_limit_is_still_there():
    org = Org(most=50)
    await org.takes(200)

    org.at_s = HOUR_S
    await org.takes(100)

    assert org.calls == [100, 50, 50]
    assert await org.takes(100) == set()
    assert org.calls == [50, 50]


@pytest.mark.parametrize("refused", [TRIGGER, Rejected("salesforce", "PATCH", status=400, code="JSON_PARSER_ERROR")])
@pytest.mark.parametrize("culprits", ["7", "0", "63", "0 1 2 3"])
async def test_a_record_that_takes_the_others_of_its_call_along_is_found_and_costs_no_size(refused, culprits):
    culprits = culprits.split()
    org = Org(culprits=culprits, refused=refused)

    assert await org.takes(64) == {int(one) for one in culprits}
    assert len(org.calls) <= 1 + 2 * 6 * len(culprits)
    assert org.batch.salesforce.sizes.of("Contact update") == MOST_RECORDS


async def test_where_every_record_falls_alone_too_the_rest_is_not_tried_nor_the_next_call_made_smaller():
    org = Org(culprits=[str(n) for n in range(200)])

    assert await org.takes(200) == set(range(200))
    assert len(org.calls) < 20
    assert await org.takes(200) == set(range(200))
    assert org.calls == [200]


async def test_once_something_went_through_calls_are_made_smaller_again():
    org = Org(culprits=[str(n) for n in range(200)])
    await org.takes(200)

    org.culprits = ["3"]
    org.at_s = HOUR_S

    assert await org.takes(200) == {3}


async def test_a_record_refused_for_its_own_sake_keeps_no_other_from_a_smaller_call():
    org = Org(most=3, invalid=("0", "5"))

    assert await org.takes(8) == {0, 5}


async def test_a_record_too_much_for_the_limit_alone_is_its_own_failure():
    org = Org(most=0)

    assert await org.takes(4) == {0, 1, 2, 3}
    assert org.batch.salesforce.sizes.of("Contact update") == MOST_RECORDS


@pytest.mark.parametrize(
    ("code", "kind", "wait_s"),
    [
        ("STORAGE_LIMIT_EXCEEDED", Unavailable, 60.0),
        ("REQUEST_LIMIT_EXCEEDED", Unavailable, 300.0),
        ("SERVER_UNAVAILABLE", Unavailable, 60.0),
        ("INVALID_SESSION_ID", Unauthorized, None),
    ],
)
async def test_what_is_refused_for_the_orgs_state_or_our_credential_is_no_records_refusal(code, kind, wait_s):
    told = {"1": RecordRefused(code), "2": OTHERS}

    found = await of_the_org(Org().batch, told)

    assert found["2"] is OTHERS
    assert (type(found["1"]), found["1"].cause, getattr(found["1"], "retry_in_s", None)) == (kind, code, wait_s)


@pytest.mark.parametrize(("created", "kind"), [(True, RecordRefused), (False, Unavailable)], ids=["new", "known"])
async def test_a_full_storage_is_spoken_against_by_a_new_record_that_was_taken_alone(created, kind):
    told = {"1": RecordRefused("STORAGE_LIMIT_EXCEEDED"), "2": Written("2", created, {}, {})}

    assert type((await of_the_org(Org().batch, told))["1"]) is kind
