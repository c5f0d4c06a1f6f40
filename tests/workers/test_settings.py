import base64
import json
import os

import pytest

from activities.switches import Switch
from activities.words import Mode
from workers.composition import compose
from workers.settings import Settings, SettingsWrong, load, secrets_of

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
        pytest.param({"REDIS__URL": SECRET}, ["redis.url", "REDIS__URL"], id="no Redis"),
        pytest.param({"REDIS__URL": f"http://:{SECRET}@r"}, ["redis.url"], id="no Redis's address"),
        pytest.param(
            {"REDIS__URL": f"redis://:{SECRET}@r:{SECRET}"}, ["redis.url"], id="no port of Redis"
        ),
        pytest.param({"POSTGRES__DSN": f"http://{SECRET}"}, ["postgres.dsn"], id="no database"),
        pytest.param({"POSTGRES__DSN": SECRET}, ["postgres.dsn"], id="no connection string"),
        pytest.param(
            {"HOST__UNITS": '["redis", "a b;rm"]'}, ["host.units.1", "HOST__UNITS)"], id="no unit"
        ),
        pytest.param({"HOST__DEPLOY_LOG": "deploy.log"}, ["host.deploy_log"], id="no whole path"),
        pytest.param({"HOST__DEPLOY_LOG": "/a/../b"}, ["host.deploy_log"], id="a path back"),
        pytest.param({"HOST__REDIS_HOST": "-x y"}, ["host.redis_host"], id="no host of Redis"),
        pytest.param(
            {"PROCESSES__VARIABLES__LLM_ROUTING": "a;b"},
            ["variables.llm_routing"],
            id="no variable",
        ),
        pytest.param(
            {"PROCESSES__VARIABLES__LLM_ROUTING": "LD_PRELOAD"}, ["no switch"], id="a dangerous one"
        ),
        pytest.param(
            {"PROCESSES__VARIABLES__LLM_ROUTING": "LLM_TIMEOUT_MS"},
            ["two switches"],
            id="one twice",
        ),
        pytest.param(
            {"PROCESSES__DEFAULTS__LLM_TIMEOUT_MS": "soon"}, ["llm_timeout_ms"], id="no default"
        ),
        pytest.param({"GIVEN__APP": "a b"}, ["given.app", "GIVEN__APP"], id="no application"),
        pytest.param(
            {"POLICY__PREAPPROVED": '["nonsense"]'}, ["policy.preapproved.0"], id="no step"
        ),
        pytest.param(
            {"PAGERDUTY__ROUTING_KEYS__CEO": SECRET},
            ["'ceo'", "engineering-lead", "PAGERDUTY__ROUTING_KEYS__CEO"],
            id="a level that nobody has",
        ),
        pytest.param(
            {"ALERTMANAGER__SCOPE_LABELS": "[]"}, ["alertmanager.scope_labels"], id="no scope"
        ),
        pytest.param(
            {"ALERTMANAGER__SCOPE_LABELS": '["a-b"]'}, ["alertmanager.scope_labels"], id="no label"
        ),
        pytest.param(
            {"ALERTMANAGER__TOKEN": " " + SECRET * 2}, ["alertmanager.token"], id="padded"
        ),
        pytest.param({"ALERTMANAGER__TOKEN": SECRET * 2 + "é"}, ["ASCII"], id="no ASCII"),
        pytest.param({"ALERTMANAGER__TOKEN": SECRET}, ["16 characters"], id="a short token"),
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
        ALERTMANAGER__TOKEN=SECRET + "-long-1",
        REDIS__URL=f"redis://user:{SECRET}%40x@redis:6379/0",
        POSTGRES__DSN=f"host=db password='{SECRET} 3' user=me",
        PAGERDUTY__ROUTING_KEYS__CTO=SECRET + "4",
        CODEC__KEYS__ONE=KEY,
    )

    settings = load()

    shown = f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    assert SECRET not in shown
    assert KEY not in shown
    assert {
        SECRET + "-long-1",
        SECRET + "@x",
        SECRET + "%40x",
        SECRET + " 3",
        SECRET + "4",
        KEY,
    } <= set(secrets_of(settings))


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        pytest.param(
            {"host": {"address": "api", "user": "me", "key_file": "/no/key",
                      "known_hosts_file": "/no/hosts"}},
            "RESPONDER_HOST__KEY_FILE",
            id="no key",
        ),
        pytest.param(
            {"prometheus": {"url": "http://p", "authority": "/no/certificate"}},
            "RESPONDER_PROMETHEUS__AUTHORITY",
            id="no certificate",
        ),
        pytest.param(
            {"prometheus": {"url": "http://p", "authority": __file__}},
            "RESPONDER_PROMETHEUS__AUTHORITY",
            id="something else than a certificate",
        ),
    ],
)  # fmt: skip
async def test_a_worker_without_a_file_that_it_needs_does_not_begin(sections, says):
    with pytest.raises(SettingsWrong, match=says):
        async with compose(Settings(**sections)):
            pass


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        load().environment = "other"


PHONE = "ExponentPushToken[priya]"


def test_email_and_expo_are_set_up_by_their_sections(given):
    given(
        EMAIL__HOST="mail.example.com",
        EMAIL__SENDER="Incidents <incidents@example.com>",
        EMAIL__USER="ops",
        EMAIL__PASSWORD=SECRET,
        EMAIL__SUPPORT='{"openai": "help@example.com"}',
        EXPO__PHONES=json.dumps({"priya": PHONE}),
        POLICY__PHONES='{"on-call": ["priya"]}',
    )

    settings = load()

    assert settings.email.recipients == {
        "supabase": "support@supabase.com",
        "openai": "help@example.com",
    }
    assert settings.policy.phones == {"on-call": ("priya",)}
    assert {SECRET, PHONE} <= set(secrets_of(settings))


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        pytest.param({"EMAIL__HOST": "m.test"}, "needs sender", id="no sender"),
        pytest.param(
            {"EMAIL__SUPPORT": '{"expo": "nobody"}'}, "support.expo: is not an address",
            id="support"
        ),
        pytest.param(
            {
                "EMAIL__HOST": "mail.example.com",
                "EMAIL__SENDER": "a@example.com",
                "EMAIL__SECURITY": "none",
                "EMAIL__USER": "ops",
                "EMAIL__PASSWORD": SECRET,
            },
            "a password is not sent over an open line",
            id="a password in the clear",
        ),
        pytest.param({"EXPO__TEST_PHONE": SECRET}, "is not a push token", id="test phone"),
        pytest.param(
            {"EXPO__PHONES": f'{{"priya": "{SECRET}"}}'}, "phones.priya: is not a push token",
            id="phone",
        ),
        pytest.param(
            {
                "POLICY__PHONES": '{"on-call": ["priya"]}',
                "EXPO__PHONES": json.dumps({"sam": PHONE}),
            },
            "priya has no push token", id="no token"
        ),
        pytest.param(
            {"POLICY__PHONES": '{"janitor": []}'}, "no severity has a level 'janitor'", id="level"
        ),
    ],
)  # fmt: skip
def test_what_email_and_expo_are_set_to_is_checked(given, variables, said):
    given(**variables)

    with pytest.raises(SettingsWrong) as wrong:
        load()

    assert said in str(wrong.value)
    assert SECRET not in str(wrong.value)


def test_a_door_knows_whose_phones_ring_and_no_push_token(given):
    given(POLICY__PHONES='{"on-call": ["priya"]}')

    assert load().policy.phones == {"on-call": ("priya",)}
