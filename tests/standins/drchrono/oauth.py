"""The OAuth pages: consent in a browser, and the token and revocation URLs.

As in DrChrono's fork of its OAuth library, a bad client or redirect URI ends on a page of its own, never in a
redirect, and every refusal at the token URL is a 401 unless a setting says otherwise. Whoever is suspended gets no
further than a page that says so; that it is so is inferred.
"""

from base64 import b64decode
from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.standins.drchrono.state import State, state_of

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
ASKED = ("response_type", "client_id", "redirect_uri", "scope", "state")

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Authorize - DrChrono stand-in</title></head>
<body><h1>Authorize this application?</h1>
<p>Signed in as <strong>{username}</strong>.</p>
<p>It asks for: <code>{scope}</code></p>
<form method="post" action="/o/authorize/">{hidden}
<p><label>Or be somebody else: <select name="user">{users}</select></label></p>
<button type="submit" name="allow" value="Authorize">Allow</button>
<button type="submit" name="cancel" value="Cancel">Cancel</button>
</form></body></html>"""
SUSPENDED = "<!DOCTYPE html><html><body><h1>Your account is suspended</h1></body></html>"
WRONG = "<!DOCTYPE html><html><body><h1>Error: invalid_request</h1><p>{}</p></body></html>"


async def form_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))


def _registered(state: State, client_id: str, uri: str) -> bool:
    """With none registered any loopback URI will do: tests do not know their port beforehand."""
    if uris := state.redirect_uris(client_id):
        return uri in uris
    return urlsplit(uri).hostname in LOOPBACK


def _complaint(state: State, asked: dict[str, str]) -> Response | None:
    if asked.get("client_id") not in state.secrets:
        return HTMLResponse(WRONG.format("Invalid client_id parameter value."), 400)
    if not _registered(state, asked["client_id"], asked.get("redirect_uri", "")):
        return HTMLResponse(WRONG.format("Mismatching redirect URI."), 400)
    if asked.get("response_type") != "code":
        return _back(asked, error="unsupported_response_type")
    return None


def _back(asked: dict[str, str], **answer: str) -> Response:
    if asked.get("state"):
        answer["state"] = asked["state"]
    uri = asked["redirect_uri"]
    return RedirectResponse(f"{uri}{'&' if urlsplit(uri).query else '?'}{urlencode(answer)}", 302)


async def ask(request: Request) -> Response:
    state, asked = state_of(request), dict(request.query_params)
    if (complaint := _complaint(state, asked)) is not None:
        return complaint
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(asked[name])}">' for name in ASKED if name in asked
    )
    people = state.people
    if people.in_browser in people.suspended:
        return HTMLResponse(SUSPENDED, 403)
    username = escape(people.users[people.in_browser]["username"])
    users = "".join(
        f'<option value="{key}"{" selected" if key == people.in_browser else ""}>{escape(user["username"])}</option>'
        for key, user in people.users.items()
    )
    scope = escape(asked.get("scope", "everything"))
    return HTMLResponse(PAGE.format(username=username, scope=scope, hidden=hidden, users=users))


async def decide(request: Request) -> Response:
    state, asked = state_of(request), await form_of(request)
    if (complaint := _complaint(state, asked)) is not None:
        return complaint
    user = asked.get("user") or state.people.in_browser
    if user not in state.people.users or user in state.people.suspended:
        return HTMLResponse(SUSPENDED, 403)
    if "allow" not in asked:
        return _back(asked, error="access_denied")
    code = state.allow(asked["redirect_uri"], asked.get("scope", ""), user, asked["client_id"])
    return _back(asked, code=code)


def _client(state: State, request: Request, form: dict[str, str]) -> str | None:
    """Gives which application this is, when it knows its own secret."""
    client_id, secret = form.get("client_id", ""), form.get("client_secret")
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = b64decode(encoded).decode().partition(":")
        except ValueError:
            return None
    return client_id if secret is not None and state.secrets.get(client_id) == secret else None


async def token(request: Request) -> Response:
    state, form = state_of(request), await form_of(request)
    settings, client = state.settings, _client(state, request, form)
    if client is None:
        return JSONResponse({"error": "invalid_client"}, 401)
    match form.get("grant_type"):
        case "authorization_code":
            code, uri = form.get("code", ""), form.get("redirect_uri", "")
            answer = state.tokens.exchange(code, uri, settings.expires_in, client, alone=settings.reauthorize_revokes)
        case "refresh_token":
            old, rotate = form.get("refresh_token", ""), settings.refresh_gives_refresh_token
            answer = state.tokens.refresh(old, settings.expires_in, client, rotate=rotate)
        case _:
            # The vendor's errors article lists a wrong grant_type under invalid_client.
            return JSONResponse({"error": "invalid_client"}, 401)
    if answer is None:
        return JSONResponse({"error": "invalid_grant"}, settings.grant_error_status)
    return JSONResponse({name: value for name, value in answer.items() if name != "scope" or settings.token_scope_key})


async def revoke(request: Request) -> Response:
    state, form = state_of(request), await form_of(request)
    if (client := _client(state, request, form)) is None:
        return JSONResponse({"error": "invalid_client"}, 401)
    state.tokens.revoke(form.get("token", ""), client)
    return Response()


routes = [
    Route("/o/authorize/", ask, methods=["GET"]),
    Route("/o/authorize/", decide, methods=["POST"]),
    Route("/o/token/", token, methods=["POST"]),
    Route("/o/revoke_token/", revoke, methods=["POST"]),
]
