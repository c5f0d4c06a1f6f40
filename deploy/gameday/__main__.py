"""Runs the platform of a game day by itself: `python -m deploy.gameday --data DIR`."""

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from deploy.gameday.platform import Platform


async def stand(folder: Path, webhook_url: str | None) -> None:
    """Run the platform until it is asked to end, its addresses on stdout."""
    asked = asyncio.Event()
    for signalled in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signalled, asked.set)
    token = os.environ.get("GAMEDAY_WEBHOOK_TOKEN", "")
    async with Platform(folder, webhook_url=webhook_url, webhook_token=token) as platform:
        sys.stdout.write(json.dumps(platform.addresses(), indent=2) + "\n")
        sys.stdout.flush()
        await asked.wait()


def main() -> None:
    """Run the platform from the command line."""
    parser = argparse.ArgumentParser(description="Run a small Pravado platform to break.")
    parser.add_argument("--data", type=Path, required=True, help="folder for its data")
    parser.add_argument(
        "--webhook-url", help="the responder's door; its token in GAMEDAY_WEBHOOK_TOKEN"
    )
    given = parser.parse_args()
    asyncio.run(stand(given.data, given.webhook_url))


if __name__ == "__main__":
    main()
