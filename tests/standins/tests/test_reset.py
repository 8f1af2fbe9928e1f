"""After a reset a stand-in is as one that was just made, whatever was done to it: no test leaves the next anything."""

import itertools
import random
from collections import deque
from dataclasses import fields, is_dataclass

import httpx
import pytest

from tests.standins.drchrono.app import create_app as drchrono_app
from tests.standins.salesforce.app import create_app as salesforce_app
from tests.standins.serve import served
from tests.standins.tests.known import CLIENT, LOGIN, PROVIDER, REDIRECT

# beyond a reset, or of the loop it runs in; and time runs on
_MADE_ONCE = {"_kept", "_first_settings", "callback", "_tasks", "_timer", "_last"}


def state_of(one, above=()):
    """Give all that an object holds, as plain values."""
    if id(one) in above or callable(one):
        return "…"
    above = (*above, id(one))
    if isinstance(one, dict):
        return {str(key): state_of(value, above) for key, value in one.items()}
    if isinstance(one, list | tuple | deque):
        return [state_of(value, above) for value in one]
    if isinstance(one, set | frozenset):
        return sorted(str(value) for value in one)
    if isinstance(one, itertools.count):
        return repr(one)
    if isinstance(one, random.Random):
        return one.getstate()
    if is_dataclass(one):
        return {field.name: state_of(getattr(one, field.name), above) for field in fields(one)}
    if type(one).__module__.startswith("tests."):
        names = [name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ())]
        held = {name: getattr(one, name) for name in names} | getattr(one, "__dict__", {})
        return {name: state_of(value, above) for name, value in held.items() if name not in _MADE_ONCE}
    return str(one)


def drchrono_is_used(control, api):
    for path, body in {
        "settings": {"page_size": 3, "list_stale_s": 60.0, "calls_per_hour": 7, "deleted_get": "flagged"},
        "clock": {"offset_s": 90, "hour_s": 20},
        "delivery-policy": {"hold": True, "drop": 0.5, "seed": 7},
    }.items():
        control.put(f"/_control/{path}", json=body).raise_for_status()
    patient = control.post("/_control/patients", json={"first_name": "Ada"}).json()
    control.patch(f"/_control/patients/{patient['id']}", json={"email": "ada@example.com"})
    control.post("/_control/appointments", json={"patient": patient["id"], "scheduled_time": "2026-11-30T09:30:00"})
    control.post("/_control/faults", json={"match": "GET /api/offices", "do": "error"}).raise_for_status()
    asked = {"redirect_uri": REDIRECT, "user": PROVIDER}
    code = control.post("/_control/oauth/code", json=asked).json()["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, **CLIENT}
    token = api.post("/o/token/", data=form).raise_for_status().json()["access_token"]
    api.get("/api/patients", headers={"Authorization": f"Bearer {token}"}).raise_for_status()


def salesforce_is_used(control, api):
    control.put("/_control/settings", json={"daily_calls": 9, "page_rows": 3, "read_only": True}).raise_for_status()
    wanted = {"url": "http://127.0.0.1:9/", "objects": {"Contact": ["Id"]}, "hold": True}
    control.put("/_control/outbound", json=wanted).raise_for_status()
    control.post("/_control/record-faults", json={"object": "Contact", "statusCode": "X"}).raise_for_status()
    made = control.post("/_control/records/Contact", json={"LastName": "Test"}).raise_for_status().json()["Id"]
    control.delete(f"/_control/records/Contact/{made}")
    control.post("/_control/faults", json={"match": "GET /services/data", "do": "error"}).raise_for_status()
    control.patch("/_control/objects/Contact/fields/Email", json={"hidden": True}).raise_for_status()
    token = api.post("/services/oauth2/token", data=LOGIN).raise_for_status().json()["access_token"]
    api.get("/services/data/v62.0/limits", headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize(
    ("create_app", "is_used"),
    [(drchrono_app, drchrono_is_used), (salesforce_app, salesforce_is_used)],
    ids=["drchrono", "salesforce"],
)
def test_a_stand_in_that_was_reset_is_as_one_that_was_just_made(create_app, is_used):
    app, fresh = create_app(), state_of(create_app().state._state)
    with served(app) as here, here.client() as control, httpx.Client(base_url=here.url) as api:
        is_used(control, api)
        used = state_of(app.state._state)

        control.post("/_control/reset").raise_for_status()

        assert state_of(app.state._state) == fresh != used


def test_the_control_door_answers_by_the_short_way_as_over_a_socket():
    with (
        served(salesforce_app()) as here,
        here.client() as short,
        httpx.Client(base_url=here.url) as over_a_socket,
    ):
        for method, path, body in (
            ("POST", "/_control/records/Contact", {"LastName": "Ünï"}),
            ("POST", "/_control/records/Contact", {"NoSuchField": "x"}),
            ("GET", "/_control/records/Contact?deleted=true", None),
            ("DELETE", "/_control/writes", None),
            ("PUT", "/_control/reset", None),
            ("GET", "/_control/none/such", None),
        ):
            answers = [one.request(method, path, json=body) for one in (short, over_a_socket)]

            if method == "POST" and answers[0].is_success:  # each made a record
                continue
            one, other = ((it.status_code, it.headers.get("content-type"), it.content) for it in answers)
            assert one == other
