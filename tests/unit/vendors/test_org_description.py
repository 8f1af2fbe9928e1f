"""What the org says of its fields goes before what the mapping assumes; what it does not say changes nothing."""

import base64
import json

import pytest

from app.sync.mappings.codecs import FieldLimits, Unfit
from app.sync.mappings.states import STATE
from app.sync.mappings.table import Direction, OnConflict, Row, Table
from app.sync.model import Kind, Side
from app.vendors.salesforce.org_description import OrgMappings, cut_down, fitted
from tests.build import SHIPPED, a_row

D, S = Side.DRCHRONO, Side.SALESFORCE
COUNTRIES = [{"value": code, "label": name, "active": True} for code, name in (("AU", "Australia"), ("CA", "Canada"))]
COUNTRIES += [{"value": f"Z{at}", "label": f"Land {at}", "active": True} for at in range(8)]
COUNTRIES += [{"value": "US", "label": "United States", "active": True}]


def valid_for(country):
    place = next(at for at, one in enumerate(COUNTRIES) if one["value"] == country)
    bits = bytearray(2)
    bits[place // 8] |= 0x80 >> place % 8
    return base64.b64encode(bytes(bits)).decode()


def a_state(country, code, label, **more):
    return {"value": code, "label": label, "active": True, "validFor": valid_for(country), **more}


def a_table(*rows, **constants):
    return Table(Kind.PATIENT, "/api/patients", "Contact", "Key__c", {row.name: row for row in rows}, constants)


def a_state_row(place="MailingState"):
    names = {D: "state", S: place}
    return Row("state", names, STATE, a_row().options, Direction.BOTH, Side.SALESFORCE, OnConflict.OWNER, False)


def described(*states, countries=COUNTRIES, beside=()):
    code = {"name": "MailingStateCode", "type": "picklist", "picklistValues": list(states)}
    country = {"name": "MailingCountryCode", "type": "picklist", "picklistValues": countries}
    return {"fields": [{"name": "MailingState", "type": "string", "length": 80}, code, country, *beside]}


def sent(table, said, **fields):
    raw, refused = fitted(table, said).write(S, fields)
    return refused or raw


@pytest.mark.parametrize(
    ("field", "codec", "value", "comes_to"),
    [
        ({"type": "string", "length": 5}, "text", "six letters", "too_long"),
        ({"type": "string", "length": 5}, "text", "five!", {"note__c": "five!"}),
        ({"type": "picklist", "restrictedPicklist": True}, "text", "Blue", "not_in_picklist"),
        ({"type": "picklist", "restrictedPicklist": True}, "text", "Old", "not_in_picklist"),
        ({"type": "picklist", "restrictedPicklist": True}, "text", "Red", {"note__c": "Red"}),
        ({"type": "picklist", "restrictedPicklist": False}, "text", "Blue", {"note__c": "Blue"}),
        ({"type": "double", "precision": 5, "scale": 2}, "number", "1000", "number_out_of_range"),
        ({"type": "double", "precision": 5, "scale": 2}, "number", "-999.99", {"note__c": -999.99}),
        ({"type": "double", "precision": 18, "scale": 0}, "number", "0.5", "too_many_decimals"),
        ({"type": "currency", "precision": 18, "scale": 2}, "number", "10.005", "too_many_decimals"),
        ({"type": "int", "digits": 3}, "number", "1000", "number_out_of_range"),
        ({"type": "double", "precision": 0, "scale": 0}, "number", "12.5", {"note__c": 12.5}),
        ({"nillable": False, "createable": True, "defaultedOnCreate": False}, "text", None, "required_by_salesforce"),
        ({"nillable": False, "createable": True, "defaultedOnCreate": True}, "text", None, {"note__c": None}),
    ],
)
def test_what_a_field_does_not_take_is_left_out_by_name_and_the_rest_travels(field, codec, value, comes_to):
    listed = [{"value": "Red", "label": "Rot", "active": True}, {"value": "Old", "label": "Old", "active": False}]
    said = {"fields": [{"name": "note__c", "picklistValues": listed, **field}]}
    table = fitted(a_table(a_row(codec=codec), a_row("other")), said)

    raw, refused = table.write(S, {"note": value, "other": "as ever"})

    assert (refused or {"note__c": raw["note__c"]}) == ({"note": comes_to} if isinstance(comes_to, str) else comes_to)
    assert raw["other__c"] == "as ever"
    assert table.write(D, {"note": value or ""})[1] == {}, "it is Salesforce's word alone"


def test_a_state_is_sent_by_its_code_with_the_country_it_is_in():
    table = a_table(a_state_row())
    said = described(
        a_state("AU", "WA", "Western Australia"),
        a_state("US", "WA", "Washington"),
        a_state("CA", "ON", "Ontario"),
        a_state("US", "GU", "Guam", active=False),
    )

    assert sent(table, said, state="WA") == {"MailingStateCode": "WA", "MailingCountryCode": "US"}
    assert sent(table, said, state="Ontario") == {"MailingStateCode": "ON", "MailingCountryCode": "CA"}
    assert sent(table, said, state=None) == {"MailingStateCode": None}
    assert [sent(table, said, state=one) for one in ("GU", "Western Australia")] == [{"state": "state_not_listed"}] * 2


def test_a_state_is_read_by_the_name_that_the_org_has_for_it():
    table = fitted(a_table(a_state_row()), described(a_state("US", "NY", "Nueva York")))

    read = table.read(S, "003SYN000000001YBA", {"MailingState": "Nueva York"}, version="", confirmed=True)

    assert read.fields == {"state": "NY"}
    assert table.write(D, read.fields) == ({"state": "NY"}, {})


def test_a_state_without_its_countries_is_known_by_its_name():
    bare = [{"value": "WA", "label": "Western Australia"}, {"value": "NY", "label": "New York"}]
    table = a_table(a_state_row())

    assert sent(table, described(*bare), state="NY") == {"MailingStateCode": "NY", "MailingCountryCode": "US"}
    assert sent(table, described(*bare, countries=[]), state="NY") == {"MailingStateCode": "NY"}
    assert sent(table, described(*bare), state="WA") == {"state": "state_not_listed"}


@pytest.mark.parametrize(("name", "value"), [("MailingCountry", "Canada"), ("MailingCountryCode", "CA")])
def test_the_country_of_the_mappings_constant_is_the_one_that_is_written(name, value):
    table = a_table(a_state_row(), **{name: value})
    said = described(a_state("US", "NY", "New York"), a_state("CA", "ON", "Ontario"))

    assert sent(table, said, state="ON") == {"MailingStateCode": "ON", name: value}
    assert sent(table, said, state="NY") == {"state": "state_not_listed"}


def test_a_country_that_is_mapped_itself_is_not_written_beside():
    country = a_row("country")
    country.names[S] = "MailingCountry"

    assert sent(a_table(a_state_row(), country), described(a_state("US", "NY", "New York")), state="NY") == {
        "MailingStateCode": "NY"
    }


@pytest.mark.parametrize(("values", "written"), [(["NY", "NJ"], "NY"), (["New York", "New Jersey"], "New York")])
def test_a_picklist_of_the_orgs_own_takes_the_form_that_it_holds(values, written):
    listed = [{"value": value, "active": True} for value in values]
    said = {"fields": [{"name": "Region__c", "type": "picklist", "restrictedPicklist": True, "picklistValues": listed}]}
    table = a_table(a_state_row("Region__c"))

    assert sent(table, said, state="NY") == {"Region__c": written}
    assert sent(table, said, state="CT") == {"state": "state_not_listed"}


def test_what_is_kept_of_a_description_says_the_same_and_no_more():
    said = described(a_state("US", "NY", "New York"), beside=[{"name": "Secret__c", "type": "string", "length": 10}])
    table = a_table(a_state_row())

    kept = json.loads(json.dumps(cut_down(table, said)))

    assert fitted(table, kept).rows["state"].options.limits == fitted(table, said).rows["state"].options.limits
    assert "Secret__c" not in str(kept)


def test_a_mapping_widens_again_with_the_org_and_is_the_files_where_that_says_nothing():
    mappings = OrgMappings({Kind.PATIENT: SHIPPED})

    def limit(said):
        mappings.fit(said)
        return mappings[Kind.PATIENT].rows["city"].options.limits

    city = {"name": "MailingCity", "type": "string"}
    told = [limit({"Contact": {"fields": [{**city, "length": length}]}}) for length in (20, 30)]

    assert ([one.length for one in told], limit({})) == ([20, 30], FieldLimits())
    assert mappings[Kind.PATIENT] is SHIPPED


@pytest.mark.parametrize("value", [True, {"Key__c": "1"}, None])
def test_a_limit_of_texts_and_numbers_says_nothing_of_other_values(value):
    assert FieldLimits(length=1, digits=(1, 0)).taken("a", value) == {"a": value}


def test_a_limit_names_no_value():
    with pytest.raises(Unfit, match=r"^too_long$"):
        FieldLimits(length=1).taken("a", "Canary")
