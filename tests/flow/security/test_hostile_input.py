"""What Python reads and no database or answer carries is the sender's mistake on every route there is, and never ours.

On PostgreSQL, which keeps no NUL; the routes, their paths and their queries are found in the app itself.
"""

import json
import re
from types import UnionType
from typing import Union, get_args, get_origin

import pytest
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel

from app.web.validation import RequestBody
from tests.flow.clinic import OPERATOR, OUTBOUND, SECRET, opened
from tests.flow.security.test_security import EXAMPLES, MOST, PUBLIC, some

BEARER = {"authorization": f"Bearer {OPERATOR}"}
JSON = BEARER | {"content-type": "application/json"}
NUL = "a%00b"
HOSTILE = {"half a letter": "%ED%A0%80", "a long number": "9" * 30, "a long text": "x" * 5000}
# JSON as Python reads it: each is one value
UNFIT = ["NaN", "Infinity", "-Infinity", "1e999", r'"\ud800"', r'"a\udfffb"', r'"\u0000"', r'"a\u0000b"']
PICK = '{"picks": [{"field": %s, "side": %s, "stamps": %s}]}'
BODIES = {
    "/api/v1/patients": ['{"words": %s}', '{"words": "fixture", "after": %s}', '{"words": "fixture", "other": [%s]}'],
    "/api/v1/replay": ['{"ids": [%s]}', '{"ids": ["a", %s]}', '{"ids": %s}'],
    "/api/v1/lanes/live/pause": ['{"reason": %s}', "%s"],
    "/api/v1/held/1/settle": [PICK % (unfit, side, stamps) for unfit, side, stamps in (
        ("%s", '"drchrono"', "{}"), ('"email"', "%s", "{}"), ('"email"', '"drchrono"', "%s"))],
    "/api/v1/held/1/choose": ['{"id": %s}'],
    "/api/v1/held/1/merge": ['{"into": %s}'],
}  # fmt: skip
PATHS_OF_BODIES = [
    pytest.param(path, shape, id=f"{path}-{n}") for path, shapes in BODIES.items() for n, shape in enumerate(shapes)
]


@pytest.fixture
async def clinic(known, empty_vendors):
    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as it:
        yield it


def routes(clinic):
    """Every route, with what it takes."""
    return [(one, getattr(one.original_route, "dependant", None)) for one in iter_route_contexts(clinic.app.routes)]


def taken(dependant, what):
    """Give all that a route and what it depends on take: of queries, or of bodies."""
    return [*getattr(dependant, what), *(one for each in dependant.dependencies for one in taken(each, what))]


def filled(path, **values):
    """Give a path with a value for each of its names."""
    return re.sub(r"\{(\w+)[^}]*\}", lambda name: values.get(name[1], EXAMPLES.get(name[1], "1")), path)


async def broken(clinic, route, address, is_refused):
    """Give the methods by which an address makes an error of ours, or is taken though it is to be refused."""
    statuses = {}
    for method in route.methods or {"GET"}:
        answer = await clinic.web.request(method, address, headers=BEARER)
        if answer.status_code >= 500 or (is_refused and answer.status_code < 400):
            statuses[method, address[:80]] = answer.status_code
    return statuses


async def test_no_path_makes_an_error_of_ours(clinic):
    found = {}
    for route, _ in routes(clinic):
        for name in re.findall(r"\{(\w+)[^}]*\}", route.path):
            for hostile in (NUL, *HOSTILE.values()):
                found |= await broken(clinic, route, filled(route.path, **{name: hostile}), hostile == NUL)

    assert found == {}


@MOST
async def test_no_query_makes_an_error_of_ours(clinic, most):
    found = {}
    for at, (route, dependant) in enumerate(routes(clinic)):
        names = {one.alias for one in taken(dependant, "query_params")} if dependant else set()
        for nth, name in enumerate(sorted(names | {"before"})):
            for hostile in (NUL, *some(HOSTILE, at + nth, most).values()):
                is_refused = hostile == NUL and route.path not in PUBLIC
                found |= await broken(clinic, route, f"{filled(route.path)}?{name}={hostile}", is_refused)

    assert found == {}


async def test_no_form_makes_an_error_of_ours(clinic):
    form = {"content-type": "application/x-www-form-urlencoded"}
    answers = {}
    for route, _ in routes(clinic):
        if "POST" in (route.methods or ()) and not route.path.startswith(("/api/", "/webhooks/")):
            for name in ("reason", "record_id", "pick email", "%00"):
                answer = await clinic.web.post(filled(route.path), content=f"{name}=a%00b", headers=BEARER | form)
                answers[route.path, name] = answer.status_code

    assert {where: status for where, status in answers.items() if status >= 500} == {}
    assert answers["/lanes/{lane}/pause", "reason"] == 400


@pytest.mark.parametrize(("path", "shape"), PATHS_OF_BODIES)
async def test_json_that_no_answer_could_carry_is_the_senders_mistake_and_is_not_told_back(clinic, path, shape):
    answers = {value: await clinic.web.post(path, content=shape % value, headers=JSON) for value in UNFIT}

    assert {answer.status_code for answer in answers.values()} <= {404, 422}
    told = [one for answer in answers.values() if answer.status_code == 422 for one in answer.json()["detail"]]
    assert {frozenset(one) for one in told} <= {frozenset({"loc", "msg", "type"})}
    assert all(answer.text.isascii() for answer in answers.values())


async def test_what_was_sent_is_not_told_back(clinic):
    answer = await clinic.web.post("/api/v1/patients", content=json.dumps({"words": ["Canary"]}), headers=JSON)

    assert (answer.status_code, "Canary" in answer.text) == (422, False)


async def test_a_pause_with_a_nul_in_its_reason_is_refused_in_the_console_and_in_the_api(clinic):
    page = await clinic.web.post("/lanes/live/pause", data={"reason": "an up\0grade"}, headers=BEARER)
    script = await clinic.web.post("/api/v1/lanes/live/pause", json={"reason": "an up\0grade"}, headers=BEARER)

    assert (page.status_code, script.status_code) == (400, 422)


def test_every_body_of_the_api_is_checked(clinic):
    bodies = {one for _, dependant in routes(clinic) if dependant for one in taken_models(dependant)}

    assert len(bodies) >= 6
    assert {one for one in bodies if not issubclass(one, RequestBody)} == set()


def taken_models(dependant):
    return [model for one in taken(dependant, "body_params") for model in models_of(one.field_info.annotation)]


def models_of(annotation):
    if get_origin(annotation) in (Union, UnionType):
        return [one for part in get_args(annotation) for one in models_of(part)]
    return [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []


@pytest.mark.parametrize("name", ["x-drchrono-event", "x-drchrono-delivery"])
async def test_a_header_of_any_letters_is_kept(clinic, name):
    headers = {"x-drchrono-signature": SECRET, "x-drchrono-event": "PATIENT_MODIFY", name: "\xff\x01" * 100}
    answer = await clinic.web.post(
        "/webhooks/drchrono", content=b"{}", headers={k: v.encode("latin-1") for k, v in headers.items()}
    )

    assert answer.status_code == 200


@pytest.mark.parametrize("value", ["%00", "%ED%A0%80", "%FF"])
async def test_an_outbound_token_of_any_bytes_is_a_wrong_one(clinic, value):
    answer = await clinic.web.post(f"/webhooks/salesforce/outbound/{OUTBOUND}{value}", content=b"<a/>")

    assert answer.status_code in (400, 404)
