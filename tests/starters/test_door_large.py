"""Deliveries of more incidents than Temporal takes while their sender waits."""

import asyncio
import json
import time
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from starters.accepted import Accepted
from starters.opening import MOST_BYTES, notices
from tests.starters.doors import PATH, door, elsewhere, groups, recorded, settings, told


def many(count: int) -> dict[str, Any]:
    payload = elsewhere(recorded("firing_single"))
    [first] = payload["alerts"]
    payload["alerts"] = [
        {
            **first,
            "fingerprint": f"{n:016x}",
            "labels": {**first["labels"], "service": f"service-{n:04}"},
        }
        for n in range(count)
    ]
    return payload


async def test_repeats_of_a_large_delivery_come_to_its_end(live):
    payload = many(150)
    chosen = settings(door={"at_once": 1, "deadline_seconds": 0.4})
    left = []

    async with door(live.client, chosen) as http:
        for _ in range(100):
            answer = await http.post(PATH, json=payload)
            if answer.status_code == HTTPStatus.OK:
                break
            left.append(int(answer.json()["error"]["message"].split()[0]))
        begun = time.perf_counter()

    assert answer.status_code == HTTPStatus.OK, left
    assert answer.json()["incidents"] == 150
    assert left == sorted(left, reverse=True)  # each repeat is shorter than the one before
    assert len(left) > 1
    assert time.perf_counter() - begun < 5
    for group in groups(payload)[::30]:
        _, notices = await told(live.client, group.id)
        assert all(notice.alerts == group.alerts for notice in notices)


async def test_what_was_told_whole_is_told_again_when_it_comes_again(live):
    payload = many(3)

    async with door(live.client) as http:
        for _ in range(2):
            assert (await http.post(PATH, json=payload)).status_code == HTTPStatus.OK

    _, notices = await told(live.client, groups(payload)[0].id)
    assert len(notices) == 2


def test_only_the_repeat_of_what_failed_is_spared_and_the_rest_comes_first():
    first, second, third = groups(many(3))
    everything = [first, second, third]
    accepted = Accepted()
    assert accepted.ahead(everything) == everything

    accepted.over(everything, {first.id}, {second.id, third.id})

    assert accepted.ahead(everything) == [second, third]
    # It has changed meanwhile: it is told, but those that have waited come first.
    changed = replace(first, incomplete=True)
    assert accepted.ahead([changed, second, third]) == [second, third, changed]
    # Told something else in between, the first is told again what it was told before.
    accepted.over([changed], {changed.id}, set())
    assert accepted.ahead(everything) == [second, third, first]
    accepted.over(everything, {each.id for each in everything}, set())
    assert accepted.ahead(everything) == everything


def test_nothing_is_remembered_for_ever():
    first, second, third = groups(many(3))
    brief, small = Accepted(kept_seconds=0.0), Accepted(most=1)

    for accepted in (brief, small):
        accepted.over([first, second, third], {first.id, second.id}, {third.id})

    assert brief.ahead([first, second]) == [first, second]
    assert small.ahead([first, second, third]) == [third, first, second]


async def test_a_body_that_does_not_arrive_in_time_is_to_be_sent_again(live):
    async def slow():
        yield json.dumps(many(1)).encode()[:20]
        await asyncio.sleep(5)

    async with door(live.client, settings(door={"deadline_seconds": 0.1})) as http:
        headers = {"Content-Type": "application/json"}
        answer = await http.post(PATH, content=slow(), headers=headers)

    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.json()["error"]["code"] == "too_slow"


def test_the_size_of_a_signal_is_counted_in_bytes():
    payload = many(1)
    [first] = payload["alerts"]
    payload["alerts"] = [
        {**first, "fingerprint": f"{n:016x}", "annotations": {"summary": "\N{EURO SIGN}" * 3900}}
        for n in range(100)
    ]
    [group] = groups(payload)

    parts = list(notices(group))

    assert len(parts) == 3
    assert all(len(part.model_dump_json().encode()) < MOST_BYTES * 1.1 for part in parts)
