"""What tells of deployments: half a setting is refused, none says what is missing."""

import pytest
from pydantic import SecretStr, ValidationError
from temporalio.testing import ActivityEnvironment

from activities.deployments import RecentReleases
from activities.errors import NotConfigured
from activities.sentry import NewestIssues
from workers.composition import compose
from workers.deployment_settings import GitHubSettings, ReleasesSettings, SentrySettings
from workers.settings import Settings, SettingsWrong
from workflows.efforts import Queue
from workflows.procedures.base import activity_name

TOKEN = SecretStr("ghp_0123456789thisMustNeverBeSeen")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(
            lambda: GitHubSettings(repository="pravado/api"), "needs a token",
            id="a repository without a token",
        ),
        pytest.param(
            lambda: GitHubSettings(repository="pravado", token=TOKEN), "repository",
            id="no owner",
        ),
        pytest.param(
            lambda: GitHubSettings(repository="../../x/y", token=TOKEN), "repository",
            id="a path in place of a repository",
        ),
        pytest.param(
            lambda: SentrySettings(token=TOKEN), "needs the organization",
            id="a token for no organization",
        ),
        pytest.param(
            lambda: SentrySettings(organization="a/b", token=TOKEN), "organization",
            id="an organization that is a path",
        ),
        pytest.param(
            lambda: ReleasesSettings(root="srv/pravado"), "absolute path", id="a relative root"
        ),
        pytest.param(
            lambda: ReleasesSettings(root="/srv/../etc"), "absolute path", id="a root that leaves"
        ),
        pytest.param(
            lambda: ReleasesSettings(root="/srv", ready_file="../x"), "ready_file",
            id="a mark that leaves its folder",
        ),
    ],
)  # fmt: skip
def test_half_a_setting_is_refused_without_quoting_it(make, says):
    with pytest.raises(ValidationError, match=says) as refused:
        make()

    assert TOKEN.get_secret_value() not in str(refused.value)


def test_release_folders_are_set_by_their_root():
    assert ReleasesSettings().folders is None
    assert ReleasesSettings(root="/srv/pravado").folders.lock == "deploy.lock"


async def asked(settings: Settings, name: str, ask: object) -> object:
    async with compose(settings) as composition:
        [found] = [each for each in composition[Queue.PROBES] if activity_name(each) == name]
        return await ActivityEnvironment().run(found, ask)


@pytest.mark.parametrize(
    ("name", "ask", "names"),
    [
        ("deployments.recent", RecentReleases(), "HOST__DEPLOY_LOG or RESPONDER_GITHUB__"),
        ("sentry.issues", NewestIssues(), "RESPONDER_SENTRY__TOKEN"),
    ],
)
async def test_without_settings_it_says_what_to_set(name, ask, names):
    with pytest.raises(NotConfigured, match=names):
        await asked(Settings(), name, ask)


async def test_an_expression_for_paths_that_is_none_is_said_at_the_start():
    github = GitHubSettings(repository="pravado/api", token=TOKEN, migrations=("(",))

    with pytest.raises(SettingsWrong, match="github: an expression for paths is none"):
        async with compose(Settings(github=github)):
            pass
