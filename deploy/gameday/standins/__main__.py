"""Serves the stand-ins in a process of their own, until it is told to end."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from deploy.gameday.standins.pagerduty import PagerDutyStandIn
from deploy.gameday.standins.slack import SlackStandIn
from deploy.gameday.standins.slack_door import Door

TOKEN = "xoxb-stand-in"  # noqa: S105 - it opens nothing
ROUTING_KEY = "0" * 32


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m deploy.gameday.standins", description=__doc__)
    parser.add_argument("--slack-port", type=int, default=0, help="0 chooses a free one")
    parser.add_argument("--pagerduty-port", type=int, default=0, help="0 chooses a free one")
    parser.add_argument("--data", type=Path, help="a folder to remember in; without it: forget")
    parser.add_argument("--token", default=TOKEN, help="the bot's token")
    parser.add_argument(
        "--routing-key", action="append", help=f"one that exists; may be repeated ({ROUTING_KEY})"
    )
    parser.add_argument("--app-token", default="", help="the app's token: speaks Socket Mode")
    parser.add_argument("--door", help="where presses of buttons go")
    parser.add_argument("--signing-secret", default="stand-in", help="what they are signed with")
    asyncio.run(_serve(parser.parse_args()))


async def _serve(asked: argparse.Namespace) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    data: Path | None = asked.data
    door = Door(asked.door, asked.signing_secret) if asked.door else None
    async with contextlib.AsyncExitStack() as stack:
        slack = await stack.enter_async_context(
            SlackStandIn(
                asked.token,
                app_token=asked.app_token,
                door=door,
                port=asked.slack_port,
                data=data and data / "slack.json",
            )
        )
        pagerduty = await stack.enter_async_context(
            PagerDutyStandIn(
                asked.routing_key or [ROUTING_KEY],
                port=asked.pagerduty_port,
                data=data and data / "pagerduty.json",
            )
        )
        sys.stdout.write(f"slack {slack.api_url} (page: {slack.url}/)\npagerduty {pagerduty.url}\n")
        sys.stdout.flush()
        await ended.wait()


if __name__ == "__main__":
    main()
