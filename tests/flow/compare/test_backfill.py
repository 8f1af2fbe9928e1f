"""What keeps both sides from being compared is said, with what to do; what can be handed over is, and nothing else."""

from io import StringIO

from rich.console import Console

from app.cli.backfill import run_backfill
from app.store import lanes
from app.sync.model import Kind, Lane
from tests.flow.calendar import forgets
from tests.flow.many import MANY, blank_phones, registers_many

PATIENTS = Kind.PATIENT


async def reconciles(clinic, settings=None):
    """Somebody runs `chronobridge reconcile`; gives whether it went well, and what it printed."""
    out = StringIO()
    known = settings or clinic.runtime.settings
    went_well = await run_backfill(known, Console(file=out, width=400), PATIENTS, since_ever=False)
    return went_well, out.getvalue()


async def test_a_kind_that_the_mapping_does_not_have_is_not_loaded_and_it_is_said_why(clinic):
    out = StringIO()

    went_well = await run_backfill(
        clinic.runtime.settings, Console(file=out, width=400), Kind.DOCUMENT, since_ever=True
    )

    assert not went_well
    assert "documents are not synced: the mapping has no [document] table" in out.getvalue()


async def test_what_is_found_waits_in_a_paused_lane_and_is_written_once_it_is_resumed(clinic):
    patient = await clinic.has_linked()
    await clinic.edits(patient, city="Springfield")
    await lanes.set_paused(clinic.runtime.database, [Lane.COMPARE], "paused by an operator")
    forgets(clinic)

    went_well, said = await reconciles(clinic)
    await clinic.settles()
    before = clinic.writes()
    await lanes.set_paused(clinic.runtime.database, [Lane.COMPARE], None)
    await clinic.settles()

    assert (went_well, before) == (True, [])
    assert "queue compare is paused: paused by an operator" in said
    assert "`chronobridge resume compare` lets it go on" in said
    assert clinic.contact()["MailingCity"] == "Springfield"


async def test_what_the_brake_holds_back_is_handed_over_and_said(clinic, tmp_path):
    await registers_many(clinic)
    blank_phones(clinic, tmp_path)
    wrong = clinic.runtime.settings.model_copy(update={"mapping_file": tmp_path / "wrong.toml"})
    await edits_all(clinic)

    went_well, said = await reconciles(clinic, wrong)

    assert went_well
    assert f"cell_phone would be emptied on {MANY} records of Salesforce" in said
    assert "`chronobridge reconcile --dry-run`" in said
    assert clinic.writes() == []


async def edits_all(clinic):
    """Every chart says that it was changed, so a list of changes shows it."""
    for chart in clinic.charts():
        clinic.drchrono.patch(f"/_control/patients/{chart['id']}?silent=true", json={"copay": "10.00"})


async def test_a_practice_that_is_not_connected_is_said_with_the_command_to_run(clinic):
    await clinic.web.post(
        "/disconnect/drchrono",
        headers={"authorization": f"Bearer {clinic.runtime.settings.operator_token.get_secret_value()}"},
    )

    went_well, said = await reconciles(clinic)

    assert not went_well
    assert "chronobridge connect drchrono" in said
