"""The control door to people, offices and tokens: who presses Allow, what each may do, who is a doctor, what is live.

JSON, no sign-in, as with the rest of the control door.
"""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.standins.calls import CONTROL
from tests.standins.drchrono.caller import NOT_FOUND
from tests.standins.drchrono.remembered import Record
from tests.standins.drchrono.state import RefusedError, State, state_of


def _known(state: State, user: Any) -> str:
    if str(user) not in state.people.users:
        raise RefusedError(404, NOT_FOUND)
    return str(user)


async def show_users(request: Request) -> Response:
    people = state_of(request).people
    return JSONResponse({"users": people.users, "in_browser": people.in_browser})


async def edit_user(request: Request) -> Response:
    state, given = state_of(request), await request.json()
    user = _known(state, request.path_params["id"])
    return _done(lambda: state.people.change_user(user, given))


async def suspend_user(request: Request) -> Response:
    """`{"suspended": true}`: from now on nothing that was granted to this user is good for anything."""
    state, given = state_of(request), await request.json()
    user = _known(state, request.path_params["id"])
    state.people.suspend(user, is_suspended=bool(given["suspended"]))
    state.tokens.shut_out(user)
    return Response(status_code=204)


async def show_doctors(request: Request) -> Response:
    return JSONResponse({"doctors": state_of(request).people.doctors})


async def hire_doctor(request: Request) -> Response:
    state, given = state_of(request), await request.json()
    return _done(lambda: state.people.add_doctor(given), 201)


async def edit_doctor(request: Request) -> Response:
    state, given = state_of(request), await request.json()
    doctor_id = request.path_params["id"]
    if doctor_id not in state.people.doctors:
        raise RefusedError(404, NOT_FOUND)
    return _done(lambda: state.people.change_doctor(doctor_id, given))


async def show_offices(request: Request) -> Response:
    return JSONResponse({"offices": state_of(request).people.offices})


async def open_office(request: Request) -> Response:
    state, given = state_of(request), await request.json()
    return _done(lambda: state.people.add_office(given), 201)


async def edit_office(request: Request) -> Response:
    state, given = state_of(request), await request.json()
    office_id = request.path_params["id"]
    if office_id not in state.people.offices:
        raise RefusedError(404, NOT_FOUND)
    return _done(lambda: state.people.change_office(office_id, given))


def _done(deed: Callable[[], Record], status: int = 200) -> Response:
    try:
        return JSONResponse(deed(), status)
    except ValueError as error:
        return JSONResponse({"detail": str(error)}, 400)


async def sign_in(request: Request) -> Response:
    """This user is the one in the browser from now on."""
    state, given = state_of(request), await request.json()
    state.people.in_browser = _known(state, given["user"])
    return JSONResponse({"user": state.people.in_browser})


async def press_allow(request: Request) -> Response:
    state, given = state_of(request), await request.json()
    user = _known(state, given.get("user") or state.people.in_browser)
    code = state.allow(given["redirect_uri"], given.get("scope", ""), user, given.get("client_id", ""))
    return JSONResponse({"code": code})


async def show_tokens(request: Request) -> Response:
    """`live` counts the pairs whose refresh token is good, and `users` names whose each is; `?client_id=`: of it."""
    state = state_of(request)
    live = state.tokens.live(request.query_params.get("client_id"))
    users = [state.people.users[pair.user]["username"] for pair in live]
    return JSONResponse({**state.tokens.counts, "live": len(users), "users": users})


async def expire_tokens(request: Request) -> Response:
    state_of(request).tokens.expire()
    return Response(status_code=204)


async def revoke_tokens(request: Request) -> Response:
    state_of(request).tokens.revoke_all()
    return Response(status_code=204)


routes = [
    Route(f"{CONTROL}/users", show_users, methods=["GET"]),
    Route(f"{CONTROL}/users/{{id}}", edit_user, methods=["PUT"]),
    Route(f"{CONTROL}/users/{{id}}/suspended", suspend_user, methods=["PUT"]),
    Route(f"{CONTROL}/doctors", show_doctors, methods=["GET"]),
    Route(f"{CONTROL}/doctors", hire_doctor, methods=["POST"]),
    Route(f"{CONTROL}/doctors/{{id:int}}", edit_doctor, methods=["PUT"]),
    Route(f"{CONTROL}/offices", show_offices, methods=["GET"]),
    Route(f"{CONTROL}/offices", open_office, methods=["POST"]),
    Route(f"{CONTROL}/offices/{{id:int}}", edit_office, methods=["PUT"]),
    Route(f"{CONTROL}/oauth/user", sign_in, methods=["POST"]),
    Route(f"{CONTROL}/oauth/code", press_allow, methods=["POST"]),
    Route(f"{CONTROL}/tokens", show_tokens, methods=["GET"]),
    Route(f"{CONTROL}/tokens/expire", expire_tokens, methods=["POST"]),
    Route(f"{CONTROL}/tokens/revoke", revoke_tokens, methods=["POST"]),
]
