"""What is made of the settings of Expo's push service."""

from __future__ import annotations

import httpx

from activities.expo import Expo
from activities.expo_api import ExpoApi
from activities.phones import Phones
from workers.parts import Parts
from workers.settings import Settings, variable
from workflows.efforts import Queue


def expo(parts: Parts, settings: Settings, http: httpx.AsyncClient) -> ExpoApi:
    """Add the look at Expo, and pages to phones where there are any."""
    section = settings.expo
    api = ExpoApi(http, section.access_token, url=section.base_url)
    seen = Expo(api, section.test_phone)
    # Without a token or a phone it can still be told whether Expo answers.
    parts.add(seen)
    parts.checks["expo.sends"] = seen.sends_sample
    if section.phones:
        phones = Phones(api, section.phones, deep_link=section.deep_link, channel=section.channel)
        parts.add(phones, queue=Queue.PAGES)
    else:
        parts.lack("Expo", variable("expo", "phones"), Phones, queue=Queue.PAGES)
    return api
