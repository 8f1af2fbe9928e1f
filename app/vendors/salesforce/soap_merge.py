"""Merging two records of Salesforce's into one, which only its SOAP API does.

The winner keeps its id and its values, but for those that are sent with it; what belongs to the loser becomes the
winner's, and the loser is deleted, with `MasterRecordId`. External ids cannot be sent. Each merge is a transaction of
its own, answered for itself, in order.

Source  SOAP API Developer Guide, merge() and Error Handling; partner WSDL, MergeRequest and MergeResult (read 2026-11)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from app.errors import EdgeAnswered
from app.sync.model import Side
from app.vendors.http import MISFIT, names_in
from app.vendors.salesforce import soap
from app.vendors.salesforce.transport import Transport
from app.vendors.salesforce.wire import RecordRefused, Saved, refusal

_CALL = "POST Soap merge"
_PARTNER, _SOBJECT = "urn:partner.soap.sforce.com", "urn:sobject.partner.soap.sforce.com"


@dataclass(frozen=True, slots=True)
class MergePair:
    """Two records that become one; `winner`: the `Id` of the one that stays, and what it is to hold from then on."""

    loser: str
    winner: Mapping[str, Any]


async def merge(org: Transport, table: str, merges: Sequence[MergePair]) -> list[Saved | RecordRefused]:
    """Merge pairs of records, and give one result a pair, in order; a merged one's id is the winner's.

    Raises  Unavailable, OutcomeUnknown, Unauthorized, Rejected
    """
    call = _merge_call(table, merges)
    answer = await org.called(_CALL, lambda library: soap.post(library, "u", _PARTNER, call), writes=True)
    found = _results(answer, len(merges))
    if found is None:  # it was answered, but we cannot tell what
        raise EdgeAnswered(Side.SALESFORCE.value, _CALL, code=MISFIT, came="no result for each pair")
    return found


def _merge_call(table: str, merges: Sequence[MergePair]) -> Element:
    call = Element(_name("merge"))
    for one in merges:
        request = SubElement(call, _name("request"))
        record = SubElement(request, _name("masterRecord"))
        for name, value in {"type": table, **one.winner}.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            SubElement(record, f"{{{_SOBJECT}}}{name}").text = text
        SubElement(request, _name("recordToMergeIds")).text = one.loser
    return call


def _results(content: bytes, count: int) -> list[Saved | RecordRefused] | None:
    """Give one result per pair; None when the answer does not fit."""
    root = soap.read(content)
    given = [] if root is None else root.findall(f".//{_name('mergeResponse')}/{_name('result')}")
    return [_result(one) for one in given] if len(given) == count else None


def _result(given: Element) -> Saved | RecordRefused:
    id_ = given.findtext(_name("id")) or ""
    if given.findtext(_name("success")) == "true" and id_:
        return Saved(id_, created=False)
    error = given.find(_name("errors"))
    if error is None:
        return RecordRefused("UNKNOWN")
    fields = names_in([one.text for one in error.findall(_name("fields")) if one.text])
    return refusal(error.findtext(_name("statusCode")), error.findtext(_name("message")), fields)


def _name(local: str) -> str:
    return f"{{{_PARTNER}}}{local}"
