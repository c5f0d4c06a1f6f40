import pytest
from pydantic import ValidationError

from workers.infrastructure_settings import ApiSettings, DiskSettings


@pytest.mark.parametrize(
    ("given", "why"),
    [
        pytest.param({"log_folder": "/var"}, "name a folder of logs", id="a whole tree"),
        pytest.param({"log_folder": "/var/log/../../etc"}, "absolute path", id="a way out"),
        pytest.param({"log_folder": "var/log"}, "absolute path", id="a relative path"),
        pytest.param({"log_folder": "/var/log/$(id)"}, "absolute path", id="what a shell runs"),
        pytest.param(
            {"log_folder": "/var/log/app", "archive_folder": "/var/log/app/old"},
            "would be deleted",
            id="an archive among the logs",
        ),
        pytest.param(
            {"log_folder": "/var/log/app", "archive_folder": "/var/log/app"},
            "would be deleted",
            id="the logs as their own archive",
        ),
        pytest.param({"log_days": 6}, "greater than or equal to 7", id="logs of this week"),
    ],
)
def test_a_folder_that_is_dangerous_is_refused(given, why):
    with pytest.raises(ValidationError, match=why):
        DiskSettings(**given)


def test_a_folder_beside_the_logs_may_hold_their_archives():
    assert DiskSettings(log_folder="/var/log/app", archive_folder="/var/log/app-old").log_folder


def test_nothing_may_be_cleared_until_a_folder_is_named():
    assert DiskSettings().log_folder == ""


@pytest.mark.parametrize(
    ("given", "public", "local"),
    [
        pytest.param({}, "http://lb/healthz", "/healthz", id="the address of the processes"),
        pytest.param(
            {"health_url": "https://api.example.com/up"}, "https://api.example.com/up", "/up",
            id="one of its own",
        ),
        pytest.param({"local_path": "/live"}, "http://lb/healthz", "/live", id="another path"),
    ],
)  # fmt: skip
def test_where_health_is_asked(given, public, local):
    settings = ApiSettings(**given)

    assert settings.public("http://lb/healthz") == public
    assert settings.local("http://lb/healthz") == local


def test_a_path_that_could_be_anything_else_is_refused():
    with pytest.raises(ValidationError):
        ApiSettings(local_path="/health; id")
