"""Makes the client of a Kubernetes API server, which reads no more than is good for us."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import yaml
from lightkube import AsyncClient, KubeConfig
from lightkube.config.client_adapter import verify_cluster
from lightkube.config.kubeconfig import SingleConfig
from lightkube.core.exceptions import ConfigError

_MOST_BYTES = 16 * 1024 * 1024


def connect(kubeconfig: Path | None, context: str = "", *, seconds: float = 10.0) -> AsyncClient:
    """Make a client of a kubeconfig, or of the pod's own service account where there is none."""
    try:
        if kubeconfig:
            config = KubeConfig.from_file(kubeconfig).get(context or None)
        else:
            config = KubeConfig.from_service_account().get()
        return client_of(config, seconds=seconds)
    except (ConfigError, yaml.YAMLError, OSError, ValueError, KeyError, TypeError, AttributeError):
        # Not its text: it may quote the file.
        where = kubeconfig or "the service account of this pod"
        raise ValueError(f"{where} does not tell how Kubernetes is reached") from None


def client_of(config: SingleConfig | None, *, seconds: float = 10.0) -> AsyncClient:
    """Make a client of one cluster and user."""
    if config is None or config.user is None:
        raise ValueError("it names no cluster, or no user")
    # No proxy and no other setting of the environment is asked.
    verify = verify_cluster(config.cluster, config.user, config.abs_file, trust_env=False)
    transport = _Bounded(httpx2.AsyncHTTPTransport(verify=verify, trust_env=False))
    return AsyncClient(
        config,
        timeout=httpx2.Timeout(seconds),
        trust_env=False,
        transport=transport,
        lazy=False,
    )


class _Bounded(httpx2.AsyncBaseTransport):
    """Hands on answers up to a size."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self._inner.handle_async_request(request)
        if not isinstance(answer.stream, httpx2.AsyncByteStream):
            return answer
        answer.stream = _Some(answer.stream)
        return await _plain(answer) if answer.status_code >= 400 else answer

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _plain(answer: httpx2.Response) -> httpx2.Response:
    """Take what is no object for a page: the library would stumble over it, and lose the status."""
    try:
        body = await answer.aread()
        told = json.loads(body)
    except (ValueError, httpx2.HTTPError):
        told = None
    finally:
        await answer.aclose()
    headers = {
        name: value
        for name, value in answer.headers.items()
        if name.lower() not in {"content-type", "content-length", "content-encoding"}
    }
    if not isinstance(told, dict):
        return httpx2.Response(answer.status_code, headers={**headers, "content-type": "text/html"})
    headers["content-type"] = "application/json"
    return httpx2.Response(answer.status_code, headers=headers, content=body)


class _Some(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._inner:
            size += len(piece)
            if size > _MOST_BYTES:
                raise httpx2.ReadError("the answer is too large")
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()
