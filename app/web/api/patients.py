"""Patients: those we know of, and whom a person may mean."""

from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import BaseModel, Field

from app.operations import patients
from app.operations.audit import note_view
from app.operations.labels import record_state
from app.operations.patients import People, Person
from app.ports import Action
from app.runtime import Runtime
from app.web.api.deprecated import NowCalled, either, with_aliases
from app.web.api.records import STATUSES, RecordStatus, Standing
from app.web.auth import Reader, api_router
from app.web.validation import RequestBody

router = api_router("records", "/patients")


@with_aliases
class Patient(BaseModel):
    """A patient, as Salesforce names them at this moment; we store no name."""

    drchrono_id: str | None = Field(examples=["5070101"])
    salesforce_id: str | None = Field(examples=["003SYN0000000015EAA"])
    name: str | None = Field(description="null where Salesforce has not said", examples=["Fenna Fixture"])
    birth_date: str | None = Field(examples=["1980-02-03"])
    chart_id: str | None = Field(examples=["FIFE000001"])
    state: Annotated[Standing | None, NowCalled("status", STATUSES, RecordStatus | None)] = Field(
        description="null where no event was received yet"
    )
    cause: Annotated[str | None, NowCalled("code")] = Field(
        description="why it failed or needs review", examples=["several_contacts"]
    )


class Patients(BaseModel):
    """Patients; `next` leads to the next page, `silence` says why Salesforce named nobody."""

    items: list[Patient]
    total: int | None = Field(
        description="how many we know of, in this state where one is asked for; null for a search"
    )
    next: str | None
    silence: str | None = Field(examples=["Salesforce is not connected, so it was not asked."])


class Search(RequestBody):
    """Whom you look for: words of a name, a birth date, a phone number, an e-mail address, or an id."""

    words: str = Field(examples=["fixture 1980-02-03"])
    after: str | None = Field(None, max_length=4096, description="`next` of the page before")


@router.get("", response_model=Patients, summary="The patients we know of, the last received first")
async def listed(
    request: Request,
    caller: Reader,
    before: Annotated[str | None, Query(pattern="^[0-9A-Za-z]{1,26}$", description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = patients.ON_A_PAGE,
    status: Annotated[RecordStatus | Standing | None, Query(description="only those with this status")] = None,
    state: Annotated[Standing | RecordStatus | None, Query(description="use `status`", deprecated=True)] = None,
) -> Any:
    """Give a page of patients with the state of each; one call of Salesforce names them."""
    runtime: Runtime = request.app.state.runtime
    meant = either(status, state)
    known = record_state(meant.value) if meant else None
    found = await patients.listed(runtime, before, limit, known)
    await note_view(runtime, caller.by, Action.LIST, "patients", patients.ids(found))
    return _page(found, await patients.count(runtime, known))


@router.post("", response_model=Patients, summary="Search patients; the words stay out of every address")
async def searched(request: Request, caller: Reader, sought: Search) -> Any:
    """Give the patients that may be meant, by last name, by one call of Salesforce; it reads, so a viewer may."""
    runtime: Runtime = request.app.state.runtime
    found = await patients.searched(runtime, sought.words, sought.after)
    if found is None:  # too little was said to look for, so nobody was
        return {**_page(People(()), None), "silence": patients.TOO_SHORT}
    await note_view(runtime, caller.by, Action.SEARCH, "patients", patients.ids(found))
    return _page(found, None)


def _page(found: People, total: int | None) -> dict[str, Any]:
    return {
        "items": [_patient(one) for one in found.items],
        "total": total,
        "next": found.next,
        "silence": found.silence and found.silence.text,
    }


def _patient(one: Person) -> dict[str, Any]:
    return {
        "drchrono_id": one.drchrono_id,
        "salesforce_id": one.salesforce_id,
        "name": one.name,
        "birth_date": one.born,
        "chart_id": one.chart,
        "state": one.known and one.known.standing,
        "cause": (one.known and one.known.cause) or None,
    }
