import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from temporalio import activity
from temporalio.client import ActivityFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.testing import ActivityEnvironment

from activities.errors import NotConfigured, Unavailable
from activities.redis_pings import Pings
from activities.verification import Answering, Outcome, Sample, Verdict, Verification, Watch
from activities.words import Nothing
from workers.composition import compose
from workers.looks import answering
from workers.settings import Settings
from workers.worker import workers
from workflows.efforts import Queue
from workflows.procedures import PROCEDURES
from workflows.procedures.base import Given, activity_name

SECRET = "hunter2-secret"


@asynccontextmanager
async def working(client, activities, secrets=()):
    composition = {queue: [] for queue in Queue} | {Queue.PROBES: activities}
    with ThreadPoolExecutor(1) as threads:
        [worker] = workers(
            client, composition, queues=[Queue.PROBES], threads=threads, secrets=secrets
        )
        async with worker:
            yield


async def asked(client, name, *args, result_type=None, attempts=1):
    return await client.execute_activity(
        name,
        args=args,
        id=uuid.uuid4().hex,
        task_queue=Queue.PROBES,
        start_to_close_timeout=timedelta(seconds=10),
        heartbeat_timeout=timedelta(seconds=30),
        retry_policy=RetryPolicy(maximum_attempts=attempts),
        result_type=result_type,
    )


async def test_every_queue_has_its_activities_each_under_one_name():
    async with compose(Settings()) as composition:
        names = {queue: {activity_name(each) for each in composition[queue]} for queue in Queue}
        counted = Counter(activity_name(each) for queue in Queue for each in composition[queue])

    assert set(counted.values()) == {1}
    assert names[Queue.INCIDENTS] == {"consult"}
    assert {"verification.watch", "redis.ping", "processes.list"} <= names[Queue.PROBES]
    assert {"host.restart_service.read", "host.restart_service"} <= names[Queue.CHANGES]
    assert {"switches.set", "switches.set.undo"} <= names[Queue.CHANGES]
    assert {name.partition(".")[0] for name in names[Queue.MESSAGES]} == {"slack", "email"}
    assert {name.partition(".")[0] for name in names[Queue.PAGES]} == {"pagerduty", "expo"}
    assert not names[Queue.PROBES] & {name.removesuffix(".read") for name in names[Queue.CHANGES]}


async def test_every_probe_of_a_procedure_is_on_the_queue_of_probes():
    async with compose(Settings()) as composition:
        there = {activity_name(each) for each in composition[Queue.PROBES]}

    probes = {probe.activity for kind in PROCEDURES for probe in kind(Given()).probes()}
    assert probes <= there


async def test_what_is_set_up_has_the_same_activities_as_what_is_not(tmp_path):
    everything = Settings(
        prometheus={"url": "http://127.0.0.1:1"},
        alertmanager={"url": "http://127.0.0.1:1"},
        redis={"url": "redis://127.0.0.1:1/0"},
        postgres={"dsn": "host=127.0.0.1 port=1"},
        host={
            "address": "api",
            "user": "me",
            "key_file": tmp_path / "key",
            "known_hosts_file": tmp_path / "known",
        },
        slack={"token": "xoxb-1", "channels": {"incidents": "C0123"}},
        pagerduty={"routing_key": "key"},
        maintenance={"account": "a", "namespace": "n", "token": "kv-token-of-a-test"},
        reach={"database_host": "db"},
        reports={"folder": tmp_path},
    )

    for name in ("key", "known"):
        (tmp_path / name).touch()
    async with compose(Settings()) as without, compose(everything) as full:
        for queue in Queue:
            assert {activity_name(each) for each in without[queue]} == {
                activity_name(each) for each in full[queue]
            }


async def test_what_renews_a_change_or_gives_back_a_part_of_it_is_made_where_changes_are():
    async with compose(Settings()) as composition:
        changes = {activity_name(each) for each in composition[Queue.CHANGES]}

    parts = ("", ".read", ".undo", ".renew", ".stage")
    assert {f"maintenance.on{part}" for part in parts} <= changes
    assert "maintenance.state" not in changes


async def test_what_is_not_set_up_says_which_setting_it_needs():
    async with compose(Settings()) as composition:
        [ping] = [e for e in composition[Queue.PROBES] if activity_name(e) == "redis.ping"]

        with pytest.raises(NotConfigured, match="RESPONDER_REDIS__URL"):
            await ActivityEnvironment().run(ping, Pings())


@activity.defn(name="leaks.ours")
async def leaks_ours(ask: Nothing) -> None:
    raise Unavailable(f"refused for {SECRET}", wait=timedelta(seconds=7)) from OSError(SECRET)


@activity.defn(name="leaks.library")
async def leaks_library(ask: Nothing) -> None:
    cause = ConnectionError(f"cannot connect to redis://me:{SECRET}@redis")
    raise RuntimeError(f"token={SECRET} in it") from cause


@activity.defn(name="leaks.details")
async def leaks_details(ask: Nothing) -> None:
    raise ApplicationError(
        "fine", {"deep": [SECRET]}, category=ApplicationErrorCategory.BENIGN, non_retryable=True
    )


@pytest.mark.parametrize("name", ["leaks.ours", "leaks.library", "leaks.details"])
async def test_no_error_carries_a_secret_out_of_an_activity(live, caplog, name):
    async with working(live.client, [leaks_ours, leaks_library, leaks_details], [SECRET]):
        with pytest.raises(ActivityFailureError) as failed:
            await asked(live.client, name, Nothing())

    cause, seen = failed.value.cause, ""
    while cause is not None:
        seen += f"{cause} {getattr(cause, 'details', '')} {cause.failure}"
        cause = cause.__cause__
    assert SECRET not in seen
    assert "redacted" in seen
    assert all(SECRET not in record.getMessage() for record in caplog.records)
    if name == "leaks.ours":
        assert failed.value.cause.type == "Unavailable"


async def test_a_verification_keeps_every_sample_though_heartbeats_are_throttled(live):
    looked = []

    async def check():
        looked.append(1)
        return Sample(at=datetime.now(UTC), good=len(looked) > 3, value=float(len(looked)))

    watch = Watch(
        condition=Answering(checks=("point",)), window_seconds=60, every_seconds=0.1, needed=3
    )
    async with working(
        live.client, [Verification({"answering": answering({"point": check})}).watch]
    ):
        verdict = await asked(
            live.client, "verification.watch", watch, result_type=Verdict, attempts=0
        )

    assert verdict.outcome is Outcome.RECOVERED
    assert [sample.value for sample in verdict.samples] == [1, 2, 3, 4, 5, 6]
