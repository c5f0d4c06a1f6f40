import pytest

from workers.settings import Settings, SettingsWrong, load, secrets_of
from workers.slack_settings import SlackSettings

WHOLE = {
    "token": "xoxb-1",
    "channels": {"incidents": "C0INCIDENTS"},
    "signing_secret": "8f742231b10e8888abcd99yyyzzz85a5",
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"people": {"sam": "sam"}}, "write the user's id", id="a name is not an id"),
        pytest.param({"token": ""}, "need token too", id="answers need the bot's token"),
        pytest.param({"app_token": "xoxb-2"}, "begins with xapp-", id="another kind of token"),
        pytest.param({"signing_secret": "short"}, "shorter than", id="a secret that is guessed"),
        pytest.param({"team": "pravado"}, "pattern", id="a workspace by name"),
    ],
)
def test_settings_that_would_let_nobody_or_anybody_in_are_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        SlackSettings(**{**WHOLE, **changes})


def test_a_slack_user_is_somebody_whom_the_policy_knows():
    known = {"slack": {**WHOLE, "people": {"U0SAM": "sam"}}}

    with pytest.raises(ValueError, match=r"U0SAM is 'sam', whom policy\.people does not have"):
        Settings(**known, policy={"people": {"dana": {}}})
    assert Settings(**known, policy={"people": {"sam": {}}}).slack.people == {"U0SAM": "sam"}


def test_who_is_who_can_be_set_by_variables_whose_names_came_in_small_letters(monkeypatch):
    monkeypatch.setenv("RESPONDER_SLACK__PEOPLE__U0SAM", "sam")
    assert load().slack.people == {"U0SAM": "sam"}

    monkeypatch.setenv("RESPONDER_SLACK__PEOPLE", '{"dana": "dana"}')
    monkeypatch.delenv("RESPONDER_SLACK__PEOPLE__U0SAM")
    with pytest.raises(SettingsWrong, match="RESPONDER_SLACK__PEOPLE"):
        load()


def test_what_slack_signs_with_is_a_secret_of_the_settings():
    secrets = secrets_of(SlackSettings(**WHOLE, app_token="xapp-1-secret"))

    assert {WHOLE["signing_secret"], "xapp-1-secret"} <= set(secrets)
    assert WHOLE["signing_secret"] not in repr(SlackSettings(**WHOLE))
