import json

import pytest
from typer.testing import CliRunner

from deploy.console import console
from starters.session import Exit


@pytest.fixture(autouse=True)
def _settings(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


def called(*words: str, expect: Exit = Exit.DONE):
    done = CliRunner(env={"COLUMNS": "200"}).invoke(console(), list(words))
    assert done.exit_code == expect, done.output
    return done


def test_the_procedures_are_listed_with_what_each_may_change():
    shown = called("procedures").stdout
    listed = json.loads(called("procedures", "--json").stdout)

    [redis] = [each for each in listed if each["name"] == "RedisConnectionFailure"]
    assert redis["severity"] == "critical"
    assert redis["may"] == ["host.restart_service", "switches.set"]
    assert redis["recovered"] == ["PING answers the worker", "PING answers the API host"]
    for each in listed:
        assert each["name"] in shown


@pytest.mark.parametrize("name", ["RedisConnectionFailure", "redisconn"])
def test_an_alert_is_explained_without_temporal_and_without_looking(name):
    # However wide the terminal is.
    shown = " ".join(called("explain", name).stdout.split())

    for said in (
        "CRITICAL RedisConnectionFailure: The API cannot reach Redis.",
        "after 30s (ours)",
        "PING from the worker · PING from the API host",
        "asks first (the settings let nobody approve it): restart redis on the API host",
        "by itself: set “in-memory cache” from false to true",
        "put back once it is over",
        "on-call is paged at once, with high urgency",
        "Nothing can be read",
        "provision a new instance",
        "redis-cli -u",
    ):
        assert said in shown


def test_a_program_reads_the_same():
    explained = json.loads(called("explain", "RedisConnectionFailure", "--json").stdout)

    [first, *_] = explained["responses"]
    assert first["acts"][0]["activity"] == "host.restart_service"
    assert explained["facts"]["section"] == "redis-connection-failure"


def test_the_settings_of_this_installation_decide(monkeypatch):
    monkeypatch.setenv("RESPONDER_POLICY__MODE", "observe")

    shown = called("explain", "RedisConnectionFailure").stdout

    assert "only says so: restart redis" in shown
    assert "by itself" not in shown


def test_who_may_approve_is_named(monkeypatch):
    people = {"dana": {"approves": ["destructive"]}, "lee": {"approves": ["destructive"]}}
    monkeypatch.setenv("RESPONDER_POLICY__PEOPLE", json.dumps(people))

    shown = called("explain", "RedisConnectionFailure").stdout

    assert "asks first (dana or lee): restart redis on the API host" in shown


def test_settings_that_cannot_be_used_do_not_hide_the_runbook(monkeypatch):
    monkeypatch.setenv("RESPONDER_DOOR__PORT", "many")

    done = called("explain", "RedisConnectionFailure")

    assert "RESPONDER_DOOR__PORT" in done.stderr
    assert "by itself: set “in-memory cache”" in done.stdout


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("RedisConectionFailure", "RedisConnectionFailure", id="mistyped"),
        pytest.param("Critical", "CriticalAPILatency, CriticalAPIErrorRate", id="it fits several"),
    ],
)
def test_a_name_that_fits_none_or_several_names_what_is_near(name, said):
    done = called("explain", name, expect=Exit.NOT_THERE)

    assert f"{name} is no single alert with a procedure: {said}" in done.stderr
