"""Whether the dashboard answers from outside, as blackbox_exporter tells it."""

import httpx
from prometheus_client import Gauge

from deploy.gameday.collector import Collector, Settings

URL = "DASHBOARD_URL"
TEXT = "DASHBOARD_TEXT"
"""What the platform's environment calls the dashboard, and what it says when it is well."""
_SECONDS = 0.8
"""Less than Prometheus waits."""


class DashboardProbe(Collector):
    """The job "pravado-dashboard": 1 while its first page answers 200 and says what it should."""

    job = "pravado-dashboard"
    path = "/dashboard"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._http = httpx.AsyncClient(trust_env=False, timeout=_SECONDS)
        self._success = Gauge("probe_success", "Whether it answered.", registry=self.registry)

    async def look(self) -> None:
        """Ask once; no answer is 0, and a platform without a dashboard has no series."""
        told = self.settings.environment
        url, text = told[URL], told[TEXT]
        try:
            answer = await self._http.get(url)
        except httpx.HTTPError:
            self._success.set(0)
        else:
            self._success.set(answer.status_code == 200 and text in answer.text)

    async def close(self) -> None:
        """Drop the connection."""
        await self._http.aclose()
