"""News: whether a row of a vendor's list says anything but what both sides last agreed on. No call is made for it."""

from collections.abc import Mapping
from typing import Any

from app.sync.absence import is_deleted
from app.sync.first_contact import is_wanted
from app.sync.records import Link, Side, Sight
from app.sync.rules import Rules
from app.vendors.drchrono import wire
from workers.visits import skipped


def drchrono_says_news(rules: Rules, row: Mapping[str, Any], link: Link | None) -> bool:
    """Say whether a row of DrChrono's tells of something; `link`: None where it is in none, or waits for a person.

    Its stamp does not tell: of two edits in one second the first may be all we heard of. Of what is in no link,
    deleted visits and breaks will never be in one. Doctors and offices are looked at whatever DrChrono says: an edit
    of Salesforce's is put back.
    """
    if rules.table.is_one_way:
        return True
    record_id = wire.record_id(row)
    sight = rules.table.read(Side.DRCHRONO, record_id, row, version="", confirmed=False)
    if link is None:
        return not is_deleted(rules, sight) and not skipped(rules.table.kind, record_id, row)
    return bool(rules.changed(link, sight.fields) - {rules.table.zoned})


def salesforce_says_news(rules: Rules, sight: Sight, link: Link | None) -> bool:
    """Say whether a living record of Salesforce's tells of something; `link` as above.

    A record in no link does when it names a chart, or asks to be taken over.
    """
    if link is None:
        return not rules.table.is_one_way and (sight.key is not None or is_wanted(rules.table, sight))
    is_named = sight.key == link.drchrono_id
    return not is_named or bool(rules.changed(link, sight.fields) - {rules.table.zoned}) or bool(sight.unreadable)
