import pytest

from activities.host import Deployment, Deployments, HostPong
from activities.record import Asks
from activities.redis import Pong
from activities.redis_findings import Finding
from activities.services import Unit
from activities.status_pages import ProviderStatus
from activities.supervisor import Process, Processes
from activities.words import Risk
from tests.procedures.asking import LATE, NOW, activities, consult, plan, said, the

RESTART, SWITCH = "host.restart_service", "switches.set"


def pong(finding: Finding = Finding.NONE, text: str = "") -> Pong:
    answered = finding in {Finding.NONE, Finding.READONLY}
    return Pong(answered=answered, finding=finding, said=text, milliseconds=3.0)


def host_pong(finding: Finding = Finding.NONE, text: str = "") -> HostPong:
    return HostPong(answered=finding is Finding.NONE, finding=finding, said=text)


def unit(**more) -> Unit:
    return Unit(**{"loaded": True, "state": "failed", "pid": 0, "self_hosted": True} | more)


def instances(cached: str | None = None, count: int = 2) -> Processes:
    environment = {} if cached is None else {"USE_IN_MEMORY_CACHE": cached}
    return Processes(
        app="pravado-api",
        instances=tuple(
            Process(id=n, pid=100 + n, status="online", restarts=0, environment=environment)
            for n in range(count)
        ),
    )


def upstash(state: str = "operational", words: str = "Redis: operational") -> ProviderStatus:
    url = "https://status.upstash.com"
    return ProviderStatus(provider="upstash", state=state, said=words, url=url)


DOWN = {
    "provider": upstash(),
    "from_worker": pong(Finding.REFUSED, "connection refused"),
    "from_host": host_pong(Finding.REFUSED, "connection refused"),
    "service": unit(result="signal"),
    "deployment": Deployments(last=(), newest_minutes_ago=None),
    "instances": instances(),
}


def redis(given=None, **found):
    return plan("RedisConnectionFailure", DOWN | found, **(given or {}))


ONE = {"from_worker": pong()}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param({}, [RESTART, SWITCH], id="down from both sides: restart, then memory"),
        pytest.param(
            {"from_worker": pong(Finding.TIMEOUT), "from_host": host_pong(Finding.TIMEOUT)},
            [RESTART, SWITCH],
            id="silent on both sides is down too",
        ),
        pytest.param(
            {"service": unit(state="active", pid=812)},
            [RESTART, SWITCH],
            id="a process that runs and does not answer is restarted",
        ),
        pytest.param(
            {"from_worker": pong(), "from_host": host_pong()}, [], id="it answers both: no step"
        ),
        pytest.param(ONE, [SWITCH], id="it answers the worker alone: never a restart"),
        pytest.param(
            {"from_host": host_pong()}, [SWITCH], id="it answers the host alone: never a restart"
        ),
        pytest.param({"from_worker": None}, [SWITCH], id="the worker could not ask: one word only"),
        pytest.param({"from_host": None}, [SWITCH], id="the host could not ask: one word only"),
        pytest.param({"from_worker": None, "from_host": None}, [SWITCH], id="nobody could ask"),
        pytest.param(
            {"service": unit(loaded=False, self_hosted=False)},
            [SWITCH],
            id="not a service of the host: nothing to restart",
        ),
        pytest.param({"service": None}, [SWITCH], id="the service could not be read"),
        pytest.param(
            {"service": unit(state="activating", sub_state="auto-restart", result="exit-code")},
            [SWITCH],
            id="a crash loop is not restarted once more",
        ),
        pytest.param(
            {"service": unit(result="start-limit-hit")},
            [SWITCH],
            id="a crash loop that systemd gave up is not restarted either",
        ),
        pytest.param({"instances": None}, [RESTART, SWITCH], id="the instances could not be read"),
        pytest.param({"deployment": None}, [RESTART, SWITCH], id="no log of deployments"),
        pytest.param(
            {"instances": instances("true")}, [RESTART], id="in memory already: only the restart"
        ),
    ],
)
def test_what_is_done_when_redis_fails(found, expected):
    assert activities(redis(**found)) == expected


@pytest.mark.parametrize(
    "finding",
    [
        pytest.param(finding, id=f"{finding.value} is a finding, never a restart")
        for finding in Finding
        if finding and not finding.means_down
    ],
)
def test_what_a_running_redis_says_is_never_answered_by_a_restart(finding):
    both = redis(from_worker=pong(finding, "so it is"), from_host=host_pong(finding, "so it is"))
    contradictory = redis(from_host=host_pong(finding, "so it is"))

    assert RESTART not in activities(both) + activities(contradictory)
    assert f"{finding.value}: so it is" in said(both)
    assert f"from the API host: {finding.value}: so it is" in contradictory.findings


