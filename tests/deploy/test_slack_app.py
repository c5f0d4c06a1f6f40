"""The manifest of the Slack app, held to what the code asks of Slack."""

from pathlib import Path
from urllib.parse import urlsplit

import yaml

from starters.slack_commands import HELP, KINDS
from starters.slack_door import PATH
from workers.checks.channels import _OWN_CHANNEL, _PRIVATE, _SCOPES

APP = yaml.safe_load((Path(__file__).parents[2] / "deploy" / "slack" / "app.yml").read_text())


def test_everything_that_slack_sends_comes_to_our_door():
    command, settings = APP["features"]["slash_commands"][0], APP["settings"]
    addresses = [
        command["url"],
        settings["interactivity"]["request_url"],
        settings["event_subscriptions"]["request_url"],
    ]

    assert {urlsplit(address).path for address in addresses} == {PATH}
    assert HELP.startswith(f"`{command['command']} ")


def test_its_scopes_are_those_that_the_doctor_looks_for():
    scopes = set(APP["oauth_config"]["scopes"]["bot"])

    assert scopes >= {*_SCOPES, *_PRIVATE, *_OWN_CHANNEL}
    assert scopes - {*_SCOPES, *_PRIVATE, *_OWN_CHANNEL} == {"commands", "im:write"}


def test_what_slack_limits_is_within_its_limits():
    command = APP["features"]["slash_commands"][0]

    assert len(APP["display_information"]["name"]) <= 35
    assert len(APP["display_information"]["description"]) <= 140
    assert len(command["usage_hint"]) <= 1000
    offered = [part.split()[0] for part in command["usage_hint"].split(" | ")]
    assert {*offered} <= {*KINDS, "list", "show", "help"}
