"""What can be said of status pages and user flows, and what is refused."""

import json

import pytest

from workers.settings import SettingsWrong, load, secrets_of

FLOW = {"name": "login", "path": "/login", "method": "POST", "body": '{"password":"hunter2-long"}'}


@pytest.fixture
def given(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def give(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(f"RESPONDER_{name}", value)

    return give


def test_the_usual_pages_are_asked_and_one_can_be_elsewhere_or_nowhere(given):
    given(
        STATUS_PAGES__URLS=json.dumps({"openai": "https://status.example.com", "upstash": ""}),
        STATUS_PAGES__COMPONENTS__CLOUDFLARE='["Workers"]',
    )

    section = load().status_pages

    assert section.pages["supabase"] == "https://status.supabase.com"
    assert section.pages["openai"] == "https://status.example.com"
    assert section.pages["upstash"] == ""
    assert section.named["cloudflare"] == ("Workers",)


def test_every_secret_of_a_flow_is_known_and_none_is_printed(given):
    flow = FLOW | {"headers": {"X-Key": "the-key-of-it"}}
    given(
        FLOWS__URL="https://app.example.com",
        FLOWS__FLOWS=json.dumps([flow]),
        FLOWS__BYPASS_HEADER="X-Bypass",
        FLOWS__BYPASS_VALUE="past-the-page",
    )

    settings = load()

    secrets = {FLOW["body"], "the-key-of-it", "past-the-page"}
    assert secrets <= set(secrets_of(settings))
    shown = f"{settings} {settings!r} {settings.model_dump_json()}"
    assert not [secret for secret in secrets if secret in shown]
    [walked] = settings.flows.flows
    assert (walked.flow.name, walked.flow.method, walked.flow.status) == ("login", "POST", 200)
    assert list(settings.flows.bypass) == ["X-Bypass"]


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        pytest.param({"STATUS_PAGES__URLS__ACME": "https://a"}, "acme is no provider", id="a page"),
        pytest.param({"FLOWS__FLOWS": json.dumps([FLOW])}, "flows need url", id="no address"),
        pytest.param(
            {"FLOWS__URL": "https://a", "FLOWS__FLOWS": json.dumps([FLOW, FLOW])},
            "two called login",
            id="one twice",
        ),
        pytest.param(
            {"FLOWS__URL": "https://a", "FLOWS__FLOWS": json.dumps([FLOW | {"path": "@b.com/"}])},
            "flows.flows.0.path",
            id="a user name before another site",
        ),
        pytest.param({"FLOWS__BYPASS_HEADER": "X-B"}, "need each other", id="half a bypass"),
    ],
)
def test_what_is_wrong_is_said(given, variables, says):
    given(**variables)

    with pytest.raises(SettingsWrong) as wrong:
        load()

    assert says in str(wrong.value)
    assert "hunter2" not in str(wrong.value)


def test_our_own_page_is_off_until_it_has_a_token_and_that_is_a_secret(given):
    assert load().status_pages.own.page == ""
    given(STATUS_PAGES__OWN__PAGE="gytm4qzbx9t6")
    with pytest.raises(SettingsWrong, match="page and token need each other"):
        load()

    given(STATUS_PAGES__OWN__TOKEN="a-token-of-ours", STATUS_PAGES__OWN__COMPONENTS='["ab12"]')

    settings = load()
    assert settings.status_pages.own.components == ("ab12",)
    assert "a-token-of-ours" in secrets_of(settings)
    assert "a-token-of-ours" not in repr(settings)


@pytest.mark.parametrize(
    ("audiences", "wrong"),
    [
        pytest.param({"engineering": "warning"}, "", id="a channel that is set"),
        pytest.param({"product": "critical"}, "product must be a channel", id="none that is set"),
        pytest.param({"incidents": "info"}, "other than incidents", id="the one that hears all"),
    ],
)
def test_an_audience_is_a_channel_beside_incidents(given, audiences, wrong):
    channels = {"incidents": "C0INCIDENTS", "engineering": "C0ENGINEERING"}
    given(SLACK__CHANNELS=json.dumps(channels), POLICY__AUDIENCES=json.dumps(audiences))
    if not wrong:
        assert load().policy.audiences == audiences
        return
    with pytest.raises(SettingsWrong, match=wrong):
        load()
