"""The org as its administrator sees it: every object, and of its own fields what a permission set shows.

Only what is seen differs; the records, and all else that is asked of the view or changed in it, are the org's own.
"""

from typing import Any

from tests.standins.salesforce.metadata.shape import kinds_of
from tests.standins.salesforce.org import Org
from tests.standins.salesforce.records import Table
from tests.standins.salesforce.schema import Kind


class TableView:
    """A table whose object is another user's view of it; the records are the same."""

    def __init__(self, table: Table, kind: Kind) -> None:
        self._table = table
        self.kind = kind

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)


_OF_THE_VIEW = {"_org", "user", "tables"}


class OrgSeenBy(Org):
    """The org as its administrator sees it."""

    def __init__(self, org: Org, user: str) -> None:
        self._org, self.user = org, user
        kinds = kinds_of(org.catalog, frozenset(org.sets_of(user)), is_admin=True)
        views: dict[str, Any] = {
            name: TableView(table, kinds[name]) if name in kinds else table for name, table in org.tables.items()
        }
        self.tables = views

    def __getattr__(self, name: str) -> Any:
        return getattr(self._org, name)

    def __setattr__(self, name: str, value: Any) -> None:
        # What changes here changes in the org; the view alone is this object's own.
        if name in _OF_THE_VIEW:
            object.__setattr__(self, name, value)
        else:
            setattr(self._org, name, value)
