import asyncio
import os
import signal
import sys
import time

import pytest

from deploy.local.processes import Child, NotReady
from deploy.local.supervision import Backoff, Supervised

QUICK = Backoff(first_seconds=0.05, most_seconds=0.2, forgiven_after_seconds=60)


def supervised(code: str, tmp_path, said=None, **options) -> Supervised:
    child = Child("It", [sys.executable, "-c", code], log=tmp_path / "it.log", **options)
    return Supervised(child, tell=(said if said is not None else []).append, backoff=QUICK)


async def until(condition, within: float = 10.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


@pytest.mark.crash
async def test_a_child_that_is_killed_from_outside_is_started_again_and_that_is_said(tmp_path):
    said = []
    it = await supervised("import time; time.sleep(60)", tmp_path, said).start()
    first = it.child.pid

    os.kill(first, signal.SIGKILL)
    await until(lambda: "It is back." in said)

    assert it.child.running
    assert it.child.pid != first
    assert said[0] == "It was killed by signal 9. It is started again in 0.05 s."
    await it.stop()


@pytest.mark.crash
async def test_a_child_that_we_kill_stays_down_until_it_is_started(tmp_path):
    said = []
    it = await supervised("import time; time.sleep(60)", tmp_path, said).start()

    await it.kill()
    await asyncio.sleep(3 * QUICK.first_seconds)
    assert not it.child.running
    await it.start()

    assert it.child.running
    assert said == []
    await it.stop()
    assert not it.child.running


async def test_a_child_that_ends_again_and_again_is_started_ever_more_slowly(tmp_path):
    said = []
    it = await supervised("raise SystemExit(3)", tmp_path, said).start()

    await until(lambda: len([each for each in said if "ended" in each]) >= 4)
    await it.stop()

    waits = [each.split(" again in ")[1] for each in said if "ended with exit code 3" in each]
    assert waits[:4] == ["0.05 s.", "0.1 s.", "0.2 s.", "0.2 s."]


async def test_a_child_that_does_not_become_ready_again_is_tried_until_it_does(tmp_path):
    said, mended = [], tmp_path / "mended"
    mended.touch()
    code = (
        f"import os, sys, time; os.path.exists({str(mended)!r}) or sys.exit('no'); time.sleep(60)"
    )
    it = supervised(code, tmp_path, said)

    async def ready() -> bool:
        await asyncio.sleep(0.3)
        return it.child.running

    it.child.ready = ready
    await it.start()

    mended.unlink()
    os.kill(it.child.pid, signal.SIGKILL)
    await until(lambda: any("before it was ready" in each for each in said))
    mended.touch()

    await until(lambda: "It is back." in said)
    await it.stop()


async def test_a_child_that_never_was_ready_is_told_and_not_supervised(tmp_path):
    it = supervised("raise SystemExit('no')", tmp_path)
    it.child.ready = lambda: asyncio.sleep(0.5, result=False)

    with pytest.raises(NotReady, match="exit code 1 before it was ready"):
        await it.start()

    assert not it.child.running
