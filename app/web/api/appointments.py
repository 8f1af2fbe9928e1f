"""Appointments by day."""

from datetime import date
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import BaseModel, Field

from app.operations import appointments
from app.operations.appointments import Visit
from app.operations.audit import note_view
from app.ports import Action
from app.runtime import Runtime
from app.web.api.deprecated import NowCalled, with_aliases
from app.web.api.records import STATUSES, RecordStatus, Standing
from app.web.auth import Reader, api_router

router = api_router("records", "/appointments")


@with_aliases
class Appointment(BaseModel):
    """One appointment, as Salesforce holds it at this moment."""

    drchrono_id: str | None = Field(examples=["7010101"])
    salesforce_id: str = Field(examples=["a01SYN0000000015AAA"])
    starts: str | None = Field(description="its doctor's wall clock", examples=["2026-12-01T10:30:00"])
    time_zone: str = Field(examples=["US/Eastern"])
    minutes: str | None = Field(examples=["30"])
    patient: str | None = Field(examples=["Fenna Fixture"])
    doctor: str | None = Field(examples=["Dora Doctor"])
    status: str | None = Field(examples=["Confirmed"])
    deleted: bool = Field(description="it was deleted in DrChrono")
    odd: list[str] = Field(description="what is odd about its hour", examples=[["outside_office_hours"]])
    state: Annotated[Standing | None, NowCalled("sync_status", STATUSES, RecordStatus | None)] = Field(
        description="null where no event was received yet"
    )
    cause: Annotated[str | None, NowCalled("code")] = Field(
        description="why it failed or needs review", examples=["overlaps_7010102"]
    )


class Appointments(BaseModel):
    """The appointments of a day, in their order; `silence` says why Salesforce told of none."""

    day: date
    items: list[Appointment]
    total: int
    next: str | None = Field(description="always null: a day is one page")
    cut: bool = Field(description="the day has more than can be shown")
    silence: str | None = Field(examples=["Salesforce is not connected, so it was not asked."])


@router.get("", response_model=Appointments, summary="The appointments of a day, by their doctors' wall clocks")
async def of_day(
    request: Request,
    caller: Reader,
    day: Annotated[date | None, Query(description="today at the clinic, unless said")] = None,
) -> Any:
    """Give a day's appointments with the state of each, by one call of Salesforce."""
    runtime: Runtime = request.app.state.runtime
    found = await appointments.of_day(runtime, day or appointments.today(runtime))
    await note_view(runtime, caller.by, Action.LIST, appointments.about(found), appointments.ids(found))
    return {
        "day": found.day,
        "items": [_appointment(one) for one in found.items],
        "total": len(found.items),
        "next": None,
        "cut": found.is_cut,
        "silence": found.silence and found.silence.text,
    }


def _appointment(one: Visit) -> dict[str, Any]:
    return {
        "drchrono_id": one.drchrono_id,
        "salesforce_id": one.salesforce_id,
        "starts": one.at,
        "time_zone": one.zone,
        "minutes": one.minutes,
        "patient": one.patient,
        "doctor": one.doctor,
        "status": one.status,
        "deleted": one.is_deleted,
        "odd": list(one.odd),
        "state": one.known and one.known.standing,
        "cause": (one.known and one.known.cause) or None,
    }
