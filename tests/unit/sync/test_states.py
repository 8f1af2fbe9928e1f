"""States: two letters and names are the same one, and DrChrono is sent two letters."""

import pytest

from app.sync.mappings.codecs import FieldLimits, Options, Unfit
from app.sync.mappings.states import COUNTRIES, NAMES, STATE, code_of, companions, respelled
from app.sync.model import Side
from tests.build import KEYS, LINK_ID, a_row

D, S = Side.DRCHRONO, Side.SALESFORCE
PLAIN = Options(max_length=80)
LISTED = Options(
    limits=FieldLimits(
        states={"NY": {"MailingStateCode": "NY", "MailingCountryCode": "US"}, None: {"MailingStateCode": None}},
        state_names={"nueva york": "NY"},
    )
)


def test_the_lists_hold_every_state_once():
    assert (len(COUNTRIES["US"]), len(COUNTRIES["CA"]), len(NAMES)) == (63, 13, 76)
    assert all(code_of(name) == code == code_of(code.lower()) for code, name in NAMES.items())
    # DrChrono's own enumeration of states, as its API reference has it
    theirs = "AL AK AS AZ AR AA AE AP CA CO CT DE DC FL GA GU HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH"
    theirs += " NJ NM NY NC ND MP OH OK OR PA PR RI SC SD TN TX UT VT VI VA WA WV WI WY"
    assert {*theirs.split()} <= COUNTRIES["US"].keys()


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("n.y.", "NY"),
        ("  new   YORK ", "NY"),
        ("Québec", "QC"),
        ("Washington, D.C.", "DC"),
        ("Washington", "WA"),
        ("Jalisco", None),
        ("ZZ", None),
    ],
)
def test_a_state_is_known_by_its_letters_and_by_its_names(value, code):
    assert code_of(value) == code


@pytest.mark.parametrize(("one", "other"), [("NY", "New York"), ("ny", "NY"), ("zz", "ZZ"), (None, None)])
def test_the_same_state_is_no_change(one, other):
    assert STATE.normal(one) == STATE.normal(other)


@pytest.mark.parametrize(
    ("one", "other"), [("NY", "NJ"), ("Bayern", "BAYERN"), ("NY", None), ("WA", "Western Australia")]
)
def test_different_states_are_a_change(one, other):
    assert STATE.normal(one) != STATE.normal(other)


def test_a_base_made_of_a_text_of_two_letters_stays_one():
    text = a_row("state").codec
    stamp = KEYS.stamp(LINK_ID, "state", text.version, text.normal("NY"))

    assert KEYS.matches(stamp, LINK_ID, "state", STATE.version, STATE.normal("New York")) is True


@pytest.mark.parametrize(("value", "written"), [("New York", "NY"), ("NY", "NY"), ("zz", "ZZ"), (None, "")])
def test_drchrono_is_sent_two_letters(value, written):
    assert STATE.write(D, value, PLAIN) == written


@pytest.mark.parametrize("value", ["Atlantis", "N", "12", "Nueva York"])
def test_a_state_that_is_in_no_list_does_not_go_to_drchrono(value):
    with pytest.raises(Unfit, match=r"^unknown_state$"):
        STATE.write(D, value, PLAIN)


def test_an_org_without_lists_is_sent_what_stands_there():
    assert [STATE.write(S, value, PLAIN) for value in ("NY", "New York", "Atlantis", None)] == [
        "NY",
        "New York",
        "Atlantis",
        None,
    ]
    assert STATE.read(S, " New York ", PLAIN) == "New York"


def test_an_org_with_lists_is_sent_the_letters_and_read_by_its_own_names():
    assert [STATE.write(S, value, LISTED) for value in ("NY", "New York", "Atlantis")] == ["NY", "NY", "Atlantis"]
    assert [STATE.read(S, value, LISTED) for value in ("Nueva York", "New York", "Bayern")] == [
        "NY",
        "New York",
        "Bayern",
    ]
    assert STATE.read(D, "Nueva York", LISTED) == "Nueva York"


@pytest.mark.parametrize(
    ("field", "first"),
    [
        ("MailingState", ("MailingStateCode", "MailingCountryCode")),
        ("PersonMailingStateCode", ("PersonMailingStateCode", "PersonMailingCountryCode")),
        ("Home__StateCode__s", ("Home__StateCode__s", "Home__CountryCode__s")),
        ("Region__c", ("State", "StateCode")),
    ],
)
def test_the_fields_beside_a_state_are_called_as_salesforce_builds_them(field, first):
    assert companions(field)[:2] == first


def test_only_two_letters_can_be_spelled_out():
    assert [respelled(value) for value in ("NY", "ny", "New York", "Atlantis")] == ["New York", "New York", None, None]


@pytest.mark.parametrize(
    ("place", "blamed"),
    [
        ("MailingState", {"MailingState", "MailingStateCode", "MailingCountry", "MailingCountryCode", "State"}),
        ("MailingCountry", {"MailingCountry", "MailingCountryCode"}),
        ("Region__c", {"Region__c"}),
    ],
)
def test_a_refusal_of_the_field_beside_one_blames_it_whatever_codec_its_row_has(place, blamed):
    row = a_row("place")
    row.names[S] = place

    assert blamed <= {*row.called(S)}
    assert ("State" in row.called(S), row.called(D)) == (place == "MailingState", ("place", "place"))
