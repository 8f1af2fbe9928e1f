"""`check`, `connect` and `disconnect` at a terminal: exit codes, one line per thing, JSON on stdout alone."""

import json
import re
import signal
import subprocess

import pytest

from tests.processes import commands
from tests.processes.commands import PATIENCE_S, as_a_process, started


def chronobridge(here, *arguments, **variables):
    return commands.chronobridge(here.folder, here.env | variables, *arguments)


def connecting(here, **streams):
    return started(here.folder, here.env, "connect", "drchrono", stdout=subprocess.PIPE, **streams)


def test_where_nothing_is_red_check_ends_with_0(here):
    ended = chronobridge(here, "check")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "everything is right" in ended.stdout
    assert "✓ salesforce token: given, by client credentials" in ended.stdout
    assert "✗" not in ended.stdout


def test_as_a_process_check_and_disconnect_end_with_0_too(here):
    ended = [as_a_process(here.folder, here.env, *words) for words in (["check"], ["disconnect", "drchrono"])]

    assert [(one.returncode, one.stderr) for one in ended] == [(0, "")] * 2


def test_a_red_line_has_its_fix_below_and_ends_check_with_1(here):
    ended = chronobridge(here, "check", SALESFORCE_CLIENT_SECRET="a-wrong-secret")

    assert (ended.returncode, ended.stderr) == (1, "")
    lines = ended.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("✗"))
    assert lines[at].startswith("✗ salesforce token: refused")
    assert lines[at + 1].startswith("  → SALESFORCE_CLIENT_SECRET")
    assert lines[-1] == "1 red"
    assert "a-wrong-secret" not in ended.stdout


@pytest.mark.parametrize(("secret", "code"), [(None, 0), ("a-wrong-secret", 1)], ids=["right", "red"])
def test_for_scripts_stdout_is_one_json_document_and_nothing_else(here, secret, code):
    ended = chronobridge(here, "check", "--json", **({"SALESFORCE_CLIENT_SECRET": secret} if secret else {}))

    told = json.loads(ended.stdout)
    assert (ended.returncode, ended.stderr) == (code, "")
    assert (told.keys(), told["ok"]) == ({"ok", "checks"}, code == 0)
    assert [one for one in told["checks"] if one.keys() != {"name", "state", "says", "fix", "part"}] == []


def test_narrow_terminals_break_no_json(here):
    ended = chronobridge(here, "check", "--json", COLUMNS="20", FORCE_COLOR="1")

    assert json.loads(ended.stdout)["ok"] is True


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("PUBLIC_URL", "http://sync.example.com", "PUBLIC_URL is wrong"),
        ("DRCHRONO_CLIENT_SECRET", "", "DRCHRONO_CLIENT_SECRET is missing"),
        ("MAPPING_FILE", "/nowhere.toml", "MAPPING_FILE names a file that is not there"),
    ],
)
def test_a_wrong_setting_is_the_one_red_line_and_ends_check_with_2(here, variable, value, says):
    ended = chronobridge(here, "check", "--json", **{variable: value})

    (only,) = json.loads(ended.stdout)["checks"]
    assert (ended.returncode, ended.stderr) == (2, "")
    assert (only["name"], only["state"]) == ("settings", "red")
    assert only["says"].startswith(says)
    assert only["fix"].startswith("expected ")


def test_check_says_no_secret(here):
    ended = chronobridge(here, "check", "--json", DRCHRONO_CLIENT_SECRET="a-wrong-secret")

    secrets = [here.operator_token, here.webhook_secret, "a-wrong-secret", here.given["ENCRYPTION_KEYS"]]
    assert [one for one in secrets if one in ended.stdout + ended.stderr] == []


def test_connect_says_where_to_go_waits_and_ends_with_0_once_somebody_has_been_there(here):
    with connecting(here, stderr=subprocess.PIPE) as waiting:
        said = waiting.stdout.readline() + waiting.stdout.readline() + waiting.stdout.readline()
        was_waiting = waiting.poll() is None
        here.connect_practice()
        rest, complaint = waiting.communicate(timeout=PATIENCE_S)

    assert f"{here.given['PUBLIC_URL']}/connect/drchrono" in said
    assert (was_waiting, waiting.returncode, complaint) == (True, 0, "")
    assert "Connected as fixture.provider, practice group 510001." in rest
    assert "✓ it can see and write patients" in rest


def test_connect_says_what_the_user_cannot_do(here):
    here.drchrono.put("/_control/users/610002", json={"permissions": {"access_scheduling": False}})
    here.web.post("/disconnect/drchrono")
    here.drchrono.post("/_control/oauth/user", json={"user": "610002"})
    with connecting(here) as waiting:
        waiting.stdout.readline()
        here.connect_practice()
        rest, _ = waiting.communicate(timeout=PATIENCE_S)

    assert "Connected as fixture.staff" in rest
    assert "✗ it cannot see and write appointments (lacks access_scheduling, access_clinical_notes)" in rest


def test_connect_gives_up_with_1_when_nobody_comes(here):
    ended = chronobridge(here, "connect", "drchrono", "--wait", "0.02")

    assert (ended.returncode, "run this again" in ended.stdout) == (1, True)


def test_connect_interrupted_ends_without_a_traceback(here):
    with connecting(here, stderr=subprocess.PIPE) as waiting:
        waiting.stdout.readline()
        waiting.send_signal(signal.SIGINT)
        _, complaint = waiting.communicate(timeout=PATIENCE_S)

    assert waiting.returncode != 0
    assert "Traceback" not in complaint


def test_connect_where_no_service_answers_says_what_to_start(here):
    ended = chronobridge(here, "connect", "drchrono", "--wait", "0.01", PUBLIC_URL="http://127.0.0.1:9")

    assert re.search(r"Nothing answers there yet: start `chronobridge serve`", ended.stdout)


def test_disconnect_revokes_and_forgets_and_ends_with_0(here):
    ended = chronobridge(here, "disconnect", "drchrono")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "disconnected: DrChrono has revoked the tokens, and they are forgotten here\n"
    assert here.drchrono.get("/_control/tokens").json()["live"] == 0


def test_a_revocation_that_drchrono_does_not_confirm_ends_with_1_and_says_what_to_do(here):
    here.drchrono.post("/_control/faults", json={"match": "POST /o/revoke_token/", "do": "error", "status": 503})

    ended = chronobridge(here, "disconnect", "drchrono")

    assert (ended.returncode, "remove this application's access there" in ended.stdout) == (1, True)


@pytest.mark.parametrize("what", ["connect", "disconnect"])
def test_without_drchronos_settings_both_end_with_2_and_say_which(here, what):
    none = dict.fromkeys(("DRCHRONO_CLIENT_ID", "DRCHRONO_CLIENT_SECRET", "DRCHRONO_WEBHOOK_SECRETS"), "")

    ended = chronobridge(here, what, "drchrono", **none)

    assert (ended.returncode, len(ended.stderr.strip().splitlines())) == (2, 1)
    assert ended.stderr.startswith("chronobridge: DRCHRONO_CLIENT_ID, DRCHRONO_CLIENT_SECRET and")


@pytest.mark.parametrize("arguments", [("connect",), ("connect", "salesforce"), ("disconnect", "nonsense")])
def test_a_vendor_nobody_connects_so_is_wrong_usage(here, arguments):
    assert chronobridge(here, *arguments).returncode == 2
