"""How the language models are set up."""

import os

import pytest

from activities.errors import NotConfigured
from tests.activities.attempts import run
from workers.composition import compose
from workers.llm_settings import LlmSettings
from workers.settings import SettingsWrong, load, secrets_of
from workflows.efforts import Queue
from workflows.procedures.base import activity_name

KEY = "sk-0123456789abcdef"
URL = "https://api.pravado.example/internal/llm/throttle"


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


def test_providers_limits_and_the_throttle_are_set_by_variables(given):
    given(
        LLM__OPENAI__KEY=KEY,
        LLM__OPENAI__MODEL="gpt-4",
        LLM__DAILY_LIMIT_USD="20",
        LLM__DAILY_LIMITS_USD='{"42": 100}',
        LLM__THROTTLE_URL=URL,
        LLM__THROTTLE_TOKEN="t" * 20,
    )
    section = load().llm

    assert (section.openai.model, section.anthropic.model) == ("gpt-4", "claude-haiku-4-5")
    assert (section.daily_limit_usd, section.daily_limits_usd) == (20, {"42": 100})
    assert KEY not in repr(section)


def test_every_key_is_known_as_a_secret():
    section = LlmSettings(openai={"key": KEY}, throttle_url=URL, throttle_token="t" * 20)

    assert {KEY, "t" * 20} <= set(secrets_of(section))


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        pytest.param({"LLM__THROTTLE_URL": URL}, "need each other", id="a throttle without a key"),
        pytest.param({"LLM__SUMMARY": "openai"}, "summary needs openai.key", id="no key"),
        pytest.param(
            {"LLM__SUMMARY": "openai", "LLM__OPENAI__KEY": KEY}, "policy.summary", id="not wanted"
        ),
        pytest.param({"POLICY__SUMMARY": "true"}, "llm.summary", id="wanted, and by nobody"),
        pytest.param({"LLM__OPENAI__MODEL": "a model"}, "LLM__OPENAI__MODEL", id="no model"),
        pytest.param({"LLM__DAILY_LIMIT_USD": "-1"}, "LLM__DAILY_LIMIT_USD", id="less than none"),
        pytest.param({"LLM__ANTHROPIC__VERSION": "latest"}, "VERSION", id="no version"),
    ],
)
def test_what_cannot_be_meant_is_said(given, variables, says):
    given(**variables)

    with pytest.raises(SettingsWrong, match=says):
        load()


async def test_what_changes_goes_apart_from_what_looks(given):
    given(LLM__THROTTLE_URL=URL, LLM__THROTTLE_TOKEN="t" * 20)
    async with compose(load()) as composition:
        names = {
            queue: {activity_name(each) for each in found if "llm." in activity_name(each)}
            for queue, found in composition.items()
        }

    assert names[Queue.CHANGES] == {"llm.throttle", "llm.throttle.read", "llm.throttle.undo"}
    assert names[Queue.PROBES] == {"llm.look", "llm.summarize", "llm.top_organizations"}


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("llm.throttle.read", "RESPONDER_LLM__THROTTLE_URL"),
        ("llm.top_organizations", "RESPONDER_POSTGRES__DSN"),
    ],
)
async def test_what_is_not_set_up_says_which_setting_it_needs(name, setting):
    async with compose(load()) as composition:
        every = [each for found in composition.values() for each in found]
        [asked] = [each for each in every if activity_name(each) == name]
        with pytest.raises(NotConfigured, match=setting):
            await run(asked, {})
