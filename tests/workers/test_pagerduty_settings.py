import pytest

from workers.composition import compose
from workers.pagerduty_settings import PagerDutySettings
from workers.parts import Activity
from workers.proof_settings import ProofSettings
from workers.settings import Settings, load, secrets_of
from workflows.efforts import Queue
from workflows.policy import Policy
from workflows.procedures.base import activity_name


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        pytest.param({"pagerduty": {"webhook_secrets": ["short"]}}, "shorter than", id="guessed"),
        pytest.param(
            {"pagerduty": {"from_address": "Dana <d@x.y>"}}, "bare e-mail", id="no address"
        ),
        pytest.param({"pagerduty": {"from_address": "é@x.y"}}, "bare e-mail", id="no ASCII"),
        pytest.param({"pagerduty": {"people": {"Dana Doe": "dana"}}}, "pattern", id="no user id"),
        pytest.param(
            {"pagerduty": {"escalation_policies": {"on-call": "P1/0"}}}, "pattern", id="no level 0"
        ),
        pytest.param(
            {"pagerduty": {"escalation_policies": {"boss": "P1"}}},
            r"pagerduty\.escalation_policies: no severity has a level 'boss'",
            id="a level that there is not",
        ),
        pytest.param(
            {"policy": {"addresses": {"boss": ["a@b.example"]}}},
            r"policy\.addresses: no severity has a level 'boss'",
            id="addresses of nobody",
        ),
        pytest.param({"policy": {"addresses": {"cto": ["nowhere"]}}}, "pattern", id="no address"),
        pytest.param(
            {"proof": {"level": "boss"}}, r"proof\.level: no severity has", id="nobody to test"
        ),
        pytest.param({"proof": {"at": "25:00"}}, "pattern", id="no time of day"),
        pytest.param({"proof": {"time_zone": "Mars/Base"}}, "is none, such as", id="no time zone"),
        pytest.param({"proof": {"time_zone": "../etc"}}, "is none, such as", id="a path"),
        pytest.param({"policy": {"reach_by": ["email", "email"]}}, "each once", id="a way twice"),
        pytest.param({"policy": {"reach_by": ["pagerduty"]}}, "comes first", id="the first way"),
        pytest.param(
            {"pagerduty": {"people": {"PSAM": "sam"}}, "policy": {"people": {"dana": {}}}},
            r"PSAM is 'sam', whom policy\.people does not have",
            id="a user who is nobody here",
        ),
    ],
)
def test_settings_that_would_reach_or_let_in_nobody_are_refused(sections, said):
    with pytest.raises(ValueError, match=said):
        Settings(**sections)


def test_variables_name_levels_without_hyphens_and_users_in_any_letters(monkeypatch):
    monkeypatch.setenv("RESPONDER_PAGERDUTY__ESCALATION_POLICIES__ON_CALL", "PESC")
    monkeypatch.setenv("RESPONDER_PAGERDUTY__ESCALATION_POLICIES__ENGINEERING_LEAD", "PESC/2")
    monkeypatch.setenv("RESPONDER_PAGERDUTY__PEOPLE__PDANA01", "dana")
    monkeypatch.setenv("RESPONDER_POLICY__REACH_BY", '["slack", "email"]')

    found = load()

    assert found.pagerduty.policies == {"on-call": "PESC", "engineering-lead": "PESC/2"}
    assert found.pagerduty.names == {"PDANA01": "dana"}
    assert [way.words for way in found.policy.reach_by] == ["Slack", "e-mail"]


def test_its_secrets_are_known_as_such():
    section = PagerDutySettings(
        webhook_secrets=("first-secret-of-two", "second-secret-of-two"), api_token="u+token"
    )
    assert {"first-secret-of-two", "second-secret-of-two", "u+token"} <= set(secrets_of(section))
    assert "secret-of-two" not in repr(section)


def test_nobody_is_paged_for_a_test_until_somebody_names_the_time():
    assert ProofSettings().at == ""
    assert Policy().names_on_call is False


@pytest.mark.parametrize("token", ["", "u+token"], ids=["without a REST key", "with one"])
async def test_a_worker_has_every_activity_of_it_on_the_queue_that_is_asked(token):
    def names(found: list[Activity]) -> set[str]:
        return {activity_name(each) for each in found}

    async with compose(Settings(pagerduty={"api_token": token})) as composition:
        assert {"pagerduty.on_call", "pagerduty.acknowledged"} <= names(composition[Queue.PROBES])
        assert {"pagerduty.page", "pagerduty.resolve"} <= names(composition[Queue.PAGES])
