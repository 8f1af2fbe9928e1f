"""What a Contact somebody ticked comes to, and what a search for one says."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.sync.create import link_or_create, plan_merge, recheck_unanswered_create
from app.sync.decide import decide
from app.sync.model import Deleted, FieldResolution, PendingWrite, Seen, Side, Snapshot
from app.sync.plan import (
    Create,
    FindCreated,
    Follow,
    Hold,
    Incomplete,
    LinkTo,
    MergeContacts,
    Nothing,
    SettledWrites,
    Wait,
    Write,
)
from tests.build import (
    ABSENT,
    DRCHRONO_ID,
    NOW,
    SALESFORCE_ID,
    UNHEARD,
    a_contact,
    a_link,
    a_snapshot,
    a_ticked_contact,
    rules,
)

D, S = Side.DRCHRONO, Side.SALESFORCE
RULES = replace(rules(), defaults={"doctor": 310001})
GAP = RULES.search_gap
LONE = replace(a_link({}), drchrono_id=None)
CHARTS = [Snapshot(str(number), {}) for number in range(3)]
TAKEN = Hold("chart_of_another_contact", met_id="0")
CREATE = Create(D, {"first_name": "Testa"})


def decided(salesforce, *writes, by=RULES):
    return decide(by, replace(LONE, own_writes=writes), Seen(UNHEARD, salesforce), NOW)


def a_create(settle_at=NOW, stamps=None, **more):
    return PendingWrite("01JCREATE", D, stamps or {}, settle_at, sent="sealed", **more)


def test_a_ticked_contact_is_created_with_what_it_holds_and_a_doctor():
    empty = {"city": None, "doctor": None}

    plan = decided(a_ticked_contact(**empty))

    filled = {n: v for n, v in a_ticked_contact(**empty).fields.items() if v is not None}
    assert plan == Create(D, filled, extra={"doctor": 310001})


def test_a_contacts_own_doctor_goes_before_the_default():
    plan = decided(a_ticked_contact(doctor="310002"))

    assert (plan.fields["doctor"], plan.extra) == ("310002", {})


def test_a_doctor_drchrono_does_not_have_is_not_replaced_by_the_default():
    fields = {name: value for name, value in a_ticked_contact().fields.items() if name != "doctor"}
    plan = decided(Snapshot(SALESFORCE_ID, fields, unreadable={"doctor": "not_linked"}, is_opted_in=True))

    assert (type(plan), plan.refused) == (Incomplete, {"doctor": "not_linked"})


def test_fields_that_only_go_to_salesforce_are_not_sent():
    ticked = Snapshot(SALESFORCE_ID, a_contact().fields, is_opted_in=True)

    assert not {"chart_id", "patient_status"} & decided(ticked).fields.keys()


@pytest.mark.parametrize("box", [True, False])
@pytest.mark.parametrize("created", [True, False])
def test_only_what_is_opted_in_and_can_be_created_is(box, created):
    table = RULES.table
    if not created:
        table = replace(table, rows={name: replace(row, is_required=False) for name, row in table.rows.items()})

    plan = decided(replace(a_ticked_contact(), is_opted_in=box), by=replace(RULES, table=table))

    assert isinstance(plan, Create) is (box and created)


@pytest.mark.parametrize(
    ("lacks", "named"),
    [({"first_name": None}, ("FirstName",)), ({"gender": None, "date_of_birth": None},
      ("Birthdate", "DrChrono_Gender__c"))],
)  # fmt: skip
def test_what_is_missing_is_named_as_salesforce_names_it(lacks, named):
    plan = decided(a_ticked_contact(**lacks))

    assert plan == Incomplete(missing=named)


def test_a_needed_field_that_cannot_be_read_is_refused_not_missing():
    fields = {name: value for name, value in a_ticked_contact().fields.items() if name != "gender"}
    plan = decided(Snapshot(SALESFORCE_ID, fields, unreadable={"gender": "unknown_value"}, is_opted_in=True))

    assert plan == Incomplete(refused={"gender": "unknown_value"})


def test_without_a_default_doctor_the_doctor_is_missing():
    assert decided(a_ticked_contact(doctor=None), by=rules()).missing == ("DrChrono_Doctor__c",)


@pytest.mark.parametrize("salesforce", [a_ticked_contact(), a_contact(), ABSENT], ids=["wished", "names one", "gone"])
def test_a_create_in_the_air_is_looked_for_before_anything_else(salesforce):
    assert decided(salesforce, a_create()) == FindCreated()


@pytest.mark.parametrize("salesforce", [a_ticked_contact(), a_contact(), ABSENT], ids=["wished", "names one", "gone"])
def test_a_chart_our_create_made_is_linked_whatever_became_of_the_contact(salesforce):
    plan = decided(salesforce, a_create(made="77"))

    assert plan == LinkTo("77", settled=SettledWrites(landed=("01JCREATE",)))


@pytest.mark.parametrize(
    ("found", "taken", "plan"),
    [
        ([], (), CREATE),
        (CHARTS[:1], (), LinkTo("0")),
        (CHARTS[:1], ("0",), TAKEN),
        (CHARTS, ("0",), Hold("several_charts")),
    ],
    ids=["none", "one", "another's", "several"],
)
def test_none_creates_one_links_several_hold(found, taken, plan):
    assert link_or_create(CREATE, found, taken) == plan


A_NEW_ONE = FieldResolution("01JWORD", D)


@pytest.mark.parametrize(
    ("found", "word", "plan"),
    [
        ([], None, Hold("chart_not_shown", met_id="7")),
        ([], A_NEW_ONE, CREATE),
        ([], replace(A_NEW_ONE, twin="0"), Hold("chart_not_shown", met_id="7")),
        (CHARTS[:1], None, LinkTo("0")),
        (CHARTS[:1], A_NEW_ONE, LinkTo("0")),
    ],
    ids=["nobody is shown", "a new one is right", "one that is not shown", "one is shown", "one is shown after all"],
)
def test_whose_known_chart_is_not_shown_any_more_is_created_by_a_persons_word_alone(found, word, plan):
    assert link_or_create(CREATE, found, (), ["7"], word) == plan


def a_winner(key="0", **fields):
    return Snapshot("003SYN000000099YBA", {**a_contact().fields, **fields}, key=key)


def test_a_contact_merged_into_its_charts_leaves_that_ones_values_and_fills_what_is_empty_there():
    own = {**a_contact().fields, "city": "Lost", "zip_code": "12345", "patient_status": "active", "doctor": "310002"}
    winner = a_winner(city="Kept", zip_code=None, patient_status=None, doctor=None)

    plan = plan_merge(RULES.table, TAKEN, own, winner)

    assert plan == MergeContacts(winner.id, {"zip_code": "12345"}), "what travels one way, and a reference, is not sent"


@pytest.mark.parametrize("winner", [None, a_winner(key="1"), a_winner(key=None)], ids=["gone", "another's", "nobody's"])
def test_a_contact_is_merged_into_none_but_its_charts(winner):
    assert plan_merge(RULES.table, TAKEN, a_contact().fields, winner) == TAKEN


def a_merge(settle_at):
    return PendingWrite("01JMERGE", S, {}, settle_at)


def test_a_merge_that_may_yet_happen_is_waited_for_and_nothing_is_planned_beside():
    later = NOW + timedelta(seconds=1)

    plan = decided(a_ticked_contact(), a_merge(later))

    assert plan == Wait("write_unsettled", later)


def test_a_merge_that_can_not_happen_any_more_is_lost_and_the_next_look_begins_anew():
    plan = decided(a_ticked_contact(), a_merge(NOW))

    assert plan == Wait("write_unsettled", NOW, settled=SettledWrites(lost=("01JMERGE",)))


@pytest.mark.parametrize("settle_at", [NOW, NOW + timedelta(hours=1)])
def test_a_merge_whose_contact_is_gone_has_happened(settle_at):
    plan = decided(Deleted(a_winner()), a_merge(settle_at))

    assert plan == Nothing(settled=SettledWrites(landed=("01JMERGE",)))


LATE = NOW + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (a_create(), Wait("create_unsettled", NOW + GAP, searched=("01JCREATE",))),
        (a_create(LATE), Wait("create_unsettled", LATE + GAP, searched=("01JCREATE",))),
        (
            a_create(searched_at=NOW - GAP / 2),
            Wait("create_unsettled", NOW + GAP, searched=("01JCREATE",)),
        ),
        (
            a_create(LATE, searched_at=NOW - 2 * GAP),
            Wait("create_unsettled", LATE + GAP, searched=("01JCREATE",)),
        ),
        (
            a_create(NOW - 2 * GAP, searched_at=NOW - GAP),
            Wait("create_unsettled", NOW, settled=SettledWrites(lost=("01JCREATE",))),
        ),
    ],
    ids=["first search", "first, long before the limit", "too soon", "before the limit", "second, late enough"],
)
def test_a_create_is_lost_only_after_two_searches_the_second_late_enough(attempt, expected):
    assert recheck_unanswered_create(RULES, LONE, attempt, [], (), NOW) == expected


SENT = {"first_name": "Testa", "gender": "Male"}


def sent(**more):
    return a_create(**more, stamps={name: (None, RULES.stamp(LONE, name, value)) for name, value in SENT.items()})


def test_a_create_that_is_found_with_all_that_was_sent_has_landed():
    found = [Snapshot("0", {**SENT, "city": "entered since"})]

    assert recheck_unanswered_create(RULES, LONE, sent(), found, (), NOW) == LinkTo(
        "0", settled=SettledWrites(landed=("01JCREATE",))
    )


@pytest.mark.parametrize(
    ("found", "taken"),
    [
        ([Snapshot("0", SENT), Snapshot("1", SENT)], ()),
        ([Snapshot("0", SENT)], ("0",)),
        ([Snapshot("0", {**SENT, "gender": "Female"})], ()),
    ],
    ids=["several", "another's", "not what was sent"],
)
def test_a_create_that_may_not_have_made_what_is_found_agrees_on_nothing_and_is_lost_in_time(found, taken):
    late = sent(settle_at=NOW - 9 * GAP, searched_at=NOW - 9 * GAP)

    plans = [recheck_unanswered_create(RULES, LONE, one, found, taken, NOW) for one in (sent(), late)]

    assert plans == [
        Wait("create_unsettled", NOW + GAP, searched=("01JCREATE",)),
        Wait("create_unsettled", NOW, settled=SettledWrites(lost=("01JCREATE",))),
    ], "whoever wants it begins anew, and the new search holds or links"


def test_a_linked_contact_that_names_nobody_is_told_whose_it_is():
    plan = decide(RULES, a_link(), Seen(UNHEARD, replace(a_contact(), key=None)), NOW)

    assert (type(plan), plan.writes_key, plan.writes) == (Write, True, {})


@pytest.mark.parametrize("heard", [UNHEARD, ABSENT])
def test_a_linked_contact_that_names_another_chart_is_held(heard):
    assert decide(RULES, a_link(), Seen(heard, replace(a_contact(), key="other")), NOW) == Hold("names_another_chart")
    assert a_link().drchrono_id == DRCHRONO_ID


@pytest.mark.parametrize(
    ("key", "plan"),
    [(None, Follow), (DRCHRONO_ID, Follow), ("other", Hold)],
    ids=["nobody's", "its own", "another chart's"],
)
def test_a_link_follows_its_contact_into_one_that_names_no_other_chart(key, plan):
    into = replace(a_contact(), id="003SYN000000099YBA", key=key)

    decided = decide(RULES, a_link(), Seen(a_snapshot(), Deleted(into)), NOW)

    assert decided == (Follow(into) if plan is Follow else Hold("contact_of_another_link"))
