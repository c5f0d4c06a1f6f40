"""The search attributes of incidents, on the namespace that they are looked for in."""

from __future__ import annotations

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from workflows.case import SEARCH_ATTRIBUTES

_KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD


async def missing(client: Client) -> tuple[str, ...]:
    """Name the search attributes that the namespace lacks, or has with another type."""
    asked = ListSearchAttributesRequest(namespace=client.namespace)
    there = (await client.operator_service.list_search_attributes(asked)).custom_attributes
    return tuple(key.name for key in SEARCH_ATTRIBUTES if there.get(key.name) != _KEYWORD)


async def register(client: Client) -> tuple[str, ...]:
    """Add what the namespace lacks, and name it; nothing happens where all are there."""
    lacks = await missing(client)
    if lacks:
        order = AddSearchAttributesRequest(
            namespace=client.namespace, search_attributes=dict.fromkeys(lacks, _KEYWORD)
        )
        try:
            await client.operator_service.add_search_attributes(order)
        except RPCError as error:
            # Another deploy was a moment quicker.
            if error.status is not RPCStatusCode.ALREADY_EXISTS:
                raise
    return lacks
