"""Runbook, "Mobile Push Notification Incidents": Expo's push service, from two sides."""

from __future__ import annotations

from activities.alerts import Alert
from activities.expo import Expo, ExpoSeen
from activities.prometheus import Prometheus, Query
from activities.push_drain import TARGET, DrainQueue, PushDrain
from activities.push_mail import EmailUrgent, PushMail
from activities.push_queueing import PushQueueing, QueuePushes
from activities.push_records import PushQueue, PushRecords
from activities.record import Asks
from activities.status_pages import ProviderStatus, StatusOf, StatusPages
from activities.switches import Switch
from activities.verification import Answering
from activities.words import Nothing, Risk, Severity
from workflows import promql
from workflows.procedures.base import Evidence, Ladder, Probe, Step, step
from workflows.procedures.instances import ActsOnInstances, crash_looping

_DRAIN_SECONDS = 1800.0


class SeesExpo(ActsOnInstances):
    """Knows how Expo looks to the worker, and what it says of itself."""

    from_worker = Probe(
        Expo.look, Nothing(), why="a notification to the test phone, and the token", seconds=30
    )
    status = Probe(StatusPages.status, StatusOf(provider="expo"), why="Expo's status page")

    def said_of_expo(self, seen: Evidence) -> list[str]:
        """Say what Expo answered the worker, and what its page says."""
        looked, status = seen[self.from_worker], seen[self.status]
        said = [f"Expo's status page: {status.state}: {status.said}"] if status else []
        if looked and looked.finding:
            said.append(f"from the worker: {looked.finding}: {looked.said}")
        elif looked:
            sends = "takes notifications" if looked.sends else looked.said or "answers"
            receipt = f", receipt: {looked.receipt}" if looked.receipt else ""
            said.append(f"from the worker: Expo {sends}{receipt}")
        return said


