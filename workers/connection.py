"""The connection to Temporal: where Temporal's own configuration says, in our way of writing."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import logging
import os
import socket
from datetime import timedelta
from typing import Any

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from workers.codec import Encryption
from workers.sections import CodecSettings
from workers.settings import SettingsWrong

DEFAULT_ADDRESS = "127.0.0.1:7233"
_CONNECT_SECONDS = 5.0
_AGAIN_SECONDS = 2.0

_log = logging.getLogger(__name__)


class NoTemporal(ConnectionError):
    """Temporal cannot be reached; the text says where it was looked for, and what to do."""

    def __init__(self, address: str, why: str = "") -> None:
        super().__init__(
            f"Temporal does not answer at {address}{f' ({why})' if why else ''}. Is it running? "
            "`responder up` starts a local one; TEMPORAL_ADDRESS names another."
        )
        self.address = address


def converter(codec: CodecSettings) -> DataConverter:
    """Make what writes and reads payloads: pydantic, and encrypted where there are keys."""
    if not codec.keys:
        return pydantic_data_converter
    keys = {
        name: base64.b64decode(key.get_secret_value(), validate=True)
        for name, key in codec.keys.items()
    }
    return dataclasses.replace(
        pydantic_data_converter,
        payload_codec=Encryption(keys, codec.chosen),
        # The usual one leaves the texts of errors readable beside the encrypted rest.
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


def temporal_config() -> dict[str, Any]:
    """Read Temporal's own configuration: ``TEMPORAL_…`` variables and its file's profile."""
    try:
        found = dict(ClientConfig.load_client_connect_config())
    except (OSError, RuntimeError, ValueError) as error:
        raise SettingsWrong(f"the configuration of Temporal cannot be used: {error}") from None
    return {"target_host": DEFAULT_ADDRESS, **found}


async def connect(
    codec: CodecSettings,
    *,
    role: str,
    runtime: Runtime | None = None,
    lazy: bool = False,
) -> Client:
    """Connect to Temporal, or raise `NoTemporal`; *lazy* leaves it to the first call."""
    config = temporal_config()
    try:
        return await Client.connect(
            **config,
            data_converter=converter(codec),
            identity=f"{role}@{socket.gethostname()}/{os.getpid()}",
            runtime=runtime,
            lazy=lazy,
            connect_timeout=timedelta(seconds=_CONNECT_SECONDS),
        )
    except (RPCError, RuntimeError, OSError) as error:
        # The core's text repeats itself and its addresses over several lines.
        refused = "refused" if "refused" in str(error).lower() else ""
        raise NoTemporal(config["target_host"], refused) from error


async def connect_patiently(
    codec: CodecSettings, *, role: str, runtime: Runtime | None = None
) -> Client:
    """Connect as soon as Temporal answers: a worker may be started before it is there."""
    said = False
    while True:
        try:
            client = await connect(codec, role=role, runtime=runtime)
            await _in_a_namespace(client)
        except NoTemporal as error:
            if not said:
                _log.warning("%s Waiting for it.", error)
            said = True
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            return client


async def _in_a_namespace(client: Client) -> None:
    try:
        await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=client.namespace)
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise SettingsWrong(
                f"Temporal has no namespace {client.namespace!r}: TEMPORAL_NAMESPACE names another"
            ) from None
        if unreachable(error):
            raise NoTemporal(temporal_config()["target_host"]) from error
        # It may be none of our business to ask: what we may do, the worker will find out.


def unreachable(error: BaseException) -> bool:
    """Judge whether a call failed because Temporal is not there, so that it may be repeated."""
    if isinstance(error, RPCError):
        return error.status in {
            RPCStatusCode.UNAVAILABLE,
            RPCStatusCode.DEADLINE_EXCEEDED,
            RPCStatusCode.CANCELLED,
            RPCStatusCode.RESOURCE_EXHAUSTED,
            RPCStatusCode.ABORTED,
            RPCStatusCode.INTERNAL,
            RPCStatusCode.UNKNOWN,
        }
    # A lazy client's first call connects, and fails with a plain RuntimeError.
    return isinstance(error, (NoTemporal, OSError, TimeoutError)) or (
        isinstance(error, RuntimeError) and "connect" in str(error).lower()
    )
