"""The page of the API: every path with what it does and takes, as the schema that scripts read has it."""

from itertools import groupby
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import Response

from app.operations.sign_in import Caller
from app.web.pages import page, pages_router, reader

router = pages_router("/docs")
_API = "/api/"


@router.get("")
async def show(request: Request, caller: Annotated[Caller, Depends(reader)]) -> Response:
    """Show it, by topic; what is deprecated is left to the schema."""
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    operations = [
        {**each, "method": method.upper(), "path": path, "parameters": _current(each.get("parameters", []))}
        for path, by_method in paths.items()
        for method, each in by_method.items()
        if path.startswith(_API) and not each.get("deprecated")
    ]
    operations.sort(key=_topic)
    return page("reference", caller, topics=[(name, [*found]) for name, found in groupby(operations, _topic)])


def _topic(operation: dict[str, Any]) -> str:
    return str(next(iter(operation.get("tags", [])), "other"))


def _current(parameters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in parameters if not one.get("deprecated")]
