"""Our Salesforce client against the stand-in: every call we make, and every way it may end."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest
import requests
from requests.adapters import BaseAdapter

from app.errors import OutcomeUnknown, Rejected, Unauthorized, Unavailable
from app.vendors.rate_limit.concurrency import TOO_MANY, ConcurrencySlots
from app.vendors.rate_limit.salesforce import SalesforceRateLimit, _Unkept
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.wire import RecordRefused, Saved

KEY = "DrChrono_Patient_Id__c"
FIELDS = ("FirstName", "LastName", "Email")


async def test_records_are_read_by_id_by_external_id_and_by_birth_date_in_one_call(salesforce, org):
    first = org.control.post("/_control/records/Contact", json={"LastName": "A", "DrChrono_Patient_Id__c": "1"}).json()
    for who in ({"Birthdate": "1980-01-01"}, {"Birthdate": "1980-01-02"}, {"Birthdate": "1980-01-01", KEY: "2"}):
        org.control.post("/_control/records/Contact", json={"LastName": "C", **who}).raise_for_status()
    org.control.post("/_control/records/Contact", json={"LastName": "B", "DrChrono_Patient_Id__c": "it's \\ 2"})

    org.control.delete("/_control/calls")
    keys, born = ["it's \\ 2", "absent"], ("Birthdate", {date(1980, 1, 1)})
    found = await salesforce.read("Contact", FIELDS, KEY, [first["Id"]], keys, born)

    assert sorted(record["LastName"] for record in found) == ["A", "B", "C"]
    assert sum("/query" in call["path"] for call in org.control.get("/_control/calls").json()["calls"]) == 1
    assert all(record["SystemModstamp"] for record in found)


async def test_a_list_too_long_for_one_address_is_read_in_parts(salesforce, org):
    ids = [f"{n:03d}" + "x" * 60 for n in range(200)]
    org.control.post("/_control/records/Contact", json={"LastName": "Last", "DrChrono_Patient_Id__c": ids[-1]})

    found = await salesforce.read("Contact", FIELDS, "DrChrono_Patient_Id__c", [], ids)

    assert [record["LastName"] for record in found] == ["Last"]


async def test_a_crowd_is_read_and_searched_for_by_as_few_addresses_as_hold_it(salesforce, org):
    charts, days = (
        [str(100_000_000 + n) for n in range(5_000)],
        [date(1950, 1, 1) + timedelta(days=n) for n in range(5_000)],
    )
    for chart in (charts[0], charts[-1]):
        org.control.post("/_control/records/Contact", json={"LastName": chart, "DrChrono_Patient_Id__c": chart})
    for day in (days[0], days[-1]):
        org.control.post("/_control/records/Contact", json={"LastName": "Born", "Birthdate": day.isoformat()})
    org.control.delete("/_control/calls")

    found = await salesforce.read("Contact", FIELDS, KEY, [], charts, ("Birthdate", days))

    assert sorted(one["LastName"] for one in found) == [charts[0], charts[-1], "Born", "Born"]
    counts = org.control.get("/_control/calls").json()["counts"]
    assert sum(count for call, count in counts.items() if "/query" in call) == 11


async def test_an_upsert_answers_for_each_record_in_order(salesforce):
    records = [{"DrChrono_Patient_Id__c": "1", "LastName": "A"}, {"DrChrono_Patient_Id__c": "2", "FirstName": "NoLast"}]

    first, second = await salesforce.upsert("Contact", "DrChrono_Patient_Id__c", records)

    assert (type(first), first.created) == (Saved, True)
    assert second == RecordRefused("REQUIRED_FIELD_MISSING", ("LastName",))


async def test_an_update_by_id_of_a_deleted_record_is_refused_and_brings_nothing_back(salesforce, org):
    contact = org.control.post("/_control/records/Contact", json={"LastName": "A"}).json()["Id"]
    org.control.delete(f"/_control/records/Contact/{contact}")

    (answer,) = await salesforce.update("Contact", [{"id": contact, "LastName": "B"}])

    assert isinstance(answer, RecordRefused)
    assert org.control.get("/_control/records/Contact").json()["records"] == []


async def test_an_alert_type_duplicate_rule_does_not_stop_a_keyed_create_but_a_blocking_one_does(salesforce, org):
    same = {"LastName": "A", "FirstName": "B", "Birthdate": "1980-01-01"}
    org.control.post("/_control/records/Contact", json=same)

    org.control.put("/_control/settings", json={"duplicate_rule": "alert"})
    (alerted,) = await salesforce.upsert("Contact", "DrChrono_Patient_Id__c", [{"DrChrono_Patient_Id__c": "1", **same}])
    org.control.put("/_control/settings", json={"duplicate_rule": "block"})
    (blocked,) = await salesforce.upsert("Contact", "DrChrono_Patient_Id__c", [{"DrChrono_Patient_Id__c": "2", **same}])

    assert isinstance(alerted, Saved)
    assert blocked == RecordRefused("DUPLICATES_DETECTED")


@pytest.mark.parametrize(
    ("fault", "on_read", "on_write"),
    [
        ({"do": "error", "status": 503, "body": [{"errorCode": "SERVER_UNAVAILABLE"}]}, Unavailable, Unavailable),
        ({"do": "error", "status": 500, "body": [{"errorCode": "UNKNOWN_EXCEPTION"}]}, Unavailable, OutcomeUnknown),
        ({"do": "error", "status": 502, "body": "<html>bad gateway</html>"}, Unavailable, OutcomeUnknown),
        ({"do": "throttle"}, Unavailable, Unavailable),
        ({"do": "error", "status": 400, "body": [{"errorCode": "INVALID_FIELD"}]}, Rejected, Rejected),
        ({"do": "error", "status": 403, "body": [{"errorCode": "API_DISABLED_FOR_ORG"}]}, Unauthorized, Unauthorized),
        ({"do": "drop_before"}, Unavailable, OutcomeUnknown),
        ({"do": "drop_after_commit"}, Unavailable, OutcomeUnknown),
        ({"do": "error", "status": 200, "body": "<html>maintenance</html>"}, None, OutcomeUnknown),
    ],
    ids=["503", "500", "html-502", "limits", "400", "disabled", "dropped", "dropped-after", "html-200"],
)
async def test_every_bad_answer_becomes_one_of_our_errors(salesforce, org, fault, on_read, on_write):
    record = [{"DrChrono_Patient_Id__c": "1", "LastName": "A"}]
    if on_read is not None:
        org.control.post("/_control/faults", json={"match": "GET /services/data", "next": 1, **fault})
        with pytest.raises(on_read):
            await salesforce.read("Contact", FIELDS, "DrChrono_Patient_Id__c", [], ["1"])
    org.control.post("/_control/faults", json={"match": "PATCH /services/data", "next": 1, **fault})

    with pytest.raises(on_write):
        await salesforce.upsert("Contact", "DrChrono_Patient_Id__c", record)


async def test_a_port_nobody_listens_on_is_unavailable_and_never_unknown(client_of):
    client = client_of(login_url="https://127.0.0.1:9")
    await client.broker.replace({"access_token": "t", "instance_url": "https://127.0.0.1:9"})

    with pytest.raises(Unavailable):
        await client.upsert("Contact", "DrChrono_Patient_Id__c", [{"DrChrono_Patient_Id__c": "1"}])


async def test_an_object_is_described_with_its_fields(salesforce):
    described = await salesforce.describe("Contact")

    fields = {field["name"]: field for field in described["fields"]}
    assert described["name"] == "Contact"
    assert fields["DrChrono_Patient_Id__c"]["externalId"] is True
    assert fields["LastName"]["nillable"] is False


@pytest.mark.parametrize("name", ["Nothing__c", "Contact"], ids=["there is none", "hidden from us"])
async def test_an_object_we_do_not_see_is_none(salesforce, org, name):
    org.control.patch("/_control/objects/Contact", json={"hidden": True})

    assert await salesforce.describe(name) is None


async def test_the_days_calls_are_told_as_allowed_and_left(salesforce, org):
    org.control.put("/_control/settings", json={"daily_calls": 1000})

    most, before = await salesforce.daily_calls()
    _, after = await salesforce.daily_calls()

    assert (most, after) == (1000, before - 1)


@pytest.mark.parametrize("offered", [["66.0", "67.0"], ["59.0"]], ids=str)
async def test_the_versions_an_org_offers_are_told_oldest_first(client_of, org, offered):
    salesforce = client_of()
    await salesforce.broker.current()
    org.control.put("/_control/settings", json={"versions": offered})

    assert await salesforce.versions() == tuple(offered)


ASKING = {
    "describe": ("GET /services/data/v67.0/sobjects", lambda client: client.describe("Contact")),
    "daily calls": ("GET /services/data/v67.0/limits", lambda client: client.daily_calls()),
    "versions": ("GET /services/data", lambda client: client.versions()),
}


@pytest.mark.parametrize(
    ("what", "fault", "expected"),
    [
        ("describe", {"status": 503, "body": [{"errorCode": "SERVER_UNAVAILABLE"}]}, Unavailable),
        ("describe", {"status": 400, "body": [{"errorCode": "INVALID_TYPE"}]}, Rejected),
        ("describe", {"status": 200, "body": {}}, Unavailable),
        ("describe", {"status": 200, "body": {"fields": "none"}}, Unavailable),
        ("describe", {"status": 200, "body": []}, Unavailable),
        ("daily calls", {"status": 503, "body": [{"errorCode": "SERVER_UNAVAILABLE"}]}, Unavailable),
        ("daily calls", {"status": 200, "body": {}}, Unavailable),
        ("daily calls", {"status": 200, "body": {"DailyApiRequests": {"Max": "many"}}}, Unavailable),
        ("daily calls", {"status": 200, "body": []}, Unavailable),
        ("versions", {"status": 200, "body": {"version": "67.0"}}, Unavailable),
        ("versions", {"status": 200, "body": [{"label": "none"}]}, Unavailable),
        ("versions", {"status": 200, "body": ["67.0"]}, Unavailable),
        ("versions", {"status": 502, "body": "<html>bad gateway</html>"}, Unavailable),
        pytest.param("versions", {"status": 503, "body": [{"errorCode": "SERVER_UNAVAILABLE"}]}, Unavailable),
    ],
    ids=lambda value: f"{value['status']}-{str(value['body'])[:24]}" if isinstance(value, dict) else None,
)
async def test_a_question_about_the_org_that_is_answered_badly_is_an_error_of_ours(
    salesforce, org, what, fault, expected
):
    match, ask = ASKING[what]
    org.control.post("/_control/faults", json={"match": match, "do": "error", "next": 1, **fault})

    with pytest.raises(expected):
        await ask(salesforce)


async def test_records_without_external_id_are_found_by_their_birth_date(salesforce, org):
    for number in range(3):
        who = {"Birthdate": f"1980-01-0{number + 1}", "LastName": f"Test{number}"}
        org.control.post("/_control/records/Contact", json=who).raise_for_status()
    org.control.post("/_control/records/Contact", json={"LastName": "Named", "Birthdate": "1980-01-01", KEY: "9"})
    born = {date(1980, 1, 1), date(1980, 1, 3)}

    found = await salesforce.read("Contact", ["LastName"], KEY, [], [], ("Birthdate", born))

    assert sorted(one["LastName"] for one in found) == ["Test0", "Test2"]


async def test_the_first_records_of_a_condition_are_given_in_an_order_each_field_once(salesforce, org):
    for name in ("Lovell_", "Lovell", "Lowell"):
        org.control.post("/_control/records/Contact", json={"LastName": name, KEY: name}).raise_for_status()

    low = await salesforce.select("Contact", ["LastName", "LastName"], "LastName LIKE 'Lo%'", ["LastName", "Id"], 2)
    plain = await salesforce.select("Contact", ["LastName"], "LastName LIKE 'Lovell\\_%'", ["Id"], 2)

    assert [one["LastName"] for one in low] == ["Lovell", "Lovell_"]
    assert [one["LastName"] for one in plain] == ["Lovell_"]


class Silent(BaseAdapter):
    """A wire on which nothing comes back."""

    def send(self, request, **_):
        raise requests.ReadTimeout(request=request)

    def close(self):
        pass


class OverSilence(Salesforce):
    def _library(self, token):
        library = super()._library(token)
        library.session.mount("https://", Silent())
        return library


async def test_calls_nobody_answers_keep_their_places_and_hold_back_the_next(client_of):
    signed_in = client_of()
    await signed_in.broker.current()
    budget = SalesforceRateLimit("salesforce", _Unkept(), 1.0, ConcurrencySlots(2, 600.0))
    store = signed_in.broker._store
    client = OverSilence(signed_in._grant, store, signed_in._context, "67.0", lambda *_line, **_rest: None, budget)

    given_up = await asyncio.gather(*(client.describe("Contact") for _ in range(2)), return_exceptions=True)
    with pytest.raises(Unavailable, match=TOO_MANY) as raised:
        await client.upsert("Contact", KEY, [{KEY: "1", "LastName": "A"}])

    assert [error.code for error in given_up] == ["ReadTimeout"] * 2
    assert 590 < raised.value.retry_in_s <= 600
    budget.places.close()


def enter(org, **fields):
    return org.control.post("/_control/records/Contact", json={"LastName": "Sample", **fields}).json()["Id"]


LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


async def test_what_has_changed_comes_in_the_order_of_its_change_the_deleted_too(salesforce, org):
    first, second, third = (enter(org, LastName=name) for name in "ABC")
    org.control.patch(f"/_control/records/Contact/{first}", json={"LastName": "A again"})
    org.control.delete(f"/_control/records/Contact/{second}")

    found = await salesforce.changed("Contact", LONG_AGO, None, FIELDS)

    assert sorted(one["Id"] for one in found) == sorted([first, second, third])
    stamps = [one["SystemModstamp"] for one in found]
    assert stamps == sorted(stamps)
    assert {one["Id"]: one["IsDeleted"] for one in found} == {first: False, second: True, third: False}


async def test_what_comes_behind_a_record_leaves_it_out_and_loses_none_of_its_own_moment(salesforce, org):
    org.control.put("/_control/settings", json={"stamp_ms": 60_000})
    ids = sorted(enter(org) for _ in range(4))
    whole = await salesforce.changed("Contact", LONG_AGO, None, FIELDS)
    place = (whole[1]["SystemModstamp"], whole[1]["Id"])

    behind = await salesforce.changed("Contact", LONG_AGO, place, FIELDS)

    assert [one["Id"] for one in whole] == ids
    assert [one["Id"] for one in behind] == [one["Id"] for one in whole[2:]]


async def test_what_changed_earlier_or_concerns_others_is_left_out(salesforce, org):
    enter(org)
    ticked = enter(org, Sync_To_DrChrono__c=True)

    concerned = await salesforce.changed("Contact", LONG_AGO, None, FIELDS, "(Sync_To_DrChrono__c = true)")
    later = await salesforce.changed("Contact", datetime(2200, 1, 1, tzinfo=UTC), None, FIELDS)

    assert ([one["Id"] for one in concerned], later) == ([ticked], [])


async def test_what_was_deleted_for_good_is_told_for_some_days(salesforce, org):
    contact = enter(org)
    org.control.delete(f"/_control/records/Contact/{contact}")
    org.control.post("/_control/purge")
    now = datetime.now(UTC)

    assert await salesforce.gone("Contact", now - timedelta(days=1), now + timedelta(minutes=1)) == [contact]


async def test_a_list_of_the_deleted_that_begins_too_late_is_no_list(salesforce, org):
    late = {"deletedRecords": [], "earliestDateAvailable": "2200-01-01T00:00:00.000+0000"}
    fault = {"match": "GET /services/data/v67.0/sobjects/Contact/deleted", "do": "error", "status": 200, "body": late}
    org.control.post("/_control/faults", json=fault)
    now = datetime.now(UTC)

    assert await salesforce.gone("Contact", now - timedelta(days=1), now) is None


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"do": "error", "status": 503, "body": [{"errorCode": "SERVER_UNAVAILABLE"}]}, Unavailable),
        ({"do": "error", "status": 400, "body": [{"errorCode": "INVALID_REPLICATION_DATE"}]}, Rejected),
        ({"do": "throttle"}, Unavailable),
        ({"do": "drop_before"}, Unavailable),
        ({"do": "error", "status": 200, "body": "<html>maintenance</html>"}, Unavailable),
        ({"do": "error", "status": 200, "body": {"records": None, "deletedRecords": []}}, Unavailable),
    ],
    ids=["503", "400", "limits", "dropped", "html", "shape"],
)
async def test_every_bad_answer_to_what_changed_or_is_gone_is_one_of_our_errors(salesforce, org, fault, expected):
    now = datetime.now(UTC)
    for match in ("GET /services/data/v67.0/queryAll", "GET /services/data/v67.0/sobjects/Contact/deleted"):
        org.control.post("/_control/faults", json={"match": match, **fault})

    with pytest.raises(expected):
        await salesforce.changed("Contact", LONG_AGO, None, FIELDS)
    with pytest.raises(expected):
        await salesforce.gone("Contact", now - timedelta(days=1), now)
