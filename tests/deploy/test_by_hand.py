"""What the runbook has people type: as it stands there, against what it is typed to."""

import asyncio
import re
import shlex
import subprocess
from itertools import pairwise

import psycopg
import pytest

from activities.switches import DECLARED
from deploy.gameday.database import DATABASE, Database
from workflows.situations import SITUATIONS

TYPED = [pytest.param(these.by_hand, id=these.procedure.__name__) for these in SITUATIONS]
DECLARED_AS = {declared.variable: declared.values for declared in DECLARED.values()}
NEVER = {
    r"\bKEYS\b": "it blocks Redis",
    r"\bDEL\b|FLUSH(ALL|DB)": "it deletes what is not expired",
    r"EXPLAIN ANALYZE SELECT|EXPLAIN \(ANALYZE": "it runs the statement",
    r"CREATE INDEX (?!CONCURRENTLY)": "it locks out all writers",
    r"\bprune\b": "the way back goes with it",
    r"git (revert|checkout)|pnpm build": "nothing is built on a sick host",
    r"find /var/log |rm -rf": "only under the log folder",
    r"\bexport \w+=": "it changes nothing without a restart with --update-env",
}


def commands(text: str) -> str:
    """Give what is run: comments warn, and are not."""
    return re.sub(r"(?m)(^|\s)#.*$", "", text)


def statements() -> list[str]:
    found: list[str] = []
    for these in SITUATIONS:
        whole = commands(these.by_hand).replace("\\\n", " ")
        for called in re.findall(r"""^psql (?:"[^"]*"|'[^']*'|[^"'\n])*""", whole, re.MULTILINE):
            words = shlex.split(called)
            found += [text for before, text in pairwise(words) if before == "-c"]
    return sorted(set(found))


@pytest.mark.parametrize("text", TYPED)
def test_a_shell_takes_it(text):
    done = subprocess.run(
        ["bash", "-n"],  # noqa: S607 (bash is where PATH has it)
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", TYPED)
def test_nothing_of_it_is_what_must_never_be_done_literally(text):
    for pattern, why in NEVER.items():
        assert not re.search(pattern, commands(text)), why


@pytest.mark.parametrize("text", TYPED)
def test_a_switch_is_set_by_its_name_to_a_value_that_it_takes_and_with_update_env(text):
    for line in commands(text).splitlines():
        for name, value in re.findall(r"(?<![\w$])([A-Z][A-Z_]+)=(\S+)", line):
            assert name in DECLARED_AS, f"the platform knows no {name}"
            assert DECLARED_AS[name].fullmatch(value)
            assert line.rstrip().endswith("pm2 reload pravado-api --update-env")


def test_statements_are_found_at_all():
    assert len(statements()) > 8
    assert any("pg_terminate_backend" in each for each in statements())


async def test_the_platform_s_database_takes_every_statement(tmp_path):
    async with Database(tmp_path) as server:
        connection = await psycopg.AsyncConnection.connect(server.dsn(DATABASE), autocommit=True)
        async with connection, asyncio.timeout(60):
            for text in statements():
                if "…" in text:
                    continue
                # No session has it: nobody is ended.
                await connection.execute(text.replace("PID", "2147483647").encode())
