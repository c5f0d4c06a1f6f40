"""What the doctor says of our own servers: real ones, and with each right that can be missing."""

import re
from pathlib import Path

import httpx
import pytest

from deploy.gameday.standins.kubernetes import READER, TOKEN, KubernetesStandIn
from deploy.local.metrics import Alertmanager, Prometheus
from deploy.local.valkey import Valkey
from tests.activities.databases import served, until
from tests.activities.scripted_host import APP, scripted_host
from workers.checks import machines, monitoring, stores
from workers.checks.check import State, examined
from workers.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
RULES = (ROOT / "deploy/prometheus/rules.yml").read_text()
NAMED = re.findall(r"- (?:alert|record): (\S+)", RULES)
USERS = (ROOT / "deploy/redis/users.acl").read_text()
PASSWORD = "correct-horse-battery"


async def look(kind, *, changes=True, **sections):
    async with httpx.AsyncClient(trust_env=False) as http:
        return await examined(kind(Settings(**sections), http), changes=changes)


def said(found):
    return " | ".join((found.said, *found.todo))


@pytest.fixture(scope="module")
async def postgres(tmp_path_factory):
    async with served(tmp_path_factory.mktemp("postgres")) as server:
        await server.admin(
            "CREATE TABLE push_queue (id int); GRANT SELECT ON push_queue TO responder, blind;"
            "ALTER ROLE onlooker SET default_transaction_read_only = on;"
        )
        yield server


@pytest.mark.parametrize(
    ("role", "sentences"),
    [
        pytest.param(
            "responder",
            ["GRANT UPDATE ON push_queue TO responder is missing"],
            id="a right on a table of the platform is missing",
        ),
        pytest.param(
            "onlooker",
            [
                "GRANT SELECT ON push_queue TO onlooker is missing",
                "the role onlooker may end no session: GRANT pg_signal_backend TO onlooker",
                "the role onlooker only reads",
                "GRANT UPDATE ON push_queue TO onlooker is missing",
            ],
            id="a role that only reads and ends nothing",
        ),
        pytest.param(
            "blind",
            [
                "the role blind is blind: it sees no session but its own; GRANT pg_monitor TO",
                "the role blind may end no session",
                "GRANT UPDATE ON push_queue TO blind is missing",
            ],
            id="a role that sees nobody",
        ),
    ],
)
async def test_postgresql_names_the_role_and_the_grants_it_lacks(postgres, role, sentences):
    found = await look(stores.PostgresCheck, postgres={"dsn": postgres.conninfo(role)})

    assert found.state is State.WRONG
    assert len(found.todo) == len(sentences)
    for todo, sentence in zip(found.todo, sentences, strict=True):
        assert todo.startswith(sentence)
    assert found.said.endswith(f"as {role}")


async def test_postgresql_is_well_where_nothing_is_to_be_changed_from(postgres):
    found = await look(
        stores.PostgresCheck, changes=False, postgres={"dsn": postgres.conninfo("responder")}
    )

    assert found.state is State.OK
    assert "may not change: GRANT UPDATE" in found.said


async def test_a_wrong_password_of_postgresql_is_said_and_never_shown(postgres):
    dsn = postgres.conninfo("responder", "another-secret")

    found = await look(stores.PostgresCheck, postgres={"dsn": dsn})

    assert found.state is State.WRONG
    assert "another-secret" not in said(found)
    assert "password" in said(found)


@pytest.fixture(scope="module")
async def valkey(tmp_path_factory):
    folder = tmp_path_factory.mktemp("valkey")
    (folder / "users.acl").write_text(USERS.replace("resetpass", f"resetpass >{PASSWORD}"))
    async with Valkey(folder, options={"aclfile": str(folder / "users.acl")}) as server:
        yield server


def of_redis(server, user, password=PASSWORD):
    url = f"redis://{user}:{password}@127.0.0.1:{server.port}/0"
    return {"redis": {"url": url}, "given": {"redis_disposable_prefixes": ["export:", "tmp:"]}}


