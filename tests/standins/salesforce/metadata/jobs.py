"""What was asked of the Metadata API and is under way or done: deploys, and retrieved zips."""

from dataclasses import dataclass, field

from tests.standins.salesforce.metadata.archive import Package
from tests.standins.salesforce.metadata.deployments import Options, Outcome, judge
from tests.standins.salesforce.org import Org


@dataclass
class Deploy:
    """One deploy; every look at it is a step of it."""

    id: str
    package: Package
    options: Options
    user: str
    created_at: str
    status: str = "Pending"
    looks: int = 0
    moved_at: str = ""
    outcome: Outcome | None = None
    errors: int = 0

    @property
    def is_done(self) -> bool:
        return self.status in {"Succeeded", "SucceededPartial", "Failed", "Canceled"}

    @property
    def total(self) -> int:
        package = self.package
        return len(package.components) + len(package.delete_before) + len(package.delete_after)

    @property
    def deployed(self) -> int:
        """How many components are through by now."""
        if self.outcome is not None:
            return self.total - len({(one.kind, one.name) for one in self.outcome.failures if one.kind})
        return self.total * max(0, self.looks - 1) // (self.looks + 1)

    def look(self, org: Org) -> None:
        """Somebody looked: the deploy is a step further, and in the org when that was the last."""
        if self.is_done:
            return
        self.moved_at = org.stamp()
        self.looks += 1
        if self.status == "Canceling":
            self.status = "Canceled"
        elif self.looks <= org.settings.deploy_looks:
            self.status = "Pending" if self.looks == 1 else "InProgress"
        else:
            self._finish(org)

    def cancel(self) -> None:
        """It will be cancelled; one that is done stays as it is."""
        if not self.is_done:
            self.status = "Canceling"

    def _finish(self, org: Org) -> None:
        before = org.catalog
        self.outcome = found = judge(self.package, self.options, before, org.settings, org)
        if found.is_good:
            self.status = "Succeeded"
        elif self.options.rollback_on_error or found.error or found.tests.failed or len(found.failures) >= self.total:
            self.status = "Failed"
        else:
            self.status = "SucceededPartial"
        if self.status != "Failed" and not self.options.check_only:
            org.adopt(found.catalog)


@dataclass
class Retrieval:
    """One zip to be fetched."""

    id: str
    content: bytes
    names: list[tuple[str, str, str]] = field(default_factory=list)  # type, name, file
    missing: list[tuple[str, str]] = field(default_factory=list)
    looks: int = 0
