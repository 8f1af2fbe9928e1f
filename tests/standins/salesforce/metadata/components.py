"""What an org consists of beside its records: components, each of a type and a name, and all of them as one catalog.

A component never changes; a catalog is changed by making another of it, which is how a deploy that fails leaves
nothing behind, and how many orgs share one schema.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tests.standins.salesforce.metadata.xml_parts import Part

Key = tuple[str, str]


@dataclass(frozen=True)
class Component:
    """One component: `part` is its XML, without the elements that are components of their own; `content` its files.

    `files` are the files beside the XML, by their paths; `source` is the file that it came in.
    """

    kind: str
    name: str
    part: Part
    files: tuple[tuple[str, bytes], ...] = ()
    source: str = field(default="", compare=False)

    @property
    def key(self) -> Key:
        return self.kind, self.name

    @property
    def parent(self) -> str:
        """The object that a child belongs to."""
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class Problem:
    """Why a component is not taken, or is, with a warning."""

    kind: str
    name: str
    file: str
    text: str
    is_warning: bool = False
    line: int = 0
    column: int = 0


@dataclass(frozen=True, eq=False)
class Catalog:
    """All components of an org, by type and name; two are equal only when they are one."""

    components: Mapping[Key, Component] = field(default_factory=dict)

    def get(self, kind: str, name: str) -> Component | None:
        """The component; names differ in no more than their case."""
        found = self.components.get((kind, name))
        return found or self._by_lower.get((kind, name.lower()))

    def of(self, kind: str) -> Iterator[Component]:
        return (one for one in self.components.values() if one.kind == kind)

    def children(self, kind: str, parent: str) -> list[Component]:
        """The components of this type that belong to the object, in the order they came."""
        return list(self._families.get((kind, parent.lower()), ()))

    def with_components(self, more: Iterable[Component]) -> "Catalog":
        merged = dict(self.components)
        for one in more:
            old = self.get(*one.key)
            if old is not None and old.name != one.name:
                del merged[old.key]
            merged[one.key] = one
        return Catalog(merged)

    def without(self, keys: Iterable[Key]) -> "Catalog":
        gone = set(keys)
        return Catalog({key: one for key, one in self.components.items() if key not in gone})

    @cached_property
    def _by_lower(self) -> dict[Key, Component]:
        return {(kind, name.lower()): one for (kind, name), one in self.components.items()}

    @cached_property
    def _families(self) -> dict[Key, list[Component]]:
        found: dict[Key, list[Component]] = {}
        for one in self.components.values():
            found.setdefault((one.kind, one.parent.lower()), []).append(one)
        return found