async def test_the_users_of_redis_that_are_delivered_are_well(valkey):
    changing = await look(stores.RedisCheck, **of_redis(valkey, "responder-changes"))
    looking = await look(stores.RedisCheck, changes=False, **of_redis(valkey, "responder-looks"))

    assert (changing.state, changing.todo) == (State.OK, ())
    assert looking.state is State.OK


async def test_who_only_looks_at_redis_is_told_what_a_change_would_need(valkey):
    found = await look(stores.RedisCheck, **of_redis(valkey, "responder-looks"))

    lacks = "+config|set (%W~export:* +unlink) (%W~tmp:* +unlink)"
    assert found.todo == (f"our user of Redis lacks {lacks} (deploy/redis/users.acl)",)


async def test_a_wrong_password_of_redis_is_said_and_never_shown(valkey):
    found = await look(stores.RedisCheck, **of_redis(valkey, "responder-looks", "another-secret"))

    assert found.state is State.WRONG
    assert "another-secret" not in said(found)


def of_host(host, **more):
    login = host.login()
    section = {
        "address": login.host,
        "port": login.port,
        "user": login.user,
        "key_file": login.key,
        "known_hosts_file": login.known_hosts,
        "units": ["redis"],
    }
    return {"host": section | more, "given": {"app": APP}}


PRESENT = {"which": (0, "/usr/bin/it\n", ""), "sudo -n -l": (0, "/usr/bin/systemctl\n", "")}


async def test_the_host_is_entered_and_nothing_is_done_there(tmp_path):
    async with scripted_host(tmp_path) as host:
        host.answers = PRESENT
        found = await look(machines.HostCheck, **of_host(host))
        kept = await look(machines.Pm2Check, **of_host(host))

        assert (found.state, found.todo) == (State.OK, ())
        assert found.said == "responder is let in; may restart redis"
        assert kept.said == f"keeps 3 instances of {APP}"
        assert host.count("sudo -n systemctl") == 0
        assert {each.restarts for each in host.instances} == {0}


@pytest.mark.parametrize(
    ("answers", "more", "sentence"),
    [
        pytest.param(
            {"sudo -n -l": (1, "", "sudo: a password is required\n")},
            {},
            "responder may not restart redis: add to sudoers `responder ALL=(root) NOPASSWD:",
            id="sudo that would ask for a password",
        ),
        pytest.param(
            {"which redis-cli": (1, "", "")}, {}, "redis-cli is not on PATH", id="a program"
        ),
        pytest.param({}, {"units": ["reddis"]}, "there is no service reddis there", id="a service"),
    ],
)
async def test_the_host_says_which_right_or_program_is_missing(tmp_path, answers, more, sentence):
    async with scripted_host(tmp_path) as host:
        host.answers = {**answers, **{k: v for k, v in PRESENT.items() if k not in answers}}
        found = await look(machines.HostCheck, **of_host(host, **more))

    assert found.state is State.WRONG
    assert found.todo[0].startswith(sentence)


@pytest.mark.parametrize(
    ("section", "begins"),
    [
        pytest.param({"host": {"deploy_log": "/srv/log"}}, "tail", id="the log of deployments"),
        pytest.param({"disk": {"log_folder": "/var/log/x"}}, "env LC_ALL=C stat", id="the logs"),
        pytest.param({"releases": {"root": "/srv/app"}}, "readlink", id="the releases"),
    ],
)
async def test_the_host_says_which_path_cannot_be_read(tmp_path, section, begins):
    async with scripted_host(tmp_path) as host:
        host.answers = {**PRESENT, begins: (1, "", "Permission denied\n")}
        sections = of_host(host, **section.get("host", {}))
        found = await look(machines.HostCheck, **{**section, **sections})

    [todo] = found.todo
    assert "cannot be read there (Permission denied): RESPONDER_" in todo


async def test_a_host_that_shows_another_key_is_not_entered(tmp_path):
    async with scripted_host(tmp_path) as host:
        port = host.server.get_port()
        (tmp_path / "known_hosts").write_text(
            f"[127.0.0.1]:{port} {(tmp_path / 'authorized').read_text()}"
        )
        found = await look(machines.HostCheck, **of_host(host))

        assert "shows a host key that is not in the known hosts" in said(found)
        assert host.ran == []


