"""Which incident a command means, asked of a Temporal server that has nothing else."""

import asyncio
from datetime import UTC, datetime

import pytest
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from activities.alerts import Alert, AlertStatus
from deploy.local.programs import temporal
from starters.acting import NotThere
from starters.finding import Filters, incidents
from starters.opening import grouped, tell
from starters.slack_commands import find
from starters.slack_views import listing, shown
from workflows.case import SEARCH_ATTRIBUTES
from workflows.policy import Policy


@pytest.fixture
async def quiet():
    """A server of this test alone, where nobody works."""
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(temporal()),
        dev_server_log_level="error",
        data_converter=pydantic_data_converter,
        search_attributes=SEARCH_ATTRIBUTES,
    ) as environment:
        yield environment.client
    await asyncio.sleep(0.3)  # sdk-python#300


async def opened(client, *services):
    """Open an incident for each service, and wait until the list has them."""
    names = []
    for service in services:
        first = Alert(
            fingerprint=service,
            name="APIDown",
            status=AlertStatus.FIRING,
            starts_at=datetime.now(UTC),
            labels={"alertname": "APIDown", "service": service, "severity": "critical"},
        )
        [group] = grouped([first], ("service",))
        await tell(client, group, Policy(), environment="test", seconds=5)
        names.append(group.id)
    while len(await incidents(client, Filters())) < len(services):
        await asyncio.sleep(0.05)
    return names


async def test_the_only_one_that_is_open_needs_no_name(quiet):
    with pytest.raises(NotThere, match="No incident is open"):
        await find(quiet, "", text=False)
    assert (await listing(quiet)).text == "No incident is open."

    [name] = await opened(quiet, "api")

    assert await find(quiet, "", text=False) == (name, "")
    assert await find(quiet, "30", text=False) == (name, "30")
    assert await find(quiet, "0123456789ab", text=False) == (name, "0123456789ab")
    assert await find(quiet, "re-started the router", text=True) == (name, "re-started the router")
    assert await find(quiet, "APIDown was the router", text=True) == (
        name,
        "APIDown was the router",
    ), "words are not taken for an id because they begin like one"


async def test_of_several_one_has_to_be_named_and_none_is_guessed(quiet):
    api, web = await opened(quiet, "api", "web")

    with pytest.raises(NotThere) as several:
        await find(quiet, "it was the router", text=True)
    assert "2 incidents are open; write which one" in str(several.value)
    assert {api, web} == {line[2:] for line in str(several.value).splitlines()[1:]}
    assert await find(quiet, "APIDown-w it was rain", text=True) == (web, "it was rain")
    assert await find(quiet, f"{api} it was rain", text=True) == (api, "it was rain")
    assert await find(quiet, "APIDown-api", text=False) == (api, "")
    with pytest.raises(NotThere, match="2 incidents begin with APIDown-"):
        await find(quiet, "APIDown- it", text=True)
    with pytest.raises(NotThere, match="No incident's id begins with"):
        await find(quiet, "Other-api-0a1b2c3d it was rain", text=True)
    with pytest.raises(NotThere, match="No incident's id begins with"):
        await find(quiet, "nonsense", text=False)


async def test_without_a_worker_what_temporal_knows_is_shown(quiet):
    [name] = await opened(quiet, "api")

    said = await shown(quiet, name, Policy())

    assert said.text.startswith(f"`{name}` critical, opening, opened ")
    assert "No worker answers" in said.text
    assert f"`{name}` critical" in (await listing(quiet)).text
