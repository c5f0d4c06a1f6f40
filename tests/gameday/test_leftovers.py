"""However a platform ends, nothing of it is left running."""

import asyncio
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import psutil
import pytest

from tests.gameday.watching import until

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.crash
@pytest.mark.parametrize(
    "how",
    [
        pytest.param(signal.SIGTERM, id="asked to end"),
        pytest.param(signal.SIGKILL, id="killed"),
    ],
)
async def test_nothing_is_left_of_a_platform(tmp_path, how):
    standing = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "deploy.gameday", "--data", str(tmp_path)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    text = b""
    while not text.endswith(b"}\n"):
        line = await standing.stdout.readline()
        assert line, "it ended"
        text += line
    assert json.loads(text)["prometheus_url"].startswith("http://127.0.0.1:")
    children = psutil.Process(standing.pid).children(recursive=True)
    assert len(children) > 8
    # PostgreSQL's temporary folder goes with a platform that ends, not with one that is killed.
    [scratch] = {
        Path(line[line.index("-D") + 1]).parent
        for line in (child.cmdline() for child in children)
        if "-D" in line and Path(line[0]).name == "postgres"
    }
    os.kill(standing.pid, how)
    await standing.wait()

    async def left():
        return [it for it in children if it.is_running() and it.status() != psutil.STATUS_ZOMBIE]

    await until(left)
    if how is signal.SIGKILL:
        shutil.rmtree(scratch)
    assert not scratch.exists()
