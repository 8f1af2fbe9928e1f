"""The package of each mapping that comes along is what an org takes, with all that the mapping names."""

from pathlib import Path

import pytest

from app.sync.mappings import file
from app.sync.model import Kind
from app.vendors.salesforce.metadata.archive import package_of
from app.vendors.salesforce.metadata.source import source_files, write
from tests.standins.salesforce.metadata.archive import read_package, unzip
from tests.standins.salesforce.metadata.deployments import Options, judge
from tests.standins.salesforce.metadata.flows import flows_of
from tests.standins.salesforce.metadata.shape import kinds_of
from tests.standins.salesforce.metadata.shipped import PROJECT, Sandbox, deployed_from, values_for

USER = "integration@example.test"
INTEGRATION = frozenset({"DrChrono_Integration"})


DOCUMENTS = PROJECT / "mapping.toml"


@pytest.mark.parametrize("preset", [None, "wide", "person-accounts", DOCUMENTS])
def test_an_org_takes_the_package_of_a_mapping_and_the_service_may_write_what_the_mapping_names(preset, tmp_path):
    mappings = file.load(Path(preset) if preset else None)
    write(source_files(mappings), tmp_path / "package")

    catalog = deployed_from(tmp_path / "package", USER)

    kinds = kinds_of(catalog, INTEGRATION)
    for mapping in mappings.values():
        kind = kinds[mapping.object.lower()]
        named = {mapping.external_id, *(name.partition(".")[0] for name in mapping.fields)}
        standard = set() if mapping.kind is Kind.DOCUMENT else {name for name in named if kind.field(name, unseen=True)}
        there = {name for name in named if name.endswith("__c")} | standard  # much of a file is only read
        assert there - kind.plain.keys() == set()
        assert {name.lower() for name in named if name.endswith("__r")} <= kind.relationships.keys()
    assert {"drchrono_appointment__c"} < flows_of(catalog).keys()


def test_the_zip_that_we_send_is_the_project_component_by_component():
    sent = package_of(source_files(file.load(DOCUMENTS)), values_for(USER)).zipped()

    outcome = judge(read_package(unzip(sent)), Options(), deployed_from(PROJECT, USER), Sandbox(USER), Sandbox(USER))

    assert [one.name for one in outcome.results if one.changed or not one.success] == ["package.xml"]
