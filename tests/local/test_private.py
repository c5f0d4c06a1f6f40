"""What the parts of a stack keep from each other, and from the rest of the machine."""

import asyncio
import stat
import sys

import psutil
import pytest

from deploy.local import data
from deploy.local.metrics import Alertmanager
from deploy.local.temporal import Temporal
from deploy.local.up import _environment
from workers.settings import load

UP = [sys.executable, "-m", "deploy.console", "up"]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("ports", "says"),
    [
        pytest.param(("--temporal-port", "99999"), "Invalid value", id="above all ports"),
        pytest.param(("--ui-port", "-1"), "equal to 0", id="below all ports"),
        pytest.param(
            ("--temporal-port", "20999", "--door-port", "20999"),
            "port of their own",
            id="one twice",
        ),
    ],
)
async def test_ports_that_cannot_be_are_said_in_words(tmp_path, ports, says):
    up = await asyncio.create_subprocess_exec(
        *UP, "--data", str(tmp_path / "data"), *ports,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said = (await up.stdout.read()).decode()

    assert await up.wait() == 2
    assert says in said
    assert "Traceback" not in said


def test_where_the_settings_say_where_temporal_is_looked_at_that_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "RESPONDER_POLICY__UI" not in _environment(load())

    (tmp_path / "responder.toml").write_text('[policy]\nui = "https://temporal.example"\n')

    assert _environment(load())["RESPONDER_POLICY__UI"] == "https://temporal.example"


async def test_programs_of_others_are_not_given_our_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("RESPONDER_SLACK__TOKEN", "xoxb-hunter2")

    async with Temporal(tmp_path / "temporal") as temporal:
        environment = psutil.Process(temporal.pid).environ()

    assert "PATH" in environment
    assert not any("hunter2" in value for value in environment.values())


def test_files_with_secrets_are_their_owner_s_alone(tmp_path):
    alertmanager = Alertmanager(tmp_path / "alertmanager", "route: {}", files={"token": "hunter2"})

    written = alertmanager._write()

    assert mode(written.parent) == 0o700
    assert {mode(path) for path in written.parent.iterdir()} == {0o600}


def test_a_folder_that_everybody_could_read_is_private_from_now_on(tmp_path):
    folder, other = tmp_path / "ours", tmp_path / "somebody's"
    for each in (folder, other):
        each.mkdir(mode=0o755)
    with data.taken(folder):
        pass
    folder.chmod(0o755)

    for each in (folder, other):
        with data.taken(each):
            pass

    assert mode(folder) == 0o700
    assert mode(other) == 0o755
