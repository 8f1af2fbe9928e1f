"""How records go and come back: delete, undelete, merge; and what that does to the records that point at them.

A lookup whose parent is deleted is emptied, which is the default for lookup fields; undelete fills it again.
A merge moves the loser's children to the winner and leaves the loser deleted, with `MasterRecordId`.
"""

from tests.standins.salesforce import files
from tests.standins.salesforce.errors import RecordError
from tests.standins.salesforce.records import Row, Table
from tests.standins.salesforce.rules import Call
from tests.standins.salesforce.writing import note


def delete(call: Call, table: Table, row: Row) -> None:
    """The record is in the recycle bin."""
    _bury(call, table, row)
    note(call, table, row, "deleted", {}, [])


def undelete(call: Call, table: Table, row: Row) -> None:
    """The record is back, with the lookups to it that nobody has filled since.

    Raises
        RecordError  it is not deleted, or another record took its external id meanwhile

    """
    if not row["IsDeleted"]:
        raise RecordError("UNDELETE_FAILED", "Entity is not in the recycle bin")
    for column in table.kind.unique:
        taken = [other["Id"] for other in table.find(column, row[column.name]) if row[column.name] is not None]
        if taken:
            message = f"duplicate value found: {column.name} duplicates value on record with id: {taken[0]}"
            raise RecordError("DUPLICATE_VALUE", message)
    grave = table.raise_up(row)
    for other, record_id in grave.taken:
        if files.may_come_back(call.org, other, other.rows[record_id]):
            other.raise_up(other.rows[record_id])
    if "MasterRecordId" in row:
        row["MasterRecordId"] = None
    for children, name, child_id in grave.emptied:
        child = children.rows[child_id]
        if child[name] is None and not child["IsDeleted"]:
            _system_change(call, children, child, {name: row["Id"]})
    _move(call, table, row)
    note(call, table, row, "undeleted", {}, [])


def merge(call: Call, table: Table, winner: Row, loser: Row) -> None:
    """The loser's children are the winner's, and the loser is deleted and says whom it became."""
    for children, name, child in _children(call, table, loser):
        _system_change(call, children, child, {name: winner["Id"]})
        child["LastModifiedDate"], child["LastModifiedById"] = call.stamp, call.user
    files.move_links(call, winner, loser)
    loser["MasterRecordId"] = winner["Id"]
    _bury(call, table, loser)
    _move(call, table, winner)
    note(call, table, loser, "merged", {"MasterRecordId": winner["Id"]}, ["MasterRecordId"])


def _bury(call: Call, table: Table, row: Row) -> None:
    taken = files.going_with(call.org, table, row)
    for other, one in taken:
        other.bury(one, call.stamp)
    children = _children(call, table, row)
    grave = table.bury(row, call.stamp)
    grave.taken += [(other, one["Id"]) for other, one in taken]
    for child_table, name, child in children:
        grave.emptied.append((child_table, name, child["Id"]))
        _system_change(call, child_table, child, {name: None})
    _move(call, table, row)


def _children(call: Call, table: Table, row: Row) -> list[tuple[Table, str, Row]]:
    return [
        (children, column.name, child)
        for children in call.org.tables.values()
        for column in children.kind.own
        if column.parent == table.kind.name
        if children.has_index(column.name)
        for child in children.find(column, row["Id"])
    ]


def _system_change(call: Call, table: Table, row: Row, values: Row) -> None:
    # Nobody edited this record: SystemModstamp moves, LastModifiedDate does not.
    table.change(row, values)
    row["SystemModstamp"] = call.stamp
    table.touch(row)


def _move(call: Call, table: Table, row: Row) -> None:
    row["LastModifiedDate"] = row["SystemModstamp"] = call.stamp
    row["LastModifiedById"] = call.user
    table.touch(row)
