"""What the exporter tells Prometheus, of a real Redis."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.gameday.collector import Settings
from deploy.gameday.collectors import COLLECTORS
from deploy.gameday.exporter import app
from deploy.gameday.exporting import scraped
from deploy.local.processes import free_port
from deploy.local.valkey import Valkey


async def asked(settings, path):
    serving = app(settings)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(serving), base_url="http://exporter")
    async with serving.router.lifespan_context(serving), client:
        return await client.get(path)


def settings(redis_port, folder):
    return Settings(port=1, redis_port=redis_port, host_folder=folder)


@pytest.mark.parametrize(("option", "limit"), [("64mb", 64 * 2**20), ("0", 0)])
async def test_the_memory_of_redis_is_told_with_its_limit(tmp_path, option, limit):
    async with Valkey(tmp_path, options={"maxmemory": option}) as redis:
        answer = await asked(settings(redis.port, tmp_path), "/redis")

    found = {each.name: each.samples for each in text_string_to_metric_families(answer.text)}
    assert set(found) == {
        "redis_memory_used_bytes",
        "redis_memory_max_bytes",
        "redis_total_system_memory_bytes",
    }
    assert 0 < found["redis_memory_used_bytes"][0].value < 64 * 2**20
    assert found["redis_memory_max_bytes"][0].value == limit
    assert found["redis_total_system_memory_bytes"][0].value > 2**28


async def test_a_redis_that_does_not_answer_has_no_series_rather_than_the_last_ones(tmp_path):
    answer = await asked(settings(free_port(), tmp_path), "/redis")

    assert answer.status_code == 503
    assert "redis_memory_used_bytes" not in answer.text


def test_every_collector_is_a_job_of_prometheus_with_a_route_of_its_own():
    jobs = scraped(1234)

    assert {each["job_name"] for each in jobs} >= {"redis"}
    assert len({each["metrics_path"] for each in jobs}) == len(COLLECTORS)
