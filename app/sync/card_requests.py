"""Card requests: what people ask for on a record's card in Salesforce, and what that makes of what is seen. Pure.

To link a record is to have it name its chart; from then on it is as if somebody had typed the chart's id into it. What
is unlinked stays as it is on both sides, and nothing travels, until somebody links it again.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from app.sync.model import CardAction, CardRequest, Exclusion, Link, Snapshot

T = TypeVar("T")
_CHART = re.compile(r"[1-9]\d{0,17}", re.ASCII)


def card_request(action: str, chart: str) -> CardRequest | None:
    """Give the request that an event makes; None where it makes none, or says not to which chart."""
    if (known := action.lower()) not in set(CardAction):
        return None
    asked = CardRequest(CardAction(known), chart if known == CardAction.LINK else "")
    return None if asked.action is CardAction.LINK and not _CHART.fullmatch(chart) else asked


def parse(text: str) -> CardRequest:
    """Give a request back from its text."""
    action, _, chart = text.partition(" ")
    return CardRequest(CardAction(action), chart)


def asks_for_sync(requests: Sequence[CardRequest]) -> bool:
    """Say whether somebody wants both sides to be looked at now."""
    return any(one.action is not CardAction.UNLINK for one in requests)


def about_the_link(requests: Sequence[CardRequest]) -> CardRequest | None:
    """Give what was asked for last of linking a record; `requests`: in the order in which they came."""
    return next((one for one in reversed(requests) if one.action is not CardAction.SYNC), None)


def as_named(link: Link, salesforce: T, asked: CardRequest | None) -> T | Snapshot:
    """Give what Salesforce holds; a record in no pair that names no chart is seen to name the one it is to link to."""
    if asked is None or asked.action is not CardAction.LINK or link.drchrono_id is not None:
        return salesforce
    is_nobodys = isinstance(salesforce, Snapshot) and salesforce.key is None
    return replace(salesforce, key=asked.chart) if is_nobodys and isinstance(salesforce, Snapshot) else salesforce


def is_unlinked(link: Link, asked: CardRequest | None) -> bool:
    """Say whether a person keeps a record out; to name another chart than its own does not bring its own one back."""
    was_unlinked = Exclusion.PERSON in link.excluded_by
    if asked is None:
        return was_unlinked
    return asked.action is CardAction.UNLINK or (was_unlinked and link.drchrono_id not in (None, asked.chart))
