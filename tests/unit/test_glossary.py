"""The names of modules come from the glossary, and a class name means one thing."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "deploy" / "docs" / "glossary.md"
MODULES = sorted(
    path.relative_to(ROOT)
    for folder in ("app", "workers")
    for path in (ROOT / folder).rglob("*.py")
    if "migrations" not in path.parts
)
# a public class name that may stand in two modules, and why
SHARED: dict[str, str] = {}


def first_column(heading):
    """Give the first column of the table under a heading, without the table's own heading and rule."""
    section = GLOSSARY.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def singular(word):
    for end, instead in (("ies", "y"), ("ches", "ch"), ("s", "")):
        if word.endswith(end) and not word.endswith("ss"):
            return word.removesuffix(end) + instead
    return word


def words_of(text):
    """Give the words of a name; one with a hyphen also in one piece, as a file name has it."""
    return {
        singular(word) for piece in (text, text.replace("-", "")) for word in re.findall(r"[a-z0-9]+", piece.lower())
    }


TERMS, OTHERS = first_column("Terms"), first_column("Words of file names that are not terms")
WORDS_OF_TERMS = {word for term in TERMS for word in words_of(term)}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_modules_name_is_made_of_words_of_the_glossary(module):
    names = [name for name in module.with_suffix("").parts if not name.startswith("__")]

    found = {word for name in names for word in name.split("_") if word}
    known = WORDS_OF_TERMS | {word for other in OTHERS for word in words_of(other)}

    assert {word for word in found if singular(word) not in known} == set()


def test_the_glossary_says_everything_once():
    assert len(set(TERMS)) == len(TERMS)
    assert [word for word in OTHERS if words_of(word) <= WORDS_OF_TERMS] == []
    assert sorted(set(OTHERS)) == OTHERS


def test_a_public_class_name_stands_in_one_module():
    places = defaultdict(list)
    for module in MODULES:
        for node in ast.parse((ROOT / module).read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(module.as_posix())

    assert {name: found for name, found in places.items() if len(found) > 1 and name not in SHARED} == {}
    assert {name for name in SHARED if len(places[name]) < 2} == set(), "it need not be allowed any more"