@pytest.mark.parametrize(
    ("given", "risk", "loss"),
    [
        pytest.param({}, Risk.DESTRUCTIVE, "LOST", id="undeclared: the data are lost"),
        pytest.param(
            {"redis_persists": True}, Risk.DISRUPTIVE, "back from disk", id="declared to persist"
        ),
        pytest.param(
            {"redis_cache_only": True}, Risk.DISRUPTIVE, "only a cache", id="declared a cache only"
        ),
    ],
)
def test_a_restart_is_destructive_unless_something_else_is_declared(given, risk, loss):
    restart = the(redis(given), RESTART)

    assert (restart.risk, restart.target, restart.restarts) == (risk, "redis", True)
    assert loss in restart.effect
    assert restart.effect.startswith("restart redis on the API host (failed, no process)")
    assert restart.order == {
        "unit": "redis",
        "requested_at": NOW.isoformat().replace("+00:00", "Z"),
    }


def test_the_cache_in_memory_is_disruptive_and_undone_once_redis_is_back():
    switch = the(redis(), SWITCH)

    assert switch.effect == (
        "set “in-memory cache” from false to true, "
        "which restarts all 2 instances of pravado-api once"
    )
    assert (switch.risk, switch.undo, switch.restarts) == (Risk.DISRUPTIVE, True, True)
    assert switch.order["values"] == {"in-memory cache": "true"}
    assert "the database carries more" in switch.why


@pytest.mark.parametrize(
    ("found", "asks"),
    [
        pytest.param({}, Asks.POLICY, id="down: the policy decides"),
        pytest.param(ONE, Asks.ALWAYS, id="gone for the API's host alone: ask"),
        pytest.param({"from_host": None}, Asks.ALWAYS, id="gone for the worker, that is all: ask"),
        pytest.param({"from_worker": None}, Asks.ALWAYS, id="gone for the host, that is all: ask"),
        pytest.param({"from_host": host_pong()}, Asks.ALWAYS, id="the API's host reaches it: ask"),
        pytest.param({"from_worker": None, "from_host": None}, Asks.ALWAYS, id="nothing read: ask"),
        pytest.param(
            {"from_worker": pong(Finding.DNS), "from_host": host_pong(Finding.DNS)},
            Asks.ALWAYS,
            id="only our own eyes are broken: ask",
        ),
    ],
)
def test_the_api_is_restarted_for_a_cache_in_memory_without_asking_only_where_both_sides_agree(
    found, asks
):
    assert the(redis(**found), SWITCH).asks is asks


def test_a_managed_redis_is_left_to_its_provider_and_people_get_the_link():
    managed = redis({"redis_unit": ""})
    elsewhere = redis(
        {"redis_console": "https://cache.example.com"}, service=unit(self_hosted=False)
    )

    assert activities(managed) == [SWITCH]
    assert "https://console.upstash.com" in managed.findings[0]
    assert "https://cache.example.com" in elsewhere.findings[0]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param(
            {"provider": upstash("outage", "Redis: major_outage")},
            "status page says outage: Redis: major_outage (https://status.upstash.com)",
            id="an outage of the provider",
        ),
        pytest.param({}, "status page says operational", id="the provider sees nothing"),
        pytest.param({"provider": None}, "provider: could not be read", id="its page is silent"),
    ],
)
def test_a_managed_redis_is_told_with_its_providers_own_word(found, words):
    managed = redis({"redis_unit": ""}, service=unit(self_hosted=False), **found)

    assert words in said(managed)
    assert activities(managed) == [SWITCH], "a status page is never the reason to act or not to"


def test_the_provider_has_no_word_about_a_redis_of_our_own():
    assert "status page" not in said(redis(provider=upstash("outage", "all is down")))


def test_a_redis_that_answers_only_sometimes_is_not_down_and_that_is_said():
    flapping = redis(from_worker=pong().model_copy(update={"failures": 2}))

    assert RESTART not in activities(flapping)
    assert "from the worker it answered only after 2 pings had failed" in flapping.findings


def test_it_takes_three_failures_from_either_side_within_a_minute_to_call_it_down():
    probes = {each.key: each for each in consult("RedisConnectionFailure").probes}

    for side in ("from_worker", "from_host"):
        ask, most = probes[side].ask, probes[side].seconds
        assert ask["times"] == 3
        assert ask["times"] * ask["every_seconds"] < most < 60


def test_after_the_last_step_people_are_told_to_provision_a_new_instance():
    assert "provision a new instance" in redis().when_out


def test_what_could_not_be_read_is_said_with_its_reason():
    blind = redis(from_worker=None)

    assert f"PING from the worker: could not be read: {LATE}" in blind.findings


def test_the_last_deployment_is_named():
    last = Deployment(at=NOW, release="v1.42.0", author="dana")
    seen = redis(deployment=Deployments(last=(last,), newest_minutes_ago=12.4))

    assert "last deployment: v1.42.0 by dana, 12 minutes ago" in seen.findings


def test_it_has_recovered_only_when_both_sides_get_an_answer():
    condition = consult("RedisConnectionFailure").facts.condition

    assert condition.checks == ("redis.ping", "host.redis_ping")


def test_the_switch_goes_by_the_name_that_the_platform_gives_it():
    named = {"variables": {"in-memory cache": "CACHE_IN_MEMORY"}}
    on = Processes(
        app="pravado-api",
        instances=(
            Process(
                id=0, pid=1, status="online", restarts=0, environment={"CACHE_IN_MEMORY": "true"}
            ),
        ),
    )

    assert activities(redis(named, instances=on)) == [RESTART]
