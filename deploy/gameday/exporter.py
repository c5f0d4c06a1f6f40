"""The exporter: one process that measures what does not measure itself, a route for each job."""

import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from deploy.gameday.collector import Collector, Settings
from deploy.gameday.collectors import COLLECTORS

READY = "/ready"


def app(settings: Settings) -> Starlette:
    """Make the application."""
    collectors = [kind(settings) for kind in COLLECTORS]

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            for each in collectors:
                await each.close()

    return Starlette(
        routes=[
            Route(READY, _ready),
            *(Route(each.path, _scraped(each)) for each in collectors),
        ],
        lifespan=lifespan,
    )


def _scraped(collector: Collector) -> Callable[[Request], Awaitable[Response]]:
    async def scraped(_request: Request) -> Response:
        try:
            await collector.look()
        except Exception as error:  # noqa: BLE001 (whatever it was: unread is not the last value)
            return PlainTextResponse(f"{type(error).__name__}: {error}\n", status_code=503)
        return Response(generate_latest(collector.registry), media_type=CONTENT_TYPE_LATEST)

    return scraped


async def _ready(_request: Request) -> Response:
    return PlainTextResponse("ready\n")


def main() -> None:
    """Serve what the settings file describes, until asked to end."""
    settings = Settings.model_validate_json(Path(sys.argv[1]).read_text())
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.run(
            app(settings),
            host="127.0.0.1",
            port=settings.port,
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=1,
        )


if __name__ == "__main__":
    main()
