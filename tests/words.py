"""Words that were labels once, and what stands in their place: no page, help or guide says them any more."""

import re
from collections.abc import Sequence

# a word or a phrase that was a label once -> what stands in its place
REPLACED = {
    r"in step": "Synced",
    r"on (its|the) way": "Pending",
    r"(?<![/\w])held\b": "Needs review",
    r"waits? for a person": "Needs attention",
    r"a person's word": "your decision",
    r"let (it |them |all .*)?go\b": "Dismiss",
    r"try (it|all|\d+)\b": "Retry",
    r"tr(y|ied) it out": "Test connection",
    r"(run|runs|ran) .{0,20}again": "Replay",
    r"look (at it|again)": "Review, Check again",
    r"said by": "Rejected by",
    r"what to do\b": "How to fix",
    r"\blanes?\b": "Queue",
    r"\bcompar(ing|ison)\b": "Reconciliation",
    r"first load": "Initial sync",
    r"(DrChrono|Salesforce) told|tells of|heard of|last heard|called us|came in\b": "Received",
    r"came of it|became of it|how it came": "Result, Last change",
    r"how it stands|what happened to it": "Status, History",
    r"(both|either) sides?\b": "Both systems",
    r"dealt with": "Processed",
    r"owns it|whose? .{0,20}counts\b|let these count": "System of record, Keep",
    r"leave it": "Cancel, Decide later",
    r"\bput .{0,30}back\b": "Restore",
    r"the rule's write|whether or not": "Write status, Any",
    r"overtaken|\bdropped\b": "Superseded, Given up",
    r"whom it|this one\b": "Possible matches, Link to this Contact",
    r"connect again": "Reconnect",
    r"\bmends?\b|\bmended\b": "Fix",
    r"\bseal(ed|s)?\b": "Encrypted",
    r"\bvisits?\b": "Appointment",
    r"stand-ins?\b": "Simulator",
}
# those that are no plain English either, so that no sentence of a guide has them
IN_PROSE = (
    r"in step", r"on (its|the) way", r"(?<![/\w])held\b", r"waits? for a person", r"a person's word", r"said by",
    r"\blanes?\b", r"first load", r"came of it|became of it|how it came", r"(both|either) sides?\b",
    r"owns it|whose? .{0,20}counts\b|let these count",
    r"\bmends?\b|\bmended\b", r"\bseal(ed|s)?\b", r"\bvisits?\b", r"stand-ins?\b",
)  # fmt: skip


def replaced_in(text: str, patterns: Sequence[str] = tuple(REPLACED)) -> list[tuple[str, str]]:
    """Give what of a text is a replaced word, with a little of what stands around it, and the word for it."""
    found = [(match, REPLACED[old]) for old in patterns for match in re.finditer(old, text, re.IGNORECASE)]
    return [(text[max(match.start() - 30, 0) : match.end() + 30], now) for match, now in found]
