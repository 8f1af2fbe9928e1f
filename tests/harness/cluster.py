"""A whole town on one machine: both vendors' stand-ins, a Valkey, and the service, as real processes on free ports.

The demo tells its story in one, `verify` its histories, and the tests that kill processes theirs.
Nothing of the caller's settings is read.
"""

import asyncio
import base64
import os
import secrets
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

import app
from app.cli.supervise import Child, free_port, stop_all, valkey, wait_for_port
from app.operations.maintenance import migrate
from app.settings import env_file
from app.settings.fields import Settings
from app.sync.sync_status import STATUS_FIELDS

ROOT = Path(app.__file__).parents[1]
ORG_ID = "00DSYN0000000012BA"
_READY_S = 60.0  # on a machine that has much else to do
_LOOK_S, _MOST_LOOK_S = 0.02, 0.5


@dataclass(frozen=True, slots=True)
class Spent:
    """API calls made to each vendor."""

    salesforce: int
    drchrono: int


def _key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


class Town:
    """The processes, and a client to each of their doors."""

    def __init__(self, folder: Path, overrides: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        ports = {name: free_port() for name in ("valkey", "drchrono", "salesforce", "web")}
        self.ports = ports
        self.operator_token, self.webhook_secret = secrets.token_hex(16), secrets.token_hex(32)
        self.outbound_token, self.event_token = secrets.token_hex(16), secrets.token_hex(16)
        redis_password = secrets.token_urlsafe(32)
        given = {
            "DATABASE_URL": f"sqlite+aiosqlite:///{folder}/chronobridge.db",
            "REDIS_URL": f"redis://:{redis_password}@127.0.0.1:{ports['valkey']}/0",
            "PUBLIC_URL": f"http://127.0.0.1:{ports['web']}",
            "PORT": str(ports["web"]),
            "ENCRYPTION_KEYS": _key(),
            "HASH_KEYS": _key(),
            "OPERATOR_TOKEN": self.operator_token,
            "CA_BUNDLE": str(folder / "salesforce-ca.pem"),
            "DRCHRONO_BASE_URL": f"http://127.0.0.1:{ports['drchrono']}",
            "DRCHRONO_CLIENT_ID": "standin-client",
            "DRCHRONO_CLIENT_SECRET": "standin-secret",
            "DRCHRONO_WEBHOOK_SECRETS": self.webhook_secret,
            "SALESFORCE_LOGIN_URL": f"https://127.0.0.1:{ports['salesforce']}",
            "SALESFORCE_CLIENT_ID": "standin-client",
            "SALESFORCE_CLIENT_SECRET": "standin-secret",
            "SALESFORCE_ORG_ID": ORG_ID,
            "SALESFORCE_OUTBOUND_TOKENS": self.outbound_token,
            "SALESFORCE_EVENT_TOKENS": self.event_token,
            # the stand-ins answer or give up within seconds, so a missed answer is settled as fast
            "SALESFORCE_REQUEST_LIMIT": "PT3S",
            "CONFIRM_AFTER": "PT1S",
            "DRCHRONO_DEFAULT_DOCTOR": "310001",
            "DRCHRONO_REQUEST_LIMIT": "PT3S",
            "DRCHRONO_SEARCH_GAP": "PT3S",
        }
        self.given = given | dict(overrides or {})
        self.env = {name: value for name, value in os.environ.items() if not env_file.is_ours(name)}
        self.env |= self.given | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        self.valkey = valkey(folder / "valkey", ports["valkey"], redis_password)
        self.drchrono_process = self._child("drchrono", "tests.standins.drchrono", "--port", str(ports["drchrono"]))
        self.salesforce_process = self._child(
            "salesforce", "tests.standins.salesforce", "--port", str(ports["salesforce"]),
            "--ca-file", self.given["CA_BUNDLE"], "--org-id", ORG_ID,
            "--client-id", "standin-client", "--client-secret", "standin-secret",
        )  # fmt: skip
        self.serve = self._child("serve", "app.cli", "serve")
        self.work = self._child("work", "app.cli", "work")
        self.children = [self.valkey, self.drchrono_process, self.salesforce_process, self.serve, self.work]
        self.web: httpx.Client
        self.drchrono: httpx.Client
        self.salesforce: httpx.Client

    def _child(self, name: str, module: str, *arguments: str) -> Child:
        command = [sys.executable, "-m", module, *arguments]
        return Child(name, command, self.env, self.folder / f"{name}.log", self.folder)

    def open_vendors(self) -> None:
        """Start the stand-ins and the Valkey, and migrate the database."""
        for child in (self.valkey, self.drchrono_process, self.salesforce_process):
            child.start()
        for name, child in (
            ("valkey", self.valkey),
            ("drchrono", self.drchrono_process),
            ("salesforce", self.salesforce_process),
        ):
            wait_for_port(self.ports[name], child, _READY_S)
        # not before: the settings name the authority's file, which the Salesforce stand-in writes when it starts
        self._migrate()

    def _migrate(self) -> None:
        """Bring the schema up to date, in a loop of its own: a process would only import all of it once more."""
        before = os.umask(0o077)
        try:
            work = migrate(self.given["DATABASE_URL"], Path(self.given["CA_BUNDLE"]), print)
            with ThreadPoolExecutor(1) as elsewhere:
                elsewhere.submit(asyncio.run, work).result()
        finally:
            os.umask(before)

    def start_service(self) -> None:
        """Start web and worker, and wait until deliveries are accepted and a worker lives."""
        self.serve.start()
        self.work.start()
        self.wait_until(self.is_ready, "the service to be ready", _READY_S)

    def start_connected(self) -> None:
        """Start the web, connect the practice, and only then a worker: its first compare finds both sides."""
        self.serve.start()
        self.wait_until(self.accepts, "the web to be ready", _READY_S)
        self.connect()
        self.work.start()
        self.wait_until(self.is_ready, "a worker to live", _READY_S)

    def connect(self) -> None:
        """Have both vendors tell of what changes there, and connect the practice."""
        self.register_webhook()
        self.set_up_outbound_messages()
        self.connect_practice()

    def loads(self) -> None:
        """Say go, as an operator does: whatever was there before is loaded; and wait until it was."""
        kinds = [one["kind"] for one in self.web.get("/api/v1/backfill").json()["kinds"]]
        self.web.post("/api/v1/backfill/load", json={"kinds": kinds}).raise_for_status()
        self.wait_until(self.is_loaded, "the first load", _READY_S, every_s=0.1)

    def is_loaded(self) -> bool:
        """Say whether nothing that was there before is left to be loaded."""
        return self.web.get("/api/v1/backfill").json()["says"] is None

    def is_ready(self) -> bool:
        """Say whether deliveries are accepted and a worker lives."""
        with suppress(httpx.HTTPError):
            parts = self.web.get("/healthz").json()["parts"]
            return bool(self.web.get("/readyz").is_success and parts.get("workers", {}).get("state") == "ok")
        return False

    def accepts(self) -> bool:
        """Say whether deliveries are accepted."""
        with suppress(httpx.HTTPError):
            return self.web.get("/readyz").is_success
        return False

    def wait_until(
        self, is_so: Callable[[], bool], what: str, limit_s: float = 60.0, every_s: float | None = None
    ) -> None:
        """Wait until something is so, looking ever more rarely: a fifth of the wait may be added to it, and no more.

        every_s  how often to look, where something is so for a moment only, or is measured
        Raises  RuntimeError, naming what was waited for, after the limit
        """
        began = time.monotonic()
        while not is_so():
            waited_s = time.monotonic() - began
            if waited_s > limit_s:
                raise RuntimeError(f"waited {limit_s:.0f} s for {what}; the logs are in {self.folder}")
            time.sleep(every_s or min(max(waited_s / 5, _LOOK_S), _MOST_LOOK_S))

    def register_webhook(self) -> str:
        """Register the webhook at DrChrono, which verifies it; gives what it said."""
        url = f"{self.given['PUBLIC_URL']}/webhooks/drchrono"
        answer = self.drchrono.post("/_control/webhook", json={"url": url, "secret": self.webhook_secret}).json()
        if not answer["verified"]:
            raise RuntimeError(f"DrChrono could not verify the webhook: {answer['detail']}")
        return str(answer["detail"])

    def set_up_outbound_messages(self) -> None:
        """Have Salesforce tell the service what people edit and delete, by the package's flows and triggers."""
        door = f"{self.given['PUBLIC_URL']}/webhooks/salesforce"
        messages = {"url": f"{door}/outbound/{self.outbound_token}"}
        self.salesforce.put("/_control/outbound", json=messages).raise_for_status()
        events = {"url": f"{door}/events", "token": self.event_token, "shape": "package"}
        soon = {"retry_s": 1.0, "most_retry_s": 4.0}
        self.salesforce.post("/_control/events", json={**events, **soon}).raise_for_status()

    def connect_practice(self) -> None:
        """Give consent as a DrChrono user would: through the pages, in a browser's stead."""
        away = self.web.get("/connect/drchrono")
        asked = dict(parse_qsl(urlsplit(away.headers["location"]).query))
        allowed = self.drchrono.post("/o/authorize/", data={**asked, "allow": "Authorize"})
        back = self.web.get(allowed.headers["location"])
        if "Connected as" not in back.text:
            raise RuntimeError(f"the practice could not be connected: {back.status_code}")

    def settings(self) -> Settings:
        """Give the settings the processes run with."""
        return env_file.load(_env_file=None, **{name.lower(): value for name, value in self.given.items()})

    def queue(self) -> dict[str, Any]:
        """Give what /api/v1/queue says."""
        return dict(self.web.get("/api/v1/queue").json())

    def records(self, kind: str) -> list[dict[str, Any]]:
        """Give what Salesforce holds of an object."""
        return list(self.salesforce.get(f"/_control/records/{kind}").json()["records"])

    def enters_record(self, kind: str, **fields: Any) -> str:
        """Enter a record as a person in Salesforce would; gives its Id."""
        return str(self.salesforce.post(f"/_control/records/{kind}", json=fields).raise_for_status().json()["Id"])

    def edits_record(self, kind: str, record_id: str, **fields: Any) -> None:
        """Edit a record as a person in Salesforce would."""
        self.salesforce.patch(f"/_control/records/{kind}/{record_id}", json=fields).raise_for_status()

    def contacts(self) -> list[dict[str, Any]]:
        """Give the Contacts that Salesforce holds."""
        return self.records("Contact")

    def patients(self) -> dict[str, dict[str, Any]]:
        """Give the patients that DrChrono holds, by id."""
        return dict(self.drchrono.get("/_control/patients").json()["patients"])

    def writes(self) -> list[dict[str, Any]]:
        """Give the writes of mapped fields that Salesforce took from us, oldest first."""
        taken = self.salesforce.get("/_control/writes").json()["writes"]
        return [one for one in taken if not tells_status(one)]

    def delivered(self) -> int:
        """Give how many deliveries DrChrono has had acknowledged."""
        return int(self.drchrono.get("/_control/deliveries").json()["delivered"])

    def given_up(self) -> int:
        """Give how many deliveries DrChrono has stopped sending, unacknowledged to the last."""
        return int(self.drchrono.get("/_control/deliveries").json()["given_up"])

    def spent(self) -> Spent:
        """Give the API calls Salesforce has counted so far, and the patients DrChrono was asked for."""
        salesforce = self.salesforce.get("/_control/calls").json()["counts"]
        drchrono = self.drchrono.get("/_control/calls").json()["counts"]
        return Spent(
            sum(count for name, count in salesforce.items() if "/services/data/" in name),
            sum(count for name, count in drchrono.items() if name.startswith("GET /api/patients")),
        )

    def called(self, method_and_path: str) -> int:
        """Give how often DrChrono was called so, up to now."""
        counts = self.drchrono.get("/_control/calls").json()["counts"]
        return sum(count for name, count in counts.items() if name.startswith(method_and_path))

    def is_quiet(self) -> bool:
        """Say whether neither vendor has anything to deliver and the service nothing to do."""
        waiting = self.drchrono.get("/_control/deliveries").json()
        if any(waiting[name] for name in ("waiting", "in_flight", "failed_waiting_retry")):
            return False
        for told in (self.salesforce.get(f"/_control/{door}").json() for door in ("outbound", "events")):
            if told["waiting"] or told["in_flight"]:
                return False
        with suppress(httpx.HTTPError, KeyError):
            return bool(self.queue()["depth"] == 0)
        return False


def tells_status(logged: Mapping[str, Any]) -> bool:
    """Say whether a call or a write that Salesforce logged only told its records how they are synced."""
    return bool(logged.get("fields")) and STATUS_FIELDS.issuperset(logged["fields"])


@contextmanager
def town(folder: Path, overrides: Mapping[str, str] | None = None, *, service: bool = True) -> Iterator[Town]:
    """Give a running town, connected and verified, and stop all of it at the end."""
    it = Town(folder, overrides)
    with ExitStack() as stack:
        stack.callback(stop_all, it.children)
        it.open_vendors()
        bearer = {"Authorization": f"Bearer {it.operator_token}"}
        it.web = stack.enter_context(httpx.Client(base_url=it.given["PUBLIC_URL"], headers=bearer, timeout=30))
        it.drchrono = stack.enter_context(httpx.Client(base_url=it.given["DRCHRONO_BASE_URL"], timeout=60))
        context = ssl.create_default_context(cafile=it.given["CA_BUNDLE"])
        it.salesforce = stack.enter_context(
            httpx.Client(base_url=it.given["SALESFORCE_LOGIN_URL"], verify=context, timeout=60)
        )
        if service:
            it.start_service()
            it.connect()
        yield it
