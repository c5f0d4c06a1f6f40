import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from deploy.local.postgres import Postgres
from deploy.local.scratch import Scratch, sweep

ROOT = Path(__file__).resolve().parents[2]
HELD = """
import sys, time
from deploy.local.scratch import Scratch
print(Scratch("held-").path, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.crash
def test_a_folder_is_swept_once_its_process_was_killed_and_not_before(temporary):
    env = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(
        [sys.executable, "-c", HELD], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True
    ) as holder:
        held = Path(holder.stdout.readline().strip())

        sweep("held-")
        assert held.exists()

        holder.send_signal(signal.SIGKILL)
        holder.wait()
        Scratch("held-").remove()

    assert list(temporary.iterdir()) == []


def test_what_is_kept_or_somebody_elses_is_never_swept(temporary):
    kept = Scratch("held-").keep()
    foreign = temporary / "held-foreign"
    foreign.mkdir()

    sweep("held-")

    assert sorted(temporary.iterdir()) == sorted([kept, foreign])


async def test_nobody_gets_into_postgres_without_a_password(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)  # where the user nobody can walk to
    async with Postgres(tmp_path) as server:
        for password in ("", ":postgres"):
            dsn = f"postgresql://postgres{password}@127.0.0.1:{server.port}/postgres"
            with pytest.raises(psycopg.OperationalError, match="password"):
                await psycopg.AsyncConnection.connect(dsn)

        connection = await psycopg.AsyncConnection.connect(server.dsn())
        async with connection:
            [(method,)] = await (
                await connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules")
            ).fetchall()
    assert method == "scram-sha-256"
