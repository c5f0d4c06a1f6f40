"""What `responder up` says once it is up: where everything is, and what to do next."""

from deploy.local import data
from deploy.local.stack import Stack
from workers.settings import Settings, variable

TEMPORAL_PORT = 7233
"""Where Temporal's tools, and ours, look for it when they are told nothing."""

_GREETING = """\
The responder is up.

  Door         {door}
  Temporal     {temporal}, its user interface {ui}
  Kept in      {folder}, logs among it

Alertmanager tells it of alerts with this route and receiver:

  route:
    receiver: responder
    group_by: ['...']
  receivers:
    - name: responder
      webhook_configs:
        - url: {webhook}
          send_resolved: true
          max_alerts: 0
          http_config:
            authorization:
              type: Bearer
              credentials_file: {token}
{missing}
Incidents: {tools}responder list
Ctrl-C ends all of it, and nothing is lost."""

_MISSING = """
Not configured; what needs it says so in the timeline of an incident:

{systems}
"""


def greeting(stack: Stack, settings: Settings) -> str:
    """Say where everything is, how Alertmanager gets there, and what is not configured."""
    own_token = settings.alertmanager.token.get_secret_value()
    elsewhere = stack.temporal.port != TEMPORAL_PORT
    systems = [f"  {name:<13}{by}" for name, by in _not_configured(settings)]
    return _GREETING.format(
        door=stack.door.url,
        temporal=stack.temporal.address,
        ui=stack.temporal.ui_url,
        folder=stack.folder,
        webhook=stack.webhook_url,
        token="a file with your token" if own_token else stack.folder / data.TOKEN,
        missing=_MISSING.format(systems="\n".join(systems)) if systems else "",
        tools=f"TEMPORAL_ADDRESS={stack.temporal.address} " if elsewhere else "",
    )


def _not_configured(settings: Settings) -> list[tuple[str, str]]:
    """Name the systems that are left out, and what would set each."""
    pages = (key.get_secret_value() for key in settings.pagerduty.routes.values())
    systems = (
        ("Slack", settings.slack.token.get_secret_value(), ("slack", "token")),
        ("PagerDuty", any(pages), ("pagerduty", "routing_key")),
        ("Prometheus", settings.prometheus.url, ("prometheus", "url")),
        ("Alertmanager", settings.alertmanager.url, ("alertmanager", "url")),
        ("Redis", settings.redis.url.get_secret_value(), ("redis", "url")),
        ("PostgreSQL", settings.postgres.dsn.get_secret_value(), ("postgres", "dsn")),
        ("API host", settings.host.address, ("host", "address")),
    )
    return [(name, variable(*path)) for name, given, path in systems if not given]
