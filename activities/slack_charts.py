"""Shows charts in an incident's thread, as pictures."""

from __future__ import annotations

import hashlib

from pydantic import AwareDatetime
from temporalio import activity

from activities.changes import heartbeats
from activities.charts import Chart, draw
from activities.errors import NotConfigured
from activities.mrkdwn import clip
from activities.slack_api import SlackApi
from activities.slack_history import Message, Posted, find
from activities.words import Order


class PostChart(Order):
    """Add a chart to an incident's thread, as a picture."""

    channel_id: str
    thread_ts: str
    chart: Chart
    key: str
    oldest: AwareDatetime
    read_back: bool = False


class SlackCharts:
    """Uploads pictures to one workspace."""

    def __init__(self, api: SlackApi | None) -> None:
        self._api = api

    @activity.defn(name="slack.post_chart")
    async def post_chart(self, order: PostChart) -> Posted:
        """Draw a chart and add it to the thread, unless an earlier attempt did."""
        api = self._api
        if api is None:
            raise NotConfigured("Slack", "its bot token")
        # Files carry no metadata: their name is the key.
        name = f"chart-{hashlib.sha256(order.key.encode()).hexdigest()[:24]}.png"
        note = ""
        async with heartbeats(f"chart {name}"):
            if order.read_back or activity.info().attempt > 1:
                found, note = await find(
                    api,
                    order.channel_id,
                    order.thread_ts,
                    oldest=order.oldest,
                    same=lambda message: _has_file(message, name),
                )
                if found is not None:
                    return Posted(channel_id=order.channel_id, ts=str(found["ts"]))
            picture = await draw(order.chart, "png")
            await self._share(api, order, name, picture)
        return Posted(channel_id=order.channel_id, ts="", said=note)

    @staticmethod
    async def _share(api: SlackApi, order: PostChart, name: str, picture: bytes) -> None:
        title = clip(order.chart.title, 200, escape=False) or "Chart"
        ask = {"filename": name, "length": str(len(picture)), "alt_txt": title}
        ticket = await api.call("files.getUploadURLExternal", ask, form=True)
        await api.upload(str(ticket.get("upload_url", "")), picture)
        share = {
            "files": [{"id": ticket.get("file_id", ""), "title": title}],
            "channel_id": order.channel_id,
            "thread_ts": order.thread_ts,
        }
        await api.call("files.completeUploadExternal", share, form=True, posts=True)


def _has_file(message: Message, name: str) -> bool:
    return any(file.get("name") == name for file in message.get("files") or [])
