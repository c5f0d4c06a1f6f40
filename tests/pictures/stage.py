"""Incidents to look at: the lifecycle, Temporal, its user interface and Slack's blocks are real."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from pydantic import SecretStr
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

from activities.alerts import SCOPE_LABELS, Alert
from activities.slack import Slack
from activities.slack_api import SlackApi, slack_api
from activities.slack_charts import SlackCharts
from deploy.gameday.standins.slack import CHANNELS, SlackStandIn
from deploy.local.processes import free_port
from deploy.local.programs import temporal
from starters.opening import grouped, tell
from tests.conftest import FAST
from tests.lifecycle.world import Story, Town, World
from tests.starters.workspace import BOT_TOKEN, workspace
from workflows.case import SEARCH_ATTRIBUTES
from workflows.policy import Policy

_QUIET = ("--ui-disable-news-fetch",)


class Square(Town):
    """A town whose messages go to a Slack workspace that can be looked at."""

    def __init__(self, env: WorkflowEnvironment, api: SlackApi) -> None:
        super().__init__(env)
        slack, charts = Slack(api, CHANNELS), SlackCharts(api)
        self.posts = (
            slack.post_root, slack.update_root, slack.post_entry, slack.update_entry,
            slack.announce, charts.post_chart,
        )  # fmt: skip

    async def hears(self, first: Alert, world: World, policy: Policy) -> Story:
        """Let an alert come in as the door has it."""
        [group] = grouped([first], SCOPE_LABELS)
        self.worlds[group.id] = world
        await tell(self.env.client, group, policy, environment="production", seconds=10)
        handle = self.env.client.get_workflow_handle(group.id)
        return Story(self, handle, first)


@dataclass(frozen=True)
class Stage:
    """Where it plays."""

    env: WorkflowEnvironment
    town: Square
    slack: SlackStandIn
    ui: str


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Raise it: Temporal with its user interface, workers, Slack, and the door that it reaches."""
    async with AsyncExitStack() as stack:
        port = free_port()
        env = await WorkflowEnvironment.start_time_skipping_v2(
            ts_config=TimeSkippingConfig(enabled=False),
            dev_server_existing_path=str(temporal()),
            dev_server_log_level="error",
            dev_server_extra_args=[*FAST, *_QUIET],
            dev_server_startup_timeout=timedelta(seconds=30),
            data_converter=pydantic_data_converter,
            search_attributes=SEARCH_ATTRIBUTES,
            ui=True,
            ui_port=port,
        )
        stack.push_async_callback(env.shutdown)
        slack = await stack.enter_async_context(workspace(env.client))
        api = await stack.enter_async_context(slack_api(SecretStr(BOT_TOKEN), url=slack.api_url))
        town = await stack.enter_async_context(Square(env, api))
        yield Stage(env, town, slack, f"http://127.0.0.1:{port}")
