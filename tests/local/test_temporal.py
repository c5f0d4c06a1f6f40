import asyncio
import contextlib
import signal
import sqlite3
from datetime import timedelta

import pytest
from temporalio import workflow
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from deploy.local.ports import PortTaken, require_free
from deploy.local.processes import NotReady, free_port
from deploy.local.temporal import DATABASE, WRITTEN_BY, Temporal, WrittenByAnother
from workers.search_attributes import missing
from workflows.case import INDICATOR


@workflow.defn(name="Waits")
class Waits:
    """Waits for a word and returns it."""

    def __init__(self) -> None:
        self.word = ""

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: bool(self.word))
        return self.word

    @workflow.signal
    def say(self, word: str) -> None:
        self.word = word


async def retention(server: Temporal) -> timedelta:
    client = await server.connect()
    there = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=server.namespace)
    )
    return there.config.workflow_execution_retention_ttl.ToTimedelta()


@pytest.mark.crash
async def test_a_killed_server_comes_back_with_its_workflows_where_clients_left_it(tmp_path):
    async with Temporal(tmp_path) as server:
        client = await server.connect()
        about = TypedSearchAttributes([SearchAttributePair(INDICATOR, "APILatency")])
        plain = UnsandboxedWorkflowRunner()  # this module imports more than a workflow may
        async with Worker(client, task_queue="words", workflows=[Waits], workflow_runner=plain):
            handle = await client.start_workflow(
                Waits.run, id="a", task_queue="words", search_attributes=about
            )
            await server.kill()
            assert server.exit_code == -signal.SIGKILL
            await server.start()
            await handle.signal(Waits.say, "still here")

            assert await asyncio.wait_for(handle.result(), 20) == "still here"
            assert (await client.count_workflows("Indicator = 'APILatency'")).count == 1


async def test_a_folder_that_was_moved_keeps_its_search_attributes_and_closed_incidents(tmp_path):
    async with Temporal(tmp_path / "here") as server:
        assert await missing(await server.connect()) == ()
        assert await retention(server) == timedelta(days=30)
        assert await asyncio.to_thread(journal_mode, tmp_path / "here") == "wal"
        await server.kill()
    (tmp_path / "here").rename(tmp_path / "there")

    async with Temporal(tmp_path / "there") as server:
        client = await server.connect()
        assert await missing(client) == ()
        assert (await client.count_workflows("Indicator = 'APILatency'")).count == 0
        assert await retention(server) == timedelta(days=30)
        await server.kill()


def journal_mode(folder) -> str:
    with contextlib.closing(sqlite3.connect(folder / DATABASE)) as database:
        return database.execute("PRAGMA journal_mode").fetchone()[0]


async def test_a_longer_retention_that_somebody_chose_stays(tmp_path):
    longer = NamespaceConfig()
    longer.workflow_execution_retention_ttl.FromTimedelta(timedelta(days=90))
    async with Temporal(tmp_path) as server:
        client = await server.connect()
        await client.workflow_service.update_namespace(
            UpdateNamespaceRequest(namespace=server.namespace, config=longer)
        )
        await server.kill()
        await server.start()

        assert await retention(server) == timedelta(days=90)
        await server.kill()


async def test_a_database_of_another_server_version_is_refused_and_left_alone(tmp_path):
    (tmp_path / DATABASE).write_bytes(b"precious")
    (tmp_path / WRITTEN_BY).write_text('{"server": "1.12.3", "answered": true}')

    with pytest.raises(WrittenByAnother, match=r"written by Temporal server 1\.12\.3, and this is"):
        await Temporal(tmp_path).start()

    assert (tmp_path / DATABASE).read_bytes() == b"precious"


@pytest.mark.crash
async def test_a_database_whose_first_start_was_cut_short_is_begun_anew(tmp_path):
    (tmp_path / DATABASE).touch()
    (tmp_path / WRITTEN_BY).write_text('{"server": "1.32.0", "answered": false}')

    async with Temporal(tmp_path) as server:
        assert await missing(await server.connect()) == ()
        await server.kill()


async def test_a_file_that_is_no_database_is_left_alone_and_said(tmp_path):
    (tmp_path / DATABASE).write_bytes(b"precious" * 1000)

    with pytest.raises(NotReady, match="not a database"):
        await Temporal(tmp_path).start()

    assert (tmp_path / DATABASE).read_bytes() == b"precious" * 1000


async def test_two_servers_on_one_port_the_second_says_which(tmp_path):
    async with Temporal(tmp_path / "one") as first:
        with pytest.raises(PortTaken, match=f"Port {first.port}, for Temporal, is in use"):
            await Temporal(tmp_path / "two", port=first.port).start()
        await first.kill()


async def test_a_port_that_becomes_free_in_a_moment_is_waited_for():
    port = free_port()
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
    asyncio.get_running_loop().call_later(0.2, server.close)

    await require_free(port, "the door")

    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
