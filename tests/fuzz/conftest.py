"""One process of doors for all fuzzing, on a Temporal server where nobody works."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from activities.alerts import Alert, AlertStatus
from deploy.gameday.standins.slack import CHANNELS, SlackStandIn
from deploy.local.programs import temporal
from starters.door import application
from starters.opening import grouped, tell
from tests.conftest import FAST
from tests.fuzz.knocking import PAGERDUTY_SECRET, Knocking, Watched, Way, quiet
from tests.fuzz.knocking import alertmanager as alertmanager_way
from tests.fuzz.knocking import pagerduty as pagerduty_way
from tests.fuzz.knocking import slack as slack_way
from tests.starters.doors import SCOPE, settings
from tests.starters.workspace import BOT_TOKEN, PEOPLE, SIGNING_SECRET, WHO
from workflows.case import SEARCH_ATTRIBUTES
from workflows.policy import Policy


@dataclass(frozen=True, repr=False)
class House:
    """All doors, and the one incident that was open before anybody knocked."""

    client: Client
    doors: Knocking
    ways: dict[str, Way]
    incident: str
    run: str


@pytest.fixture(scope="session")
async def server() -> AsyncIterator[WorkflowEnvironment]:
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(temporal()),
        dev_server_log_level="error",
        dev_server_extra_args=FAST,
        dev_server_startup_timeout=timedelta(seconds=30),
        data_converter=pydantic_data_converter,
        search_attributes=SEARCH_ATTRIBUTES,
    )
    yield environment
    await environment.shutdown()
    await asyncio.sleep(0.3)  # sdk-python#300: an exit just after the last use may crash


@pytest.fixture(scope="session")
async def house(server: WorkflowEnvironment) -> AsyncIterator[House]:
    name, run = await opened(server.client)
    watched = Watched()
    async with SlackStandIn(BOT_TOKEN) as slack:
        chosen = settings(
            slack={
                "token": BOT_TOKEN, "signing_secret": SIGNING_SECRET, "base_url": slack.api_url,
                "channels": CHANNELS, "people": WHO,
            },
            pagerduty={"webhook_secrets": [PAGERDUTY_SECRET], "people": {"pdana01": "dana"}},
            policy={"people": PEOPLE},
        )  # fmt: skip
        doors = application(watched.beside(server.client), chosen)
        async with doors.router.lifespan_context(doors):
            ways = {
                "Alertmanager": alertmanager_way(),
                "Slack": slack_way(),
                "PagerDuty": pagerduty_way(name, run),
            }
            yield House(server.client, Knocking(doors, watched), ways, name, run)


async def opened(client: Client) -> tuple[str, str]:
    """An incident that Temporal keeps, and its first run."""
    alert = Alert(
        fingerprint=uuid.uuid4().hex[:16],
        name="HighErrorRate",
        status=AlertStatus.FIRING,
        starts_at=datetime.now(UTC),
        labels={"alertname": "HighErrorRate", "service": f"api-{uuid.uuid4().hex[:8]}"},
    )
    [group] = grouped([alert], SCOPE)
    await tell(client, group, Policy(), environment="", seconds=5)
    described = await client.get_workflow_handle(group.id).describe()
    return group.id, described.run_id


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The log of every test here is held to what a log may say."""
    for chatty in ("httpx", "httpcore", "aiohttp.access", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    yield
    quiet(caplog.get_records("call"))
