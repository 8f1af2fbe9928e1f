"""The mapping in use: which field goes where, who wins, and what either side says against it."""

from typing import Annotated, Any

from fastapi import Request
from pydantic import BaseModel, Field

from app.operations.mapping import mapping_as_json, mapping_in_use
from app.sync.mappings.table import Direction, OnConflict
from app.sync.model import Kind, Side
from app.web.api.deprecated import NowCalled, with_aliases
from app.web.auth import api_router

router = api_router("mapping")


@with_aliases
class MappingProblem(BaseModel):
    """One thing that does not fit; `red` when records would be refused for it."""

    red: bool
    says: Annotated[str, NowCalled("message")] = Field(
        examples=["Contact.Email takes 40 characters, the mapping lets 80 pass"]
    )
    fix: str = Field(examples=["lengthen the field, or set max_length = 40 in the mapping"])


class FieldRefusal(BaseModel):
    """Records that wait because of a field, as a side names it: `/api/v1/failures?field=` lists them."""

    side: Side
    field: str = Field(examples=["Email"])
    count: int


class LastWeek(BaseModel):
    """What came of a field in the last seven days; `writes`: by the side written to."""

    writes: dict[Side, int]
    refusals: list[FieldRefusal]
    conflicts: int


class FieldMapping(BaseModel):
    """One field on both sides; `types`: what each side says of it, null where it has not."""

    field: str = Field(examples=["email"])
    names: dict[Side, str]
    types: dict[Side, str | None]
    codec: str = Field(examples=["email"])
    direction: Direction
    owner: Side
    on_conflict: OnConflict
    required: bool
    identity: bool
    problems: list[MappingProblem]
    last_week: LastWeek


class KindMapping(BaseModel):
    """The mapping of one kind; `described`: whether the org has said what its object is like."""

    kind: Kind
    object: str = Field(examples=["Contact"])
    external_id: str = Field(examples=["DrChrono_Patient_Id__c"])
    described: bool
    problems: list[MappingProblem]
    fields: list[FieldMapping]


class WholeMapping(BaseModel):
    """The mapping, kind by kind; `ok` when nothing is red."""

    ok: bool
    kinds: list[KindMapping]


@router.get("/mapping", response_model=WholeMapping, summary="The mapping, and what does not fit")
async def show(request: Request) -> Any:
    """Give the mapping with what DrChrono documents and the org last said; no vendor is asked."""
    return mapping_as_json(await mapping_in_use(request.app.state.runtime))
