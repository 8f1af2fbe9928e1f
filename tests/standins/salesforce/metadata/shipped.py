"""The package of this project as a catalog: what every org here has deployed that is not said to be empty.

It is read from `deploy/salesforce` and judged as any deploy is, once for all orgs of the process.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from tests.standins.salesforce.metadata.components import Catalog
from tests.standins.salesforce.metadata.deployments import Options, judge
from tests.standins.salesforce.metadata.source_format import read_project

PROJECT = Path(__file__).parents[4] / "deploy" / "salesforce"
# Nothing is sent to a host of this kind: whoever wants messages says where they go.
NOWHERE = "https://chronobridge.invalid"


@dataclass(frozen=True)
class Sandbox:
    """An org without records, in which the integration user is the only one."""

    integration_user: str
    production: bool = False
    flows_deploy_active: bool = False
    apex_coverage: int = 100
    failing_tests: dict[str, str] = field(default_factory=dict)

    def is_active_user(self, username: str) -> bool:
        return username == self.integration_user

    def is_assigned(self, _permission_set: str) -> bool:
        return False

    def has_duplicates(self, _kind: str, _field: str) -> bool:
        return False


class UndeployableError(Exception):
    """An org would not take the project."""


def values_for(integration_user: str) -> dict[str, str]:
    """What the project's replacements are filled with here."""
    return {
        "CHRONOBRIDGE_OUTBOUND_URL": f"{NOWHERE}/webhooks/salesforce/outbound/token",
        "CHRONOBRIDGE_INTEGRATION_USER": integration_user,
        "CHRONOBRIDGE_PUBLIC_URL": NOWHERE,
    }


@lru_cache(maxsize=8)
def deployed_from(project: Path, integration_user: str) -> Catalog:
    """What an org has to which the project was deployed.

    Raises
        UndeployableError  the org refuses it, with a line for each reason

    """
    package = read_project(project, values_for(integration_user))
    org = Sandbox(integration_user)
    outcome = judge(package, Options(), Catalog(), org, org)
    if not outcome.is_good:
        told = [f"{one.file}: {one.name}: {one.problem.text}" for one in outcome.failures if one.problem]
        raise UndeployableError("\n".join([outcome.error, *told]).strip())
    return outcome.catalog
