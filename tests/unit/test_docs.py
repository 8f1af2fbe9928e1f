"""The documents: what they link to and name is there, and every alert, part and failure class has its entry."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "deploy" / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
LONGEST_README = 150
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:app|workers|tests|deploy|\.ci)/[\w./*-]*)`")
_MODULE = re.compile(r"(?<![\w/.`])((?:app|workers)/[\w/]+\.(?:py|toml))")  # in diagrams, which have no backticks
_TEST = re.compile(r"`(test_\w+)`")
_MARKUP = re.compile(r"[^\w\- ]")


def prose(page):
    """Give a page's text without what stands in fences and in indented blocks."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^    .*$", "", text, flags=re.MULTILINE)


def anchors(page):
    """Give the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {_MARKUP.sub("", heading.lower()).replace(" ", "-") for heading in headings}


def section(page, heading):
    return (DOCS / page).read_text().split(f"\n{heading}\n")[1].split("\n## ")[0]


def cells(row):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


def first_cells(text):
    return "\n".join(cells(row)[0] for row in text.splitlines() if row.startswith("|"))


def is_there(link, page):
    """Say whether a link of a page leads to a file or folder, and where it names a heading, to that heading."""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return target.exists() and (not anchor or anchor in anchors(target))


@EACH_PAGE
def test_every_link_leads_somewhere(page):
    links = [link for link in _LINK.findall(prose(page)) if "://" not in link]

    assert [link for link in links if not is_there(link, page)] == []


@EACH_PAGE
def test_every_path_that_is_named_is_there(page):
    named = {*_PATH.findall(prose(page)), *_MODULE.findall(page.read_text())}

    assert sorted(path for path in named if not any(ROOT.glob(path.rstrip("/")))) == []


@EACH_PAGE
def test_every_test_that_is_named_is_there(page):
    named = set(_TEST.findall(prose(page)))

    there = {
        name for path in (ROOT / "tests").rglob("*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    assert named - there == set()


def test_every_page_is_found_from_another():
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in PAGES
        for link in _LINK.findall(prose(page))
        if "://" not in link and link.partition("#")[0]
    }
    linked |= {path for folder in linked if folder.is_dir() for path in folder.glob("*.md")}

    assert [page.name for page in PAGES[1:] if page.resolve() not in linked] == []


def test_the_readme_is_read_in_one_sitting():
    assert len(PAGES[0].read_text().splitlines()) <= LONGEST_README


def test_the_help_page_has_the_tasks_of_the_front_desks_guide():
    tasks = re.findall(r"^## (.*)$", (DOCS / "desk.md").read_text(), re.MULTILINE)

    page = (ROOT / "app" / "web" / "templates" / "help.html").read_text()
    assert re.findall(r"<h2>(.*?)</h2>", page) == tasks


def test_the_runbook_has_an_entry_for_every_part_of_healthz():
    parts = re.findall(r"`([a-z…_]+)`", first_cells(section("probes.md", "## The parts")))
    headings = re.findall(r"^### (.*)$", section("runbook.md", "## Parts of /healthz"), re.MULTILINE)

    entries = {name for heading in headings for name in heading.split(", ")}
    assert {part.replace("…", "drchrono") for part in parts} <= entries
    assert len(parts) > 5


def test_the_runbook_has_an_entry_for_every_alert():
    rows = [row for row in section("metrics.md", "## The table").splitlines() if row.startswith("| `chronobridge_")]
    alerts = [alert for row in rows if (alert := cells(row)[-1])]

    assert [alert for alert in alerts if "](runbook.md#" not in alert] == []
    assert len(alerts) > 10


def test_the_runbook_has_an_entry_for_every_class_of_failures():
    classes = set(re.findall(r"^\| `(\w+)` \|", section("metrics.md", "## What `class` says"), re.MULTILINE))

    assert classes
    assert classes == set(re.findall(r"^\| `(\w+)` \|", section("runbook.md", "## Failure classes"), re.MULTILINE))
