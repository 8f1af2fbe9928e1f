"""How indexes and keys are named, where every table is registered, and of which rows an index is."""

from typing import Any

import sqlalchemy as sa

_TABLE, _COLUMNS = "%(table_name)s", "%(table_name)s_%(column_0_N_name)s"
metadata = sa.MetaData(naming_convention={"ix": f"ix_{_COLUMNS}", "uq": f"uq_{_COLUMNS}", "pk": f"pk_{_TABLE}"})


def only(rows: sa.ColumnElement[bool]) -> dict[str, Any]:
    """Give an index's own arguments, by which it is of these rows alone."""
    return {"sqlite_where": rows, "postgresql_where": rows}
