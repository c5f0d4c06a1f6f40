"""What the doors count, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Meters:
    """The series of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.received = Counter(
            "responder_alerts_received",
            "Alerts in deliveries that could be read",
            ["status"],
            registry=self._registry,
        )
        self.accepted = Counter(
            "responder_notices_accepted",
            "What one delivery said of one incident, kept by Temporal",
            registry=self._registry,
        )
        self.ignored = Counter(
            "responder_notices_ignored",
            "Resolved alerts for which no incident is open",
            registry=self._registry,
        )
        self.failed = Counter(
            "responder_notices_not_accepted",
            "What Temporal did not take in time; the sender repeats it",
            registry=self._registry,
        )
        self.refused = Counter(
            "responder_deliveries_refused",
            "Deliveries that were not read, by reason",
            ["reason"],
            registry=self._registry,
        )
        self.seconds = Histogram(
            "responder_accept_seconds",
            "From the first byte to the answer, for deliveries that were accepted",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.ready = Gauge(
            "responder_ready", "1 when Temporal would keep an alert now", registry=self._registry
        )
        self.proven = Gauge(
            "responder_last_proven_page_seconds",
            "When a person last acknowledged a test page, in seconds since 1970; 0 is never",
            ["level"],  # no series where no test page is sent
            registry=self._registry,
        )
        self.worker = Gauge(
            "responder_worker_polling",
            "1 when a worker asks for incidents",
            registry=self._registry,
        )
        self.pagerduty = Counter(
            "responder_pagerduty_events",
            "Events of PagerDuty, by what became of them",
            ["outcome"],
            registry=self._registry,
        )
        self.slack_received = Counter(
            "responder_slack_received",
            "What came from Slack and was listened to: press, command, submission, remark",
            ["kind"],
            registry=self._registry,
        )
        self.slack_acts = Counter(
            "responder_slack_acts",
            "Acts of people in Slack, by what became of them",
            ["outcome"],
            registry=self._registry,
        )
        # The series are there from the start, so that their first increase is seen.
        for status in ("firing", "resolved"):
            self.received.labels(status)
        for kind in ("press", "command", "submission", "remark"):
            self.slack_received.labels(kind)
        for outcome in ("done", "recorded", "refused", "failed"):
            self.slack_acts.labels(outcome)
        ignored = ("no_incident", "not_ours", "opened_by_stranger", "opened_without_role")
        for outcome in ("accepted", "not_accepted", *ignored):
            self.pagerduty.labels(outcome)

    def text(self) -> bytes:
        """Write all series down."""
        return generate_latest(self._registry)
