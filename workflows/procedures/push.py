"""Runbook, "Mobile Push Notification Incidents": notifications that fail."""

from __future__ import annotations

from activities.alerts import Alert
from activities.expo_api import CREDENTIALS, MOST_BYTES, NOT_REGISTERED
from activities.prometheus import Prometheus, SeriesQuery
from activities.push_records import Lately, PushReceipts, PushRecords
from activities.push_tokens import TARGET, PushTokens, RemoveTokens
from activities.record import Asks
from activities.switches import Switch
from activities.verification import Below
from activities.words import Nothing, Risk, Severity
from workflows import promql
from workflows.procedures.base import Evidence, Ladder, Probe, Step, step
from workflows.procedures.expo import SeesExpo
from workflows.procedures.instances import crash_looping
from workflows.procedures.measured import known

_COUNTS = 0.1
"""Share of the failures from which on an error is worth a step."""
_MOST_NAMED = 20
_TOO_BIG = "MessageTooBig"
_TOO_MANY = frozenset({"MessageRateExceeded", "TOO_MANY_REQUESTS"})

Planned = tuple[tuple[Step, ...], tuple[str, ...]]


class HighPushNotificationFailureRate(SeesExpo):
    """More than 20 % of the push notifications fail."""

    severity = Severity.WARNING
    impact = "Users miss push notifications; the apps work."
    section = "push-notification-failures--20"
    recovered = Below(
        expression=promql.PUSH_FAILING,
        threshold=0.2,
        unit="%",
        traffic=promql.PUSH_RATE,
        floor=0.05,
    )
    uses = ("push_dead_most_ratio",)

    failures = Probe(
        Prometheus.series,
        SeriesQuery(expression=promql.PUSH_FAILURES_BY),
        why="failures by type of error",
    )
    receipts = Probe(PushRecords.receipts, Lately(), why="receipts of the last hour")
    tokens = Probe(
        PushRecords.dead_tokens, Nothing(), why="tokens that said twice that the app is gone"
    )

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:  # noqa: ARG002 (the evidence says more)
        """Remove dead tokens, send less or slower, by what the errors say; credentials: people."""
        shares = self._shares(seen)
        named = ", ".join(f"{share:.0%} {error}" for error, share in shares.items())
        findings = (
            *seen.unread(self.probes()),
            *_too_big(seen[self.receipts]),
            *self.said_of_expo(seen),
        )
        if not shares:
            cause = "push notifications fail, and by which error is not known"
            return Ladder(cause, (), findings, "Read what Expo answers in the API's log.")
        looked = seen[self.from_worker]
        if looked and looked.finding.means_down:
            cause = "Expo itself is down: ExpoPushServiceDown is about that"
            return Ladder(cause, (), findings, "Wait for Expo, and queue meanwhile.")
        counting = [error for error, share in shares.items() if share >= _COUNTS]
        if CREDENTIALS & set(counting):
            return Ladder(
                cause=f"the app's push credentials are refused: {named}",
                findings=findings,
                when_out="Renew EXPO_ACCESS_TOKEN and the app's keys at Apple and Google "
                f"({self.given.expo_console}); removing tokens would cost good ones.",
            )
        removal, about_tokens = (
            self._remove(seen, named) if NOT_REGISTERED in counting else ((), ())
        )
        switches, about_switches = self._send_less(seen, counting)
        dead_first = counting[:1] == [NOT_REGISTERED]
        return Ladder(
            cause=f"push notifications fail: {named}",
            steps=(*removal, *switches) if dead_first else (*switches, *removal),
            findings=(*findings, *about_tokens, *about_switches),
            when_out="They fail still: read what Expo answers in the API's log, and its console "
            f"({self.given.expo_console}).",
        )

    def _shares(self, seen: Evidence) -> dict[str, float]:
        """Give each error its share of the failures: as they are now, else of the last hour."""
        counts = {
            each.labels.get("error_type", "?"): each.value or 0.0
            for each in known(seen[self.failures])
        }
        receipts = seen[self.receipts]
        if not any(counts.values()) and receipts is not None:
            counts = {each.error: float(each.count) for each in receipts.by_error if each.error}
        total = sum(counts.values())
        ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        return {error: count / total for error, count in ranked if count}

    def _remove(self, seen: Evidence, named: str) -> Planned:
        """Plan to remove the tokens that are surely dead, and only those."""
        tokens = seen[self.tokens]
        if tokens is None:
            return (), ("no token is removed: which are dead could not be read",)
        if not tokens.ids:
            said = f"{tokens.once} tokens said {NOT_REGISTERED}, none twice a day apart"
            return (), (f"{said}: none is removed yet",)
        rest = tokens.dead - len(tokens.ids)
        many = tokens.ratio > self.given.push_dead_most_ratio
        some = f"{len(tokens.ids)} of the " if rest > 0 else ""
        share = f"{some}{tokens.dead} dead push tokens ({tokens.ratio:.1%} of {tokens.total})"
        shown = ", ".join(map(str, tokens.ids[:_MOST_NAMED]))
        more = len(tokens.ids) - _MOST_NAMED
        suspicion = "so many at once: first make sure that the push credentials are right"
        removal = step(
            PushTokens.remove_tokens,
            RemoveTokens(ids=tokens.ids),
            target=TARGET,
            why=f"{named}; these phones said twice, a day apart, that they have the app no more",
            effect=f"remove {share}; a phone that has the app registers anew when it is opened",
            details=(
                f"ids in push_tokens: {shown}{f' and {more} more' if more > 0 else ''}",
                *([suspicion] if many else []),
            ),
            expect="fewer notifications fail within a minute",
            risk=Risk.DESTRUCTIVE,
            asks=Asks.ALWAYS if many else Asks.POLICY,
        )
        findings = [f"{rest} more dead tokens are left for the next time"] if rest > 0 else []
        return (removal,), (*([suspicion] if many else []), *findings)

    def _send_less(self, seen: Evidence, counting: list[str]) -> Planned:
        """Plan smaller and slower notifications, both in one restart."""
        values: dict[Switch, str] = {}
        why, findings = [], []
        if _TOO_BIG in counting:
            if self.present(seen, Switch.PUSH_MINIMAL_PAYLOAD) == "true":
                findings.append("the payload is minimal already, and still too big: see what is in")
            else:
                values[Switch.PUSH_MINIMAL_PAYLOAD] = "true"
                why.append(f"a phone takes at most {MOST_BYTES} bytes")
        if _TOO_MANY & set(counting):
            present = self.present(seen, Switch.PUSH_RATE_PER_SECOND)
            rate = present if present.isdecimal() else self.given.default(_RATE)
            if int(rate) > 1:
                values[_RATE] = str(int(rate) // 2)
                why.append("only so many are taken in a while")
            else:
                findings.append("one notification a second is sent already: it gets no slower")
        if not values:
            return (), tuple(findings)
        if looping := crash_looping(seen[self.instances], seen.at):
            return (), (*findings, f"not switched, which restarts: {looping}")
        known_now = all(self.present(seen, switch) for switch in values)
        change = self.set_switches(
            seen,
            values,
            why="; ".join(why),
            expect="fewer notifications fail within a minute of the restart",
            asks=Asks.POLICY if known_now else Asks.ALWAYS,
        )
        return (change,), tuple(findings)


_RATE = Switch.PUSH_RATE_PER_SECOND


def _too_big(receipts: PushReceipts | None) -> list[str]:
    """Name what exceeds what a phone takes."""
    return [
        f"{each.count} notifications “{each.kind}” are too big, up to {each.bytes} bytes"
        for each in (receipts.too_big if receipts else ())
    ]
