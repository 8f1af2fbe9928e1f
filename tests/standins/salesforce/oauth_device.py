"""The device flow: a program without a browser is given a code, a person enters it and lets the program in.

`POST /_control/device` is that person. A program that asks again sooner than after five seconds, by the org's clock, is
told to slow down, and a code lives for ten minutes. That an expired or unknown code is `invalid_grant` is inferred.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.standins.calls import CONTROL
from tests.standins.salesforce.discovery import base_url
from tests.standins.salesforce.errors import not_found
from tests.standins.salesforce.org import ADMIN, Org
from tests.standins.salesforce.web import answer, body_of, org_of

INTERVAL_S = 5
LIVES_S = 600
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ23456789"
_PENDING = "End-user authorization is pending"


@dataclass(slots=True)
class Device:
    """One program that waits; `user` is who let it in."""

    user_code: str
    client_id: str
    made_at: datetime
    asked_at: datetime | None = None
    user: str = ""
    is_denied: bool = False


def begin(org: Org, request: Request, asked: Mapping[str, str]) -> dict[str, Any]:
    """Gives the codes, and where a person enters one of them."""
    code = "".join(secrets.choice(_LETTERS) for _ in range(8))
    device_code = secrets.token_urlsafe(32)
    org.devices[device_code] = Device(code, asked.get("client_id", ""), org.now())
    address = f"{base_url(request)}/setup/connect"
    return {"user_code": code, "device_code": device_code, "interval": INTERVAL_S, "verification_uri": address}


def refusal(org: Org, asked: Mapping[str, str]) -> tuple[str, str]:
    """OAuth's word for why the program is not let in, and its description; empty once a person has let it in."""
    found = org.devices.get(asked.get("code", ""))
    now = org.now()
    if found is None or found.client_id != asked.get("client_id") or now - found.made_at > timedelta(seconds=LIVES_S):
        return "invalid_grant", "device code is invalid or expired"
    before, found.asked_at = found.asked_at, now
    if found.is_denied:
        return "access_denied", "end-user denied authorization"
    if found.user:
        return "", ""
    if before is not None and now - before < timedelta(seconds=INTERVAL_S):
        return "slow_down", "polling too frequently"
    return "authorization_pending", _PENDING


def user_let_in(org: Org, asked: Mapping[str, str]) -> str:
    """Who let the program in; the code is used up."""
    found: Device = org.devices.pop(asked["code"])
    return found.user


async def decide(request: Request) -> Response:
    """POST: a user (`user`, the administrator unless given) enters the code and allows the program, or denies it."""
    org, asked = org_of(request), await body_of(request)
    for found in org.devices.values():
        if found.user_code == asked.get("user_code"):
            if asked.get("allow", True):
                found.user = org.user_named(asked.get("user", ADMIN))
            else:
                found.is_denied = True
            return Response(status_code=204)
    raise not_found("no such code")


async def waiting(request: Request) -> Response:
    """GET: the codes that nobody has entered yet."""
    devices = org_of(request).devices.values()
    return answer({"user_codes": [one.user_code for one in devices if not one.user and not one.is_denied]})


ROUTES = [
    Route(f"{CONTROL}/device", decide, methods=["POST"]),
    Route(f"{CONTROL}/device", waiting, methods=["GET"]),
]
