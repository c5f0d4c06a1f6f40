"""What an instance of the game day's API does with its push notifications."""

from importlib.resources import files
from types import SimpleNamespace

import psycopg
import pytest

from deploy.gameday.faults import Faults
from deploy.gameday.meters import Meters
from deploy.gameday.push import CAMPAIGN, LARGE, TOKEN, UNREACHABLE, URL, PushNotifications
from deploy.gameday.standins.expo import ExpoStandIn
from deploy.gameday.switches import SWITCHES
from tests.activities.databases import served


@pytest.fixture(scope="module")
async def connection(tmp_path_factory):
    async with served(tmp_path_factory.mktemp("postgres")) as server:
        dsn = server.server.dsn()
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            schema = files("deploy.gameday").joinpath("schema.sql").read_text()
            await connection.execute(schema.encode())
            yield connection


@pytest.fixture
async def service():
    async with ExpoStandIn("access") as standing:
        yield standing


@pytest.fixture
async def instance(connection, service, tmp_path):
    """Make an instance's share, set as an operator has it."""
    made = []

    async def query(_kind, statement, *values):
        return await (await connection.execute(statement.encode(), values)).fetchall()

    def make(**switches):
        api = SimpleNamespace(meters=Meters(), faults=Faults(tmp_path / "faults"), query=query)
        environment = {**SWITCHES, URL: service.url, TOKEN: "access", **switches}
        made.append(PushNotifications(api, environment))
        return made[-1], api

    yield make
    for each in made:
        await each.close()
    await connection.execute("TRUNCATE push_queue, push_receipts")


def value(api, name: str, **labels: str) -> float:
    return api.meters.registry.get_sample_value(name, labels) or 0.0


def failures(api, error: str) -> float:
    return value(api, "push_notification_failures_total", error_type=error)


async def count(connection, statement: str) -> int:
    [(number,)] = await (await connection.execute(statement.encode())).fetchall()
    return number


async def test_it_sends_and_reads_what_became_of_it(instance, service, connection):
    part, api = instance()
    await part._send()
    await part._read()
    assert len(service.delivered) == int(SWITCHES["PUSH_RATE_PER_SECOND"])
    assert value(api, "push_notifications_total") == 4
    assert value(api, "expo_push_up") == 1
    assert await count(connection, "SELECT count(*) FROM push_receipts WHERE error = ''") == 4


async def test_it_sends_slower_when_told_to(instance, service):
    part, _ = instance(PUSH_RATE_PER_SECOND="2")
    await part._send()
    assert len(service.delivered) == 2


async def test_it_queues_instead_and_still_sees_whether_expo_is_up(instance, service, connection):
    part, api = instance(PUSH_QUEUEING="true")
    service.down = True
    await part._send()
    await part._read()
    waiting = "SELECT count(*) FROM push_queue WHERE state = 'queued' AND expires_at > now()"
    assert await count(connection, waiting) == 4
    assert (value(api, "expo_push_up"), value(api, "push_notifications_total")) == (0, 0)
    service.down = False
    await part._read()
    assert value(api, "expo_push_up") == 1
    assert service.tickets == {}


async def test_what_expo_does_not_take_counts_as_failed(instance, service):
    part, api = instance()
    service.down = True
    await part._send()
    assert (failures(api, UNREACHABLE), value(api, "push_notifications_total")) == (4, 4)


@pytest.mark.parametrize("minimal", ["false", "true"])
async def test_a_large_payload_fails_unless_it_is_minimal(instance, service, minimal):
    part, api = instance(PUSH_MINIMAL_PAYLOAD=minimal)
    api.faults.put(LARGE)
    await part._send()
    await part._read()
    assert failures(api, "MessageTooBig") == (0 if minimal == "true" else 4)


async def test_a_campaign_reaches_its_audience_until_their_tokens_are_removed(
    instance, service, connection
):
    part, api = instance()
    service.dead = {"ExponentPushToken[phone-7]"}
    api.faults.put(CAMPAIGN, "7")
    await part._send()
    assert failures(api, "DeviceNotRegistered") == 1
    await connection.execute("DELETE FROM push_tokens WHERE id = 7")
    await part._send()
    assert failures(api, "DeviceNotRegistered") == 1
