"""A field that has a new name stands under both, and a script is told which one to use."""

from typing import Annotated

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field

from app.web.api.deprecated import NowCalled, either, with_aliases
from app.web.api.records import STATUSES, RecordStatus, Standing


@with_aliases
class Inner(BaseModel):
    """What stands inside."""

    lane: Annotated[str, NowCalled("queue")] = Field(examples=["live"])


@with_aliases
class Whole(BaseModel):
    """A record."""

    state: Annotated[Standing | None, NowCalled("status", STATUSES, RecordStatus | None)]
    cause: Annotated[str | None, NowCalled("code")] = Field(description="why")
    lanes: Annotated[list[Inner], NowCalled("queues")]
    at: str


IT = {"state": Standing.HELD, "cause": None, "lanes": [{"lane": "live"}], "at": "now"}


@pytest.fixture
def api():
    app = FastAPI()

    @app.get("/it", response_model=Whole)
    async def it():
        return IT

    return app


def test_an_answer_carries_both_names_alike_and_values_by_the_names_they_have_under_each():
    inner = [{"lane": "live", "queue": "live"}]

    assert Whole.model_validate(IT).model_dump(mode="json") == {
        "state": "held", "status": "needs_review", "cause": None, "code": None,
        "lanes": inner, "queues": inner, "at": "now",
    }  # fmt: skip


def test_the_schema_has_both_and_marks_the_old_one(api):
    schemas = api.openapi()["components"]["schemas"]
    whole = schemas["Whole"]["properties"]

    marked = {name: (each.get("deprecated"), each.get("description")) for name, each in whole.items()}
    assert marked == {
        "state": (True, "use `status`"), "status": (None, None), "cause": (True, "use `code`"), "code": (None, "why"),
        "lanes": (True, "use `queues`"), "queues": (None, None), "at": (None, None),
    }  # fmt: skip
    assert schemas["Whole"]["description"] == "A record."
    assert set(schemas["Whole"]["required"]) == set(whole)
    assert schemas["RecordStatus"]["enum"] == [one.value for one in RecordStatus]


def test_a_new_name_that_another_field_has_is_refused():
    class Taken(BaseModel):
        state: Annotated[str, NowCalled("status")]
        status: str

    with pytest.raises(TypeError, match="already: status"):
        with_aliases(Taken)


def test_a_filter_is_given_by_either_name():
    assert (either(None, "old"), either("new", "old"), either(None, None), either(False, True)) == (
        "old", "new", None, False,
    )  # fmt: skip
