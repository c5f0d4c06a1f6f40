"""The maintenance page, over real HTTP: the flag in its store, and the edge that reads it."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from pydantic import SecretStr
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from temporalio.testing import ActivityEnvironment

from activities.changes import Targets
from activities.cloudflare_kv import Cell, Place
from activities.edge import Flag, Hold
from activities.errors import Gone, Refused, Unavailable, Unwell
from activities.maintenance import BeforeMaintenance, GoIntoMaintenance, Maintenance
from activities.web import Web
from activities.words import Nothing
from deploy.gameday.standins import cloudflare_kv as kv
from deploy.gameday.standins.edge import SECRET, EdgeStandIn
from deploy.gameday.standins.faults import outage, rate_limited
from deploy.gameday.standins.server import StandIn

ONE, OTHER = "SupabaseDown-postgres-0001", "APIErrorRate-api-0002"
ORDER = GoIntoMaintenance(message="We are on it.", lasts_seconds=1800)
BEFORE = BeforeMaintenance()
KEY = "maintenance"
ENVELOPE = Path(__file__).parents[1] / "fixtures/cloudflare/envelope.schema.json"


class Origin(StandIn):
    """A platform that is well."""

    def routes(self) -> list[Route]:
        return [Route("/{path:path}", lambda _: PlainTextResponse("well"), methods=["GET", "POST"])]

    def method(self, path: str) -> str | None:
        return "origin"


@dataclasses.dataclass
class Scene:
    store: kv.KvStandIn
    edge: EdgeStandIn
    http: httpx.AsyncClient
    maintenance: Maintenance

    @property
    def flag(self) -> Flag:
        return Flag.model_validate_json(self.store.values[KEY])

    async def seen(self, path: str = "/", **headers: str) -> int:
        return (await self.http.get(f"{self.edge.url}{path}", headers=headers)).status_code


def maintenance(
    store: kv.KvStandIn, http: httpx.AsyncClient, url: str = "", **more: Any
) -> Maintenance:
    where = Place(kv.ACCOUNT, kv.NAMESPACE, KEY, store.api_url)
    token = SecretStr(more.pop("token", kv.TOKEN))
    cell = Cell(http, dataclasses.replace(where, **more), token, seconds=2)
    return Maintenance(
        cell,
        Targets(),
        public=Web(http, "the public address") if url else None,
        url=url,
        spread=timedelta(seconds=0.1),
    )


@pytest.fixture
async def place() -> AsyncIterator[Scene]:
    async with Origin() as origin, kv.KvStandIn() as store:
        edge = EdgeStandIn(lambda: store.values.get(KEY))
        edge.origin = origin.url
        async with edge, httpx.AsyncClient(trust_env=False) as http:
            yield Scene(store, edge, http, maintenance(store, http, edge.url))


async def run(method: Callable[..., Any], *given: Any, who: str = ONE, attempt: int = 1) -> Any:
    """Carry out an activity for the incident *who*."""
    env = ActivityEnvironment()
    env.info = dataclasses.replace(env.info, attempt=attempt, workflow_id=who)
    return await env.run(method, *given)


async def test_users_see_the_page_until_it_is_taken_off(place: Scene) -> None:
    page = place.maintenance
    before = await run(page.on_read, ORDER)
    done = await run(page.on, ORDER, before)

    assert done.said.startswith("the maintenance page is on until ")
    assert await place.seen() == 503
    assert await place.seen("/webhooks/stripe") == 503
    assert await place.seen(**{"x-maintenance-bypass": SECRET}) == 200
    state = await run(page.state, Nothing())
    assert (state.on, state.share, state.holders) == (True, 0.0, (ONE,))
    assert SECRET not in str(place.store.values), "the flag names the header, and never its value"

    undone = await run(page.on_undo, ORDER, before)

    assert (undone.said, undone.changed) == ("the maintenance page is off", True)
    assert await place.seen() == 200
    assert not (await run(page.state, Nothing())).on


async def test_it_ends_with_the_last_of_two_incidents(place: Scene) -> None:
    page = place.maintenance
    await run(page.on, ORDER, BEFORE)
    done = await run(page.on, ORDER, BEFORE, who=OTHER)
    assert f"beside {ONE}" in done.said

    staged = await run(page.on_stage, ORDER, BEFORE, 1.0)
    assert (staged.share, await place.seen()) == (0.0, 503), "the other's hold is the stricter one"
    undone = await run(page.on_undo, ORDER, BEFORE)
    assert f"{OTHER} still has one" in undone.said
    assert await place.seen() == 503

    await run(page.on_undo, ORDER, BEFORE, who=OTHER)
    assert await place.seen() == 200


async def test_an_attempt_after_a_crash_finds_its_own_hold_and_writes_nothing(
    place: Scene,
) -> None:
    page = place.maintenance
    await run(page.on, ORDER, BEFORE)
    until = place.flag.holders[ONE].until

    await run(page.on, ORDER, BEFORE, attempt=2)

    assert len(place.store.writes) == 1
    assert place.flag.holders[ONE].until == until


async def test_an_attempt_after_a_crash_before_the_write_makes_it(place: Scene) -> None:
    await run(place.maintenance.on, ORDER, BEFORE, attempt=2)

    assert list(place.flag.holders) == [ONE]


async def test_two_incidents_at_the_same_moment_lose_neither_hold(place: Scene) -> None:
    page = place.maintenance

    await asyncio.gather(
        run(page.on, ORDER, BEFORE), run(page.on, ORDER, BEFORE, who=OTHER)
    )  # the store knows no transactions: one change at a time is made

    assert set(place.flag.holders) == {ONE, OTHER}


async def test_what_was_written_is_read_back_until_it_is_there(place: Scene) -> None:
    place.store.behind = 2

    await run(place.maintenance.on, ORDER, BEFORE)

    assert place.flag.holders[ONE].share == 0


async def test_a_store_that_never_shows_what_was_written_is_no_success(
    place: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.maintenance._POLL_SECONDS", 0.01)
    place.store.behind = 50

    with pytest.raises(Unavailable, match="reads as it was before"):
        await run(place.maintenance.on, ORDER, BEFORE)


async def test_an_edge_that_goes_on_letting_users_through_is_said(
    place: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.maintenance._POLL_SECONDS", 0.01)
    without_worker = maintenance(place.store, place.http, place.edge.origin)

    with pytest.raises(Unwell, match="the edge does not show the page"):
        await run(without_worker.on, ORDER, BEFORE)


async def test_a_renewal_moves_the_expiry_and_nothing_else(place: Scene) -> None:
    page = place.maintenance
    await run(page.on, ORDER.model_copy(update={"lasts_seconds": 60}), BEFORE)
    await run(page.on_stage, ORDER, BEFORE, 0.5)
    soon = place.flag.holders[ONE].until

    renewed = await run(page.on_renew, ORDER, BEFORE)

    assert renewed.until - soon > timedelta(minutes=28)
    assert place.flag.holders[ONE].share == 0.5


@pytest.mark.parametrize("change", ["on_renew", "on_stage"])
async def test_what_somebody_opened_by_hand_is_not_closed_again(place: Scene, change: str) -> None:
    page = place.maintenance
    await run(page.on, ORDER, BEFORE)
    del place.store.values[KEY]
    more = (0.0,) if change == "on_stage" else ()

    with pytest.raises(Gone, match="somebody has opened it"):
        await run(getattr(page, change), ORDER, BEFORE, *more)

    assert KEY not in place.store.values
    undone = await run(page.on_undo, ORDER, BEFORE)
    assert (undone.changed, undone.said) == (False, "the maintenance page is off, and was already")


async def test_a_hold_that_ran_out_is_not_renewed_behind_an_edge_that_may_have_opened(
    place: Scene,
) -> None:
    past = datetime.now(UTC) - timedelta(minutes=1)
    place.store.values[KEY] = Flag(holders={ONE: Hold(until=past)}).model_dump_json().encode()
    assert await place.seen() == 200, "it ran out, and the platform answers"

    with pytest.raises(Gone, match="ran out"):
        await run(place.maintenance.on_renew, ORDER, BEFORE)

    assert place.flag.holders[ONE].until == past


async def test_users_come_back_by_shares_and_stay_where_they_are(place: Scene) -> None:
    page = place.maintenance
    await run(page.on, ORDER, BEFORE)
    users = [f"198.51.{high}.{low}" for high in range(20) for low in range(10)]

    async def let_in(share: float) -> set[str]:
        staged = await run(page.on_stage, ORDER, BEFORE, share)
        assert staged.share == share
        seen = await asyncio.gather(*(place.seen(**{"cf-connecting-ip": who}) for who in users))
        return {who for who, status in zip(users, seen, strict=True) if status == 200}

    tenth, half, all_ = await let_in(0.1), await let_in(0.5), await let_in(1.0)

    assert 0.03 < len(tenth) / len(users) < 0.2
    assert 0.38 < len(half) / len(users) < 0.62
    assert tenth < half < all_ == set(users), "who is in stays in"
    writes = len(place.store.writes)
    await run(page.on_stage, ORDER, BEFORE, 1.0)
    assert len(place.store.writes) == writes, "the same stage twice writes once"
    assert await let_in(0.0) == set()


async def test_a_flag_that_is_not_ours_is_left_alone(place: Scene) -> None:
    place.store.values[KEY] = b"off"

    with pytest.raises(Unavailable, match="not ours"):
        await run(place.maintenance.on, ORDER, BEFORE)

    assert place.store.values[KEY] == b"off"


async def test_holds_that_ran_out_are_tidied_away_by_the_next_write(place: Scene) -> None:
    past = datetime.now(UTC) - timedelta(hours=1)
    place.store.values[KEY] = (
        Flag(holders={"long-ago": Hold(until=past)}).model_dump_json().encode()
    )

    await run(place.maintenance.on, ORDER, BEFORE)

    assert list(place.flag.holders) == [ONE]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"token": "nonsense-of-somebody"}, "Authentication error"),
        ({"account": "another"}, "Authentication error"),
        ({"namespace": "another"}, "namespace not found"),
    ],
    ids=["a token that is not valid", "another account", "a namespace that is not there"],
)
async def test_settings_that_are_wrong_are_refused_without_a_secret(
    place: Scene, wrong: dict[str, str], said: str
) -> None:
    with pytest.raises(Refused, match=said) as refused:
        await run(maintenance(place.store, place.http, **wrong).on_read, ORDER)

    assert "nonsense-of-somebody" not in str(refused.value)


async def test_a_store_that_is_busy_or_away_is_asked_again(place: Scene) -> None:
    place.store.fail(rate_limited(7), outage())

    with pytest.raises(Exception, match="429") as throttled:
        await run(place.maintenance.on_read, ORDER)
    assert throttled.value.next_retry_delay == timedelta(seconds=7)
    with pytest.raises(Unavailable):
        await run(place.maintenance.on_read, ORDER)
    assert (await run(place.maintenance.on_read, ORDER)).flag is None


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("values/nothing-there", kv.TOKEN, 404),
        ("values/maintenance", "wrong", 403),
    ],
    ids=["a key that is not there", "a token that is not valid"],
)
async def test_the_stand_in_says_no_as_cloudflare_does(
    place: Scene, path: str, token: str, status: int
) -> None:
    schema = json.loads(ENVELOPE.read_text())["ErrorData"]
    url = f"{place.store.api_url}/accounts/{kv.ACCOUNT}/storage/kv/namespaces/{kv.NAMESPACE}/{path}"

    answer = await place.http.get(url, headers={"Authorization": f"Bearer {token}"})

    assert (answer.status_code, answer.json()["success"]) == (status, False)
    for error in answer.json()["errors"]:
        jsonschema.validate(error, schema)
