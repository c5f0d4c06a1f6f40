"""A Slack workspace whose people reach a door by HTTP or by Socket Mode, and hear its answers."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import uvicorn
from temporalio.client import Client

from activities.blocks import render_entry
from activities.buttons import Pressed, Target, encode
from activities.messages import Button, Entry
from activities.slack_history import metadata
from deploy.gameday.standins.slack import CHANNELS, SlackStandIn
from deploy.gameday.standins.slack_door import Door
from deploy.gameday.standins.slack_state import Message
from starters.door import application
from starters.slack_door import PATH
from tests.starters.doors import settings
from workers.settings import Settings
from workflows.policy import Rights

BOT_TOKEN = "xoxb-of-the-bot"
APP_TOKEN = "xapp-1-of-the-app"
SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
WHO = {"U0DANA": "dana", "U0LEE": "lee", "U0ROBIN": "robin", "U0MALLORY": "mallory"}
PEOPLE = {
    "dana": Rights(approves=("reversible", "disruptive", "outage", "destructive")),
    "lee": Rights(approves=("reversible", "disruptive", "outage", "destructive")),
    "robin": Rights(),
    "mallory": Rights(responder=False),
}


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self):
        yield


def listening() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


def chosen(slack_url: str, *, socket_mode: bool = False, **more) -> Settings:
    way = {"app_token": APP_TOKEN} if socket_mode else {"signing_secret": SIGNING_SECRET}
    slack = {"token": BOT_TOKEN, "base_url": slack_url, "channels": CHANNELS, "people": WHO}
    return settings(slack={**slack, **way, **more}, policy={"people": PEOPLE})


@asynccontextmanager
async def serving(client: Client, configured: Settings, listener: socket.socket):
    """All doors, as `responder serve` has them."""
    config = uvicorn.Config(
        application(client, configured), log_config=None, access_log=False, ws="none"
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        if running.done():
            await running
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await running


@asynccontextmanager
async def workspace(
    client: Client, *, socket_mode: bool = False, **more
) -> AsyncIterator[SlackStandIn]:
    """A workspace, and a door that it reaches."""
    listener = listening()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}"
    async with AsyncExitStack() as stack:
        way = {"app_token": APP_TOKEN} if socket_mode else {"door": Door(url, SIGNING_SECRET)}
        slack = await stack.enter_async_context(SlackStandIn(BOT_TOKEN, **way))
        configured = chosen(slack.api_url, socket_mode=socket_mode, **more)
        await stack.enter_async_context(serving(client, configured, listener))
        if slack.sockets is not None:
            while not slack.sockets.open:
                await asyncio.sleep(0.01)
        yield slack


def post(
    slack: SlackStandIn, buttons: Sequence[Pressed], target: Target, thread: str | None = None
) -> Message:
    """Put a message with buttons there, as the incident's own would stand; it is its root too."""
    offered = tuple(
        Button(action=each.value, text=each.value, value=encode(target)) for each in buttons
    )
    entry = Entry(key=f"{target.incident}/{target.run}/root-0", title="It is", buttons=offered)
    message = Message(
        channel=CHANNELS["incidents"],
        ts=slack.state.next_ts(),
        thread_ts=thread,
        user="U0RESPONDER",
        text="It is",
        blocks=render_entry(entry).blocks,
        metadata=metadata(entry.key),
    )
    slack.state.messages.append(message)
    return message


async def hears(slack: SlackStandIn, user: str, *, times: int = 1) -> str:
    """What one person is told, alone, for the *times*-th time; waited for as long as needed."""
    while len(slack.state.told(user)) < times:
        await asyncio.sleep(0.01)
    return slack.state.told(user)[times - 1]