class ExpoPushServiceDown(SeesExpo):
    """No push notification can be sent."""

    severity = Severity.CRITICAL
    impact = "No user gets a push notification; the apps work."
    section = "expo-push-service-down"
    recovered = Answering(checks=("expo.sends",))
    uses = ("push_drain_per_second", "push_urgent_emails_most")

    from_api = Probe(
        Prometheus.value, Query(expression=promql.EXPO_UP), why="whether the API can send"
    )
    waiting = Probe(PushRecords.queue, Nothing(), why="notifications that wait in the queue")

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:  # noqa: ARG002 (the evidence says more)
        """Queue while it is down from both sides, e-mail what is urgent, send the rest later."""
        looked, api, waiting = seen[self.from_worker], seen[self.from_api], seen[self.waiting]
        api_down = None if api is None or api.value is None else api.value == 0
        findings = (
            *seen.unread(self.probes()),
            *self.said_of_expo(seen),
            *_said_of_queue(waiting),
            *(["push notifications are queued already"] if self._queueing(seen) else []),
        )
        if looked and not _down(looked) and (looked.answers or looked.finding.refuses):
            return self._answered(seen, looked, findings, api_down=api_down)
        # Two vantage points, or a person: restarting every instance is not done on one word.
        both = _down(looked) and api_down is True
        cause = (
            "Expo is down: it answers neither the worker nor the API"
            if both
            else "Expo is not seen to be down from both sides"
        )
        return Ladder(
            cause=cause,
            steps=self._meanwhile(seen, Asks.POLICY if both else Asks.ALWAYS),
            findings=(*findings, *self._against(seen)),
            when_out=f"Wait for Expo: {_page(seen[self.status])}. What is queued is sent once it "
            "has been well for the settling time; urgent notifications that are queued from now "
            "on are e-mailed when you hand the incident back.",
        )

    def _answered(
        self, seen: Evidence, looked: ExpoSeen, findings: tuple[str, ...], *, api_down: bool | None
    ) -> Ladder:
        """Decide where Expo is there: a key of ours is wrong, the API cannot reach it, or well."""
        if looked.finding.refuses:
            return Ladder(
                cause=f"Expo answers, and refuses: {looked.finding}",
                steps=self._meanwhile(seen, Asks.ALWAYS)[:1],
                findings=(*findings, *self._against(seen)),
                when_out="Check EXPO_ACCESS_TOKEN of the API (and of the responder), and the app's "
                f"keys at Apple and Google: {self.given.expo_console}.",
            )
        if api_down is not False:
            return Ladder(
                cause="Expo answers the worker, and the API is not seen to reach it",
                steps=self._meanwhile(seen, Asks.ALWAYS)[:1],
                findings=(*findings, *self._against(seen)),
                when_out="Look at the API's EXPO_ACCESS_TOKEN, its way to exp.host, and its log.",
            )
        waiting = seen[self.waiting]
        left = bool(waiting and waiting.waiting)
        drain = (self._drain(seen, waiting),) if waiting and left else ()
        return Ladder(
            cause="Expo answers the worker and the API"
            + (", and notifications still wait in the queue" if left else ""),
            steps=() if self._queueing(seen) else drain,
            findings=findings,
            when_out="Switch the queueing off, then send what waits: it was not me who switched "
            "it on."
            if self._queueing(seen)
            else "Expo answers from both sides: look at what the API logs.",
        )

    def _queueing(self, seen: Evidence) -> bool:
        return self.present(seen, Switch.PUSH_QUEUEING) == "true"

    def _against(self, seen: Evidence) -> list[str]:
        looping = crash_looping(seen[self.instances], seen.at)
        return [f"queueing is not switched on, which restarts: {looping}"] if looping else []

    def _meanwhile(self, seen: Evidence, asks: Asks) -> tuple[Step, ...]:
        """Plan what keeps notifications from being lost while Expo is away."""
        queue = () if self._queueing(seen) or self._against(seen) else (self._queue(seen, asks),)
        if not queue and not self._queueing(seen):
            return ()
        return (*queue, self._email(seen, asks, needs=queue[0].key if queue else ""))

    def _queue(self, seen: Evidence, asks: Asks) -> Step:
        given, running = self.given, seen[self.instances]
        counted = f"{len(running.instances)} instances" if running else "the instances"
        present = self.present(seen, Switch.PUSH_QUEUEING)
        then = (
            "once Expo has been well for the settling time, what waits is sent, at most "
            f"{given.push_drain_per_second:g} a second, each once; what is too late is dropped"
        )
        return step(
            PushQueueing.queue_on,
            QueuePushes(app=given.app, drain_per_second=given.push_drain_per_second),
            target=given.app,
            why="a notification that is queued is not lost",
            effect=f"queue push notifications until Expo is back (restarts {counted} of "
            f"{given.app} once)",
            details=(then,),
            expect="no notification fails, and none arrives before Expo is back",
            risk=Risk.DISRUPTIVE,
            asks=asks if present else Asks.ALWAYS,
            undo=True,
            restarts=True,
            apply_seconds=_DRAIN_SECONDS,
        )

    def _email(self, seen: Evidence, asks: Asks, *, needs: str) -> Step:
        waiting, most = seen[self.waiting], self.given.push_urgent_emails_most
        now = f" ({waiting.urgent} wait now)" if waiting else ""
        return step(
            PushMail.email_urgent,
            EmailUrgent(most=most),
            target=TARGET,
            why="what is urgent cannot wait for Expo",
            effect=f"e-mail the urgent notifications that wait by then{now}, at most {most}; "
            "they leave the queue",
            expect="users read it in their mail; Expo is not mended by it",
            risk=Risk.DISRUPTIVE,
            asks=asks,
            needs=needs,
            apply_seconds=600,
        )

    def _drain(self, seen: Evidence, waiting: PushQueue) -> Step:
        rate = self.given.push_drain_per_second
        certain = bool(self.present(seen, Switch.PUSH_QUEUEING))
        return step(
            PushDrain.drain,
            DrainQueue(per_second=rate),
            target=TARGET,
            why="they were queued while Expo was away, and nobody has sent them",
            effect=f"send {waiting.waiting} queued notifications, at most {rate:g} a second, each "
            f"once; {waiting.expired} are too late and dropped",
            expect="the queue is empty",
            risk=Risk.DISRUPTIVE,
            asks=Asks.POLICY if certain else Asks.ALWAYS,
            apply_seconds=_DRAIN_SECONDS,
        )


def _down(looked: ExpoSeen | None) -> bool:
    return looked is not None and looked.finding.means_down


def _page(status: ProviderStatus | None) -> str:
    return status.url if status else "https://status.expo.dev"


def _said_of_queue(waiting: PushQueue | None) -> list[str]:
    if waiting is None:
        return []
    said = f"{waiting.waiting} notifications wait in the queue, {waiting.urgent} of them urgent"
    oldest = waiting.oldest_minutes
    since = f", the oldest for {oldest:.0f} minutes" if oldest is not None else ""
    unknown = waiting.unknown
    lost = [f"of {unknown} it is not known whether they were sent: they are not sent again"]
    return [f"{said}{since}", *(lost if unknown else [])]
