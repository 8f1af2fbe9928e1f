"""Aliases: what the API calls by a new name stands under the old one too, until the next version.

A field of an answer says beside itself what it is called now; the model then has both, filled alike, and the schema
marks the old one as deprecated. A filter takes either, and a path answers under both. Whoever reads one of the names
need not know of the other.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, create_model, model_validator
from pydantic.fields import FieldInfo

Model = TypeVar("Model", bound=BaseModel)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class NowCalled:
    """Beside a field of an answer: the name it has now.

    values  a value of the old name -> the value under the new one; any other is the same under both
    kind    the type under the new name; None where it is the same
    """

    name: str
    values: Mapping[str, str] = field(default_factory=dict)
    kind: Any = None


def with_aliases(model: type[Model]) -> type[Model]:
    """Give a model of an answer that has each renamed field under both names, the old one marked as deprecated.

    Raises  TypeError where the new name is another field's
    """
    renamed = {
        old: name for old, each in model.model_fields.items() for name in each.metadata if isinstance(name, NowCalled)
    }
    if taken := sorted({now.name for now in renamed.values()} & model.model_fields.keys()):
        raise TypeError(f"{model.__name__} has a field of that name already: {', '.join(taken)}")
    fields: dict[str, Any] = {}
    for old, now in renamed.items():
        before = model.model_fields[old]
        fields[now.name] = (now.kind or before.annotation, _copied(before))
        fields[old] = (before.annotation, _copied(before, {"deprecated": True, "description": f"use `{now.name}`"}))
    check: Any = model_validator(mode="before")
    checks: dict[str, Any] = {"filled_alike": check(classmethod(_filled(renamed)))}
    return create_model(
        model.__name__,
        __base__=model,
        __module__=model.__module__,
        __doc__=model.__doc__,
        __validators__=checks,
        **fields,
    )


def _copied(given: FieldInfo, schema: dict[str, Any] | None = None) -> FieldInfo:
    """Give what a field says of itself, with this in its schema; an example is one of the old name's."""
    made = copy(given)
    made.metadata = [one for one in given.metadata if not isinstance(one, NowCalled)]
    made.json_schema_extra = schema
    return made


def _filled(renamed: Mapping[str, NowCalled]) -> Any:
    def filled(_model: Any, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        alike = {now.name: _renamed(given[old], now.values) for old, now in renamed.items() if old in given}
        return {**alike, **given}

    return filled


def _renamed(value: Any, values: Mapping[str, str]) -> Any:
    return values.get(value, value) if isinstance(value, str) else value


def either(new: Value | None, old: Value | None) -> Value | None:
    """Give what a filter was given by its new name, or by its old one."""
    return old if new is None else new