async def test_an_application_that_pm2_does_not_keep_is_said(tmp_path):
    async with scripted_host(tmp_path) as host:
        found = await look(machines.Pm2Check, **of_host(host) | {"given": {"app": "other"}})

    assert found.todo == ("pm2 on 127.0.0.1 has no application named other",)


@pytest.mark.parametrize(
    ("token", "count"),
    [
        pytest.param(TOKEN, 0, id="all rights"),
        pytest.param(READER, 2, id="only the right to read"),
    ],
)
async def test_kubernetes_says_what_may_not_be_patched_and_patches_nothing(tmp_path, token, count):
    async with KubernetesStandIn(tmp_path) as server:
        server.cluster.create(APP, "registry/api:1", replicas=2)
        before = server.cluster.deployments[APP]["metadata"]["resourceVersion"]
        section = {"kubeconfig": server.kubeconfig(token)}
        found = await look(
            machines.KubernetesCheck,
            processes={"kind": "kubernetes"},
            kubernetes=section,
            given={"app": APP},
        )
        after = server.cluster.deployments[APP]["metadata"]["resourceVersion"]

    assert len(found.todo) == count
    assert all(each.startswith("may not patch deployments") for each in found.todo)
    assert found.said.endswith("wants 2 pods")
    assert before == after


PLAIN = "global: {evaluation_interval: 1s}\n"
ALERTING = """
rule_files: [rules.yml]
alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:9']}]}]}
"""
RECEIVER = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


async def test_prometheus_without_rules_and_without_alertmanager_says_both(tmp_path):
    async with Prometheus(tmp_path, PLAIN) as prometheus:
        found = await look(monitoring.PrometheusCheck, prometheus={"url": prometheus.url})

    assert found.state is State.WRONG
    assert f"{len(NAMED)} of the {len(NAMED)} rules are not loaded" in found.todo[0]
    assert "put deploy/prometheus/rules.yml under `rule_files:`" in found.todo[0]
    assert "Prometheus sends its alerts to no Alertmanager" in found.todo[1]


async def test_prometheus_with_its_rules_and_an_alertmanager_is_well(tmp_path):
    files = {"rules.yml": RULES}

    async def well():
        found = await look(monitoring.PrometheusCheck, prometheus={"url": prometheus.url})
        return found if found.state is State.OK else None

    async with Prometheus(tmp_path, ALERTING, files=files) as prometheus:
        # It takes some seconds until it has found its Alertmanagers.
        found = await until(well, 30)

    assert found.said == f"answers; {len(NAMED)} rules are loaded"


async def test_alertmanager_is_well_once_what_always_fires_is_there(tmp_path):
    async with Alertmanager(tmp_path, RECEIVER) as alerting:
        where = {"alertmanager": {"url": alerting.url}}
        lonely = await look(monitoring.AlertmanagerCheck, **where)
        async with httpx.AsyncClient(trust_env=False) as http:
            fires = [{"labels": {"alertname": "Watchdog", "severity": "none"}}]
            await http.post(f"{alerting.url}/api/v2/alerts", json=fires)
        found = await look(monitoring.AlertmanagerCheck, **where)

    assert "Watchdog, which always fires, is not there" in said(lonely)
    assert found.said == "answers, and Watchdog fires there, as it always should"
    assert found.state is State.OK


async def test_an_address_of_prometheus_where_something_else_answers_is_said():
    found = await look(monitoring.PrometheusCheck, prometheus={"url": "http://127.0.0.1:1"})

    assert found.state is State.WRONG
    assert "Prometheus cannot be reached" in said(found)


async def test_a_door_that_lets_everybody_in_is_wrong():
    found = await look(monitoring.DoorCheck, door={"insecure": True})

    assert found.todo == ("anybody may bring alerts: unset RESPONDER_DOOR__INSECURE",)
