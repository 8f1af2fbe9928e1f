"""More patients than a comparing may change without a word, and a mapping that would empty a field on all of them."""

from dataclasses import replace

from app.sync.mappings import file
from app.sync.model import Kind
from tests.flow.calendar import compares, forgets

MANY = 101


async def registers_many(clinic, count=MANY):
    """So many patients with a phone are linked."""
    for n in range(count):
        await clinic.registers(first_name="Pat", last_name=f"Number{n}", cell_phone=f"(555) 010-{n:04}")
    await compares(clinic, Kind.PATIENT)
    forgets(clinic)


def blank_phones(clinic, tmp_path):
    """The same clinic after somebody had the phone follow a field that nobody fills in."""
    row = '{ drchrono = "office_phone", direction = "to_salesforce", owner = "drchrono" }'
    (tmp_path / "wrong.toml").write_text(f'extends = "default"\n[patient]\nfields.cell_phone = {row}\n')
    return replace(clinic.runtime, mappings=file.load(tmp_path / "wrong.toml"))
