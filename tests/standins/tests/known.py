"""What the tests of both stand-ins share: who calls, the words of a refusal, and what an answer is to look like."""

import json
from pathlib import Path

REDIRECT = "http://127.0.0.1:1/connect/callback"
CLIENT = {"client_id": "standin-client", "client_secret": "standin-secret"}
PROVIDER, STAFF, STRANGER = "610001", "610002", "610901"
OURS, THEIRS = 310001, 310901
NOT_ALLOWED = {"detail": "You do not have permission to perform this action."}
NOT_FOUND = {"detail": "Not found."}
LOGIN = {  # at Salesforce
    "grant_type": "client_credentials",
    "client_id": "standin-client-id",
    "client_secret": "standin-client-secret",
}
_SAMPLES = Path(__file__).parents[2] / "samples" / "drchrono"


def sample(name):
    """What DrChrono answers or delivers, as it is known."""
    return json.loads((_SAMPLES / f"{name}.json").read_text())


def assert_alike(seen, wanted):
    """The same keys in the same order, and the same type wherever both say something."""
    assert list(seen) == list(wanted)
    both = [name for name in wanted if seen[name] is not None and wanted[name] is not None]
    assert {name: type(seen[name]) for name in both} == {name: type(wanted[name]) for name in both}
