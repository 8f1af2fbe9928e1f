"""Flows that a saved record starts, as far as they send outbound messages: which are sent, in which order.

Played are start conditions, decisions, and the way from an element to the next. A condition that is beyond
`formulas.py`, and an operator that is not known here, count as met: rather a message too many than one lost unseen.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tests.standins.salesforce.metadata.components import Catalog, Component
from tests.standins.salesforce.metadata.formulas import BeyondError, Saved, is_blank, read_formula, same
from tests.standins.salesforce.metadata.xml_parts import Part, flag, parts, text, texts

Condition = Callable[[Saved], bool]
_LONGEST_WAY = 100


@dataclass(frozen=True)
class Message:
    """An outbound message that is deployed."""

    name: str
    kind: str
    url: str
    fields: tuple[str, ...]
    user: str


@dataclass(frozen=True)
class Flow:
    """One active flow that a saved record starts."""

    name: str
    on_create: bool
    on_update: bool
    only_when_newly_met: bool
    condition: Condition
    first: str
    elements: dict[str, tuple[str, Part]]

    def sends(self, saved: Saved) -> Iterator[str]:
        """The names of the messages that it sends of this record."""
        if not (self.on_create if saved.before is None else self.on_update) or not self.condition(saved):
            return
        if self.only_when_newly_met and saved.before is not None and self.condition(saved.prior()):
            return
        here = self.first
        for _ in range(_LONGEST_WAY):
            if here not in self.elements:
                return
            element, part = self.elements[here]
            if element == "actionCalls" and text(part, "actionType") == "outboundMessage":
                yield text(part, "actionName")
            here = _after(element, part, saved)


@lru_cache(maxsize=64)
def messages_of(catalog: Catalog) -> dict[str, Message]:
    """The outbound messages by their full names."""
    return {
        one.name: Message(
            one.name,
            one.parent,
            text(one.part, "endpointUrl"),
            tuple(texts(one.part, "fields")),
            text(one.part, "integrationUser"),
        )
        for one in catalog.of("WorkflowOutboundMessage")
    }


@lru_cache(maxsize=64)
def flows_of(catalog: Catalog) -> dict[str, list[Flow]]:
    """The active flows by the object, in lower case, whose saved records start them."""
    found: dict[str, list[Flow]] = {}
    for one in catalog.of("Flow"):
        started = parts(one.part, "start")
        if text(one.part, "status") == "Active" and started and text(started[0], "triggerType") == "RecordAfterSave":
            found.setdefault(text(started[0], "object").lower(), []).append(_flow(one, started[0]))
    return found


def _flow(one: Component, start: Part) -> Flow:
    on = text(start, "recordTriggerType")
    return Flow(
        one.name,
        on in {"Create", "CreateAndUpdate"},
        on in {"Update", "CreateAndUpdate"},
        flag(start, "doesRequireRecordChangedToMeetCriteria"),
        _start_condition(start),
        _target(start, "connector"),
        {text(part, "name"): (name, part) for name in one.part for part in parts(one.part, name) if "name" in part},
    )


def _target(part: Part, connector: str) -> str:
    found = parts(part, connector)
    return text(found[0], "targetReference") if found else ""


def _start_condition(start: Part) -> Condition:
    if words := text(start, "filterFormula"):
        try:
            formula = read_formula(words)
        except BeyondError:
            return lambda _: True
        return _leniently(lambda saved: bool(formula(saved)))
    filters = [
        _comparison(f"$Record.{text(one, 'field')}", text(one, "operator"), next(iter(parts(one, "value")), {}))
        for one in parts(start, "filters")
    ]
    return _together(filters, text(start, "filterLogic", "and"))


def _leniently(condition: Condition) -> Condition:
    def met(saved: Saved) -> bool:
        try:
            return condition(saved)
        except BeyondError:
            return True

    return met


def _together(conditions: list[Condition], logic: str) -> Condition:
    if logic.lower() == "and":
        return lambda saved: all(one(saved) for one in conditions)
    if logic.lower() == "or":
        return lambda saved: any(one(saved) for one in conditions)
    return lambda _: True


def _comparison(path: str, operator: str, right: Part) -> Condition:
    def met(saved: Saved) -> bool:
        left, other = saved.value(path), _given(right, saved)
        match operator:
            case "EqualTo":
                return same(left, other)
            case "NotEqualTo":
                return not same(left, other)
            case "IsNull" | "IsBlank":
                return is_blank(left) is bool(other)
            case "IsChanged":
                name = path.partition(".")[2]
                return (saved.before is not None and name in saved.before) is bool(other)
        raise BeyondError(operator)

    return _leniently(met)


def _given(part: Part, saved: Saved) -> Any:
    for name, found in part.items():
        match name:
            case "elementReference":
                return saved.value(str(found[0]).strip())
            case "booleanValue":
                return str(found[0]).strip() == "true"
            case "numberValue":
                return float(found[0])
            case _:
                return found[0]
    return None


def _after(element: str, part: Part, saved: Saved) -> str:
    """The element that comes next."""
    if element != "decisions":
        return _target(part, "connector")
    for rule in parts(part, "rules"):
        conditions = [
            _comparison(
                text(one, "leftValueReference"), text(one, "operator"), next(iter(parts(one, "rightValue")), {})
            )
            for one in parts(rule, "conditions")
        ]
        if _together(conditions, text(rule, "conditionLogic", "and"))(saved):
            return _target(rule, "connector")
    return _target(part, "defaultConnector")
