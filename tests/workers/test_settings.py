import base64
import os

import pytest

from activities.switches import Switch
from activities.words import Mode
from workers.settings import SettingsWrong, load, secrets_of

SECRET = "hunter2-secret"
KEY = base64.b64encode(b"k" * 32).decode()


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    for name in os.environ:
        if name.startswith("RESPONDER_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def given(monkeypatch):
    def give(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(f"RESPONDER_{name}", value)

    return give


def test_nothing_has_to_be_set():
    assert load().policy.mode is Mode.GUARDED


def test_the_file_is_read_and_the_environment_wins(given, tmp_path):
    (tmp_path / "responder.toml").write_text(
        'environment = "staging"\n[slack]\ntoken = "xoxb-file"\n'
        '[slack.channels]\nincidents = "C0123"\n[policy]\nmode = "observe"\n'
    )
    given(ENVIRONMENT="production", SLACK__CHANNELS__ENGINEERING="C0456")

    settings = load()

    assert settings.environment == "production"
    assert settings.slack.channels == {"incidents": "C0123", "engineering": "C0456"}
    assert settings.policy.mode is Mode.OBSERVE


def test_a_file_elsewhere_can_be_named(given, tmp_path):
    elsewhere = tmp_path / "other.toml"
    elsewhere.write_text('environment = "other"')
    given(CONFIG=str(elsewhere))

    assert load().environment == "other"


def test_an_empty_variable_is_not_set(given):
    given(ENVIRONMENT="", DOOR__PORT="")

    assert load().door.port == 8080


def test_a_level_is_named_without_a_hyphen_in_a_variable(given):
    given(PAGERDUTY__ROUTING_KEYS__ENGINEERING_LEAD="key")

    assert "engineering-lead" in load().pagerduty.routes


def test_the_platform_names_its_switches(given):
    given(PROCESSES__VARIABLES__LLM_ROUTING="ROUTER", PROCESSES__DEFAULTS__LLM_ROUTING="cheapest")

    declared = load().processes.switches[Switch.LLM_ROUTING]

    assert (declared.variable, declared.default) == ("ROUTER", "cheapest")


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        pytest.param({"SLAK__TOKEN": SECRET}, ["RESPONDER_SLAK__TOKEN"], id="an unknown section"),
        pytest.param({"SLACK__TOKN": SECRET}, ["slack.tokn", "no such"], id="an unknown field"),
        pytest.param({"DOOR__PORT": SECRET}, ["door.port", "RESPONDER_DOOR__PORT"], id="no number"),
        pytest.param({"GIVEN": SECRET}, ["given"], id="no JSON"),
        pytest.param(
            {"PROMETHEUS__URL": f"http://me:{SECRET}@prometheus"},
            ["prometheus.url", "password"],
            id="a password in an address",
        ),
        pytest.param({"PROMETHEUS__URL": SECRET}, ["prometheus.url", "http"], id="no address"),
        pytest.param(
            {"HOST__ADDRESS": "api"}, ["host", "known_hosts_file"], id="a host without a key"
        ),
        pytest.param(
            {"SLACK__CHANNELS__INCIDENTS": "#incidents"}, ["incidents", "id"], id="a channel's name"
        ),
        pytest.param({"SLACK__TOKEN": SECRET}, ["channels.incidents"], id="Slack without channel"),
        pytest.param({"CODEC__KEYS__ONE": SECRET}, ["keys.one", "32 bytes"], id="a bad key"),
        pytest.param(
            {"CODEC__KEYS__ONE": KEY, "CODEC__CURRENT": "two"}, ["current", "one"], id="a lost key"
        ),
        pytest.param(
            {"PROCESSES__VARIABLES__NOTHING": "X"}, ["nothing", "llm_routing"], id="no such switch"
        ),
        pytest.param({"CONFIG": "/nowhere/responder.toml"}, ["/nowhere"], id="no such file"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_without_its_value(given, variables, says):
    given(**variables)

    with pytest.raises(SettingsWrong) as raised:
        load()

    assert all(word in str(raised.value) for word in says), raised.value
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_file_that_is_no_toml_is_said_by_its_name(tmp_path):
    (tmp_path / "responder.toml").write_text("slack = ")

    with pytest.raises(SettingsWrong, match=r"responder\.toml"):
        load()


def test_secrets_are_never_printed_and_all_of_them_are_known(given):
    given(
        ALERTMANAGER__TOKEN=SECRET + "1",
        REDIS__URL=f"redis://user:{SECRET}%40x@redis:6379/0",
        POSTGRES__DSN=f"host=db password='{SECRET} 3' user=me",
        PAGERDUTY__ROUTING_KEYS__CTO=SECRET + "4",
        CODEC__KEYS__ONE=KEY,
    )

    settings = load()

    shown = f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    assert SECRET not in shown
    assert KEY not in shown
    assert {SECRET + "1", SECRET + "@x", SECRET + "%40x", SECRET + " 3", SECRET + "4", KEY} <= set(
        secrets_of(settings)
    )


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        load().environment = "other"
