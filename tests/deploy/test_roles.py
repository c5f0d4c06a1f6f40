"""What the responder may do in the platform's cluster is exactly what it does."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from activities.processes import App, RollingRestart, Scale
from activities.rollbacks import Rollback
from activities.switches import SetSwitches, Switch
from tests.activities.attempts import run
from tests.activities.clusters import APP, platform

ROLES = Path(__file__).resolve().parents[2] / "deploy/kubernetes/platform/roles.yml"
GROUPS = {"apps": {"deployments", "replicasets"}, "autoscaling": {"horizontalpodautoscalers"}}
GROUPS[""] = {"pods", "events"}
AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def role(name):
    [found] = [
        each
        for each in yaml.safe_load_all(ROLES.read_text())
        if each["kind"] == "Role" and each["metadata"]["name"] == name
    ]
    for rule in found["rules"]:
        [group] = rule["apiGroups"]
        assert {each.partition("/")[0] for each in rule["resources"]} <= GROUPS[group]
    return {
        (verb, resource)
        for rule in found["rules"]
        for verb in rule["verbs"]
        for resource in rule["resources"]
    }


@pytest.fixture
async def api(tmp_path):
    async with platform(tmp_path) as api:
        yield api


async def test_probes_may_look_and_nothing_else(api):
    async with api.adapters() as ours:
        await run(ours.processes.processes, App(app=APP))
        await ours.history.releases(5)
        await ours.releases.releases()

    assert api.server.asked == role("responder-probes")


async def test_changes_may_do_what_they_do_and_nothing_else(api):
    good, bad = api.newest, api.deploy("registry/api:2")
    async with api.adapters() as ours:
        scale = Scale(app=APP, replicas=3, most=9)
        before = await run(ours.processes.scale_read, scale)
        await run(ours.processes.scale, scale, before)
        await run(ours.processes.scale_undo, scale, before)
        back = Rollback(app=APP, to=good, leaving=bad, requested_at=AT)
        await run(ours.releases.rollback, back, await run(ours.releases.rollback_read, back))
        switch = SetSwitches(app=APP, values={Switch.IN_MEMORY_CACHE: "true"})
        values = await run(ours.switches.set_read, switch)
        await run(ours.switches.set, switch, values)
        await run(ours.switches.set_undo, switch, values)
        restart = RollingRestart(app=APP, requested_at=AT)
        running = await run(ours.processes.rolling_restart_read, restart)
        await run(ours.processes.rolling_restart, restart, running)

    assert api.server.asked == role("responder-changes")


def test_a_role_is_given_to_the_account_of_its_name():
    bindings = [
        each for each in yaml.safe_load_all(ROLES.read_text()) if each["kind"] == "RoleBinding"
    ]

    assert len(bindings) == 2
    for each in bindings:
        [subject] = each["subjects"]
        assert subject["name"] == each["roleRef"]["name"] == each["metadata"]["name"]
