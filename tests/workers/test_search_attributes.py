import uuid
from datetime import timedelta

from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client

from workers.search_attributes import missing, register
from workflows.case import SEARCH_ATTRIBUTES


async def test_registering_adds_what_is_missing_and_does_nothing_the_second_time(live):
    namespace = f"new-{uuid.uuid4().hex[:8]}"
    request = RegisterNamespaceRequest(namespace=namespace)
    request.workflow_execution_retention_period.FromTimedelta(timedelta(days=1))
    await live.client.workflow_service.register_namespace(request)
    client = await Client.connect(
        live.client.service_client.config.target_host, namespace=namespace
    )
    assert len(await missing(client)) == len(SEARCH_ATTRIBUTES)

    added = await register(client)

    assert set(added) == {key.name for key in SEARCH_ATTRIBUTES}
    assert await register(client) == ()
    assert await missing(client) == ()


async def test_a_namespace_that_has_them_lacks_nothing(env):
    assert await missing(env.client) == ()
