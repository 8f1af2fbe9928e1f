"""How indexes and keys are named, where every table is registered, and of which rows an index is."""

from typing import Any

import sqlalchemy as sa

_TABLE, _COLUMNS = "%(table_name)s", "%(table_name)s_%(column_0_N_name)s"
metadata = sa.MetaData(naming_convention={"ix": f"ix_{_COLUMNS}", "uq": f"uq_{_COLUMNS}", "pk": f"pk_{_TABLE}"})


_ROWS = "rows"


def only(rows: sa.ColumnElement[bool]) -> dict[str, Any]:
    """Give an index's own arguments, by which it is of these rows alone."""
    return {"info": {_ROWS: rows}}


def for_migrations() -> sa.MetaData:
    """Give all tables, with each index told of which rows it is in the words of either database.

    To tell it imports what SQLAlchemy has of both, which is megabytes; nothing but a migration asks for it.
    """
    for index in (one for table in metadata.tables.values() for one in table.indexes if _ROWS in one.info):
        index.dialect_kwargs.update(sqlite_where=index.info[_ROWS], postgresql_where=index.info[_ROWS])
    return metadata
