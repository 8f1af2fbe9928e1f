"""A clinic whose mapping shares documents, and an org that has the package's fields for them."""

import pytest

from tests.build import mapping_with_documents
from tests.flow.clinic import settings_of
from tests.flow.documents.folder import FIELDS, Folder
from tests.flow.patience import EVENTS


@pytest.fixture
def known(database, empty_vendors, tmp_path):
    it = empty_vendors
    for name, field in FIELDS.items():  # an org that has the package has them
        it.salesforce.post("/_control/objects/ContentVersion/fields", json={"name": name, **field})
    return settings_of(
        database,
        str(it.drchrono.base_url).rstrip("/"),
        str(it.salesforce.base_url).rstrip("/"),
        it.ca_file,
        mapping_file=mapping_with_documents(tmp_path / "mapping.toml"),
        salesforce_event_tokens=EVENTS,
        document_call_share=1,
        document_max_mb=1,
    )


@pytest.fixture
def folder(clinic):
    return Folder(clinic)
