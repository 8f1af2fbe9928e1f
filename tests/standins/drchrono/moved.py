"""Calls that have moved: the reference says that some endpoints may answer 302, and does not say which."""

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from tests.standins.drchrono.state import State


class Moved:
    """Middleware: the calls of the setting `moved` are answered where a slash ends their path, and nowhere else."""

    def __init__(self, app: ASGIApp, state: "State") -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._has_moved(scope):
            await self.app(scope, receive, send)
        elif scope["path"].endswith("/"):
            await self.app({**scope, "path": scope["path"].rstrip("/")}, receive, send)
        else:
            query = scope["query_string"].decode("latin-1")
            await RedirectResponse(f"{scope['path']}/{'?' if query else ''}{query}", 302)(scope, receive, send)

    def _has_moved(self, scope: Scope) -> bool:
        return any(
            scope["method"] == method and scope["path"].startswith(prefix)
            for method, prefix in (call.split() for call in self.state.settings.moved)
        )
