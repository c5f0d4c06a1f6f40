"""Pods that are ready or not: a second place to look from, which may know nothing."""

import asyncio

import httpx
import pytest
from temporalio.exceptions import ApplicationError

from activities.api_health import ApiHealth, Trouble, everywhere
from activities.kubernetes_health import KubernetesHealth
from activities.words import Nothing
from tests.activities.attempts import run
from tests.activities.clusters import platform

PROBE = {"httpGet": {"path": "/healthz", "port": 3000}}


@pytest.fixture
async def api(tmp_path):
    async with platform(tmp_path) as api:
        api.deploy("registry/api:1", readinessProbe=PROBE)
        yield api


@pytest.fixture
async def health(api):
    async with api.adapters() as ours:
        yield KubernetesHealth(ours.app, pause_seconds=0.05)


async def test_pods_that_are_ready_answer(health):
    seen = await run(health.on_host, Nothing())

    assert (len(seen.instances), seen.answers, seen.down) == (2, True, False)
    assert seen.summary == "instance 0 answers, instance 1 answers"


async def test_pods_that_crash_are_down_only_all_together(api, health):
    first, second = sorted(api.cluster.pods)
    api.cluster.crash(first)
    some = await run(health.on_host, Nothing())
    api.cluster.crash(second)
    all_ = await run(health.on_host, Nothing())

    assert (some.answers, some.down) == (False, False)
    assert (all_.answers, all_.down) == (False, True)
    assert {each.trouble for each in all_.instances} == {Trouble.STOPPED}


async def test_a_pod_that_runs_and_is_not_ready_fails_its_check(api, health):
    for pod in api.cluster.pods.values():
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}]

    seen = await run(health.on_host, Nothing())

    assert seen.down
    assert {each.trouble for each in seen.instances} == {Trouble.NOT_READY}


async def test_one_bad_look_of_three_is_not_down(api, health):
    pods = list(api.cluster.pods.values())
    for pod in pods:
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    looking = asyncio.ensure_future(run(health.on_host, Nothing()))
    while ("list", "pods") not in api.server.asked:
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.02)
    for pod in pods:
        pod["status"]["conditions"] = [{"type": "Ready", "status": "True"}]

    seen = await looking

    assert (seen.answers, seen.down) == (False, False)


async def test_without_a_readiness_probe_being_ready_says_nothing(api, health):
    api.deploy("registry/api:1", readinessProbe=None)

    with pytest.raises(ApplicationError, match="readinessProbe"):
        await run(health.on_host, Nothing())
    async with httpx.AsyncClient() as http:
        sample = await everywhere(ApiHealth(http, ""), health)
    assert sample.good is None
