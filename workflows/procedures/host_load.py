"""Runbook, "Infrastructure Incidents": the processors or the memory of the API's host run short."""

from __future__ import annotations

from dataclasses import replace

from activities.alerts import Alert
from activities.prometheus import Prometheus, Query, SeriesQuery
from activities.record import Asks
from activities.verification import Below
from activities.words import Severity
from workflows import promql
from workflows.procedures.base import Cause, Evidence, Ladder, Probe
from workflows.procedures.deployments import RollsBack
from workflows.procedures.heap import RaisesHeap
from workflows.procedures.host_use import SeesHostUse, memory_of
from workflows.procedures.leaking import FreesMemory
from workflows.procedures.measured import known, memory_free_ratio, number
from workflows.procedures.scaling import ScalesOut

_MOST_ROUTES = 3
_FOLD = 10
"""Above this a growth is told in times, not in per cent."""
_OURS = 0.3
"""Of what is used: with less, the API is not why the memory is short."""


class HighCPUUsage(ScalesOut, SeesHostUse):
    """More than 80 % of the API host's CPU is used."""

    severity = Severity.WARNING
    impact = "Requests queue for the processors: the API may get slow."
    section = "high-cpu-usage--80"
    recovered = Below(expression=promql.CPU_USED, threshold=0.8, unit="%")
    uses = ("runaway_percent", "load_high_ratio", "replicas_high", "replicas_most",
            "connections_reserve", "database_slow_seconds")  # fmt: skip

    used = Probe(
        Prometheus.value, Query(expression=promql.CPU_USED), why="CPU of the API host in use"
    )
    routes = Probe(
        Prometheus.series,
        SeriesQuery(expression=promql.BUSIEST_ROUTES),
        why="routes that take the most time",
    )

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:  # noqa: ARG002 (the evidence says more)
        """Restart the one instance that runs away; else more instances, where they can help."""
        used, findings = number(seen[self.used]), self._findings(seen)
        if used is not None and used < self.threshold:
            fine = f"{used:.0%} of the CPU is used now, under {self.threshold:.0%}"
            return Ladder(fine, (), findings, f"{fine}: nothing was changed.")
        cause = self._cause(seen)
        much = "" if used is None else f"{used:.0%} of the CPU is used: "
        return Ladder(
            cause=f"{much}{cause.words}",
            steps=cause.steps,
            findings=(*cause.findings, *findings),
            when_out="The processors are still busy and no step is left: please look at the hot "
            "paths, or give the API a larger machine.",
        )

    def _cause(self, seen: Evidence) -> Cause:
        if (stranger := self._hog(seen)) is not None:
            return stranger
        steps, findings = self.scale_out(
            seen, self.given.replicas_high, why="the instances have more to do than they can"
        )
        if (runaway := self.runaway(seen)) is not None:
            cause = self.restart_runaway(seen, runaway)
            return Cause(cause.words, (*cause.steps, *steps), (*cause.findings, *findings))
        now, before = number(seen[self.rate]), number(seen[self.baseline])
        words = "no instance runs away"
        if seen[self.busiest] is None or seen[self.instances] is None:
            words = "which process is busy could not be read"
            steps = tuple(replace(each, asks=Asks.ALWAYS) for each in steps)
        elif now and before and now / before >= self.given.spike_ratio:
            words = f"{now / before:.1f} times the requests of {self.given.baseline_offset} ago"
        return Cause(words, steps, findings)

    def _hog(self, seen: Evidence) -> Cause | None:
        """Find a process that is not the API's and takes more than all of the API does."""
        running, busiest = seen[self.instances], seen[self.busiest]
        if running is None or busiest is None:
            return None
        strangers = self.strangers(seen, busiest)
        ours = {each.pid for each in running.instances}
        total = sum(each.cpu_percent or 0 for each in busiest.processes if each.pid in ours)
        most = strangers[0] if strangers else None
        if most is None or (most.cpu_percent or 0) <= max(total, self.given.runaway_percent / 2):
            return None
        words = f"{most.name} (process {most.pid} of {most.user}) takes {most.cpu_percent:.0f} %"
        left = f"{most.name} is not ours to end: ask {most.user}, or end it by hand"
        return Cause(f"{words} of a processor, more than all of the API", (), (left,))

    def _findings(self, seen: Evidence) -> tuple[str, ...]:
        routes = ", ".join(
            f"{each.labels.get('route', '?')} {each.value:.2f}"
            for each in known(seen[self.routes])[:_MOST_ROUTES]
            if each.value
        )
        hot = "hot paths, in seconds a second; optimise or cache what is computed there"
        return (
            *self.who(seen[self.busiest]),
            *self.profile(seen),
            *self.waiting(seen),
            *([f"{hot}: {routes}"] if routes else []),
            *seen.unread((self.used, self.busiest)),
        )


class HighMemoryUsage(RaisesHeap, FreesMemory, SeesHostUse):
    """More than 85 % of the API host's memory is used."""

    severity = Severity.WARNING
    impact = "The host may soon end processes for lack of memory: the API, or Redis beside it."
    section = "high-memory-usage--85"
    recovered = Below(expression=promql.MEMORY_USED, threshold=0.85, unit="%")
    uses = ("memory_high_ratio", "memory_growth_ratio", "spike_ratio", "node_heap_megabytes")

    used = Probe(
        Prometheus.value, Query(expression=promql.MEMORY_USED), why="memory of the API host in use"
    )
    slope_hours = Probe(
        Prometheus.value,
        Query(expression=promql.MEMORY_SLOPE_HOURS),
        why="growth of the API's memory over hours",
    )
    rate = Probe(Prometheus.value, Query(expression=promql.API_RATE), why="requests a second now")
    baseline = Probe(
        Prometheus.value,
        lambda given: Query(expression=promql.api_rate(offset=given.baseline_offset)),
        why="requests a second an hour ago",
    )
    releases = RollsBack.releases

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:  # noqa: ARG002 (the evidence says more)
        """Restart one instance after the other where the API holds it; a leak is a person's."""
        used, findings = number(seen[self.used]), self._findings(seen)
        if used is not None and used < self.threshold:
            fine = f"{used:.0%} of the memory is used now, under {self.threshold:.0%}"
            return Ladder(fine, (), findings, f"{fine}: nothing was changed.")
        much = "" if used is None else f"{used:.0%} of the memory is used: "
        share = self._share(seen)
        if share is not None and share < _OURS:
            cause = f"{much}the API has only {share:.0%} of that, so it is not restarted"
            look = "Please look at the largest processes: they are not the API's."
            return Ladder(cause, (), findings, look)
        restart, against = self.rolling_restart(
            seen,
            why="it frees what has piled up; the leak itself is for people to find",
            asks=Asks.POLICY if share is not None else Asks.ALWAYS,
            expect="memory falls with each instance that begins anew",
        )
        heap, kept = self.raise_heap(seen)
        return Ladder(
            cause=f"{much}{self._leak_or_load(seen)}",
            steps=(*restart, *heap),
            findings=(*against, *kept, *findings),
            when_out="Memory is still short and no step is left: find the leak, or give the API a "
            "larger machine.",
        )

    def _share(self, seen: Evidence) -> float | None:
        """Give the API's share of the memory in use."""
        running, host = seen[self.instances], seen[self.capacity]
        ours = memory_of(running.instances) if running else None
        free = memory_free_ratio(host)
        if ours is None or host is None or not host.memory_total_bytes or free is None:
            return None
        used = (1 - free) * host.memory_total_bytes
        return ours / used if used else None

    def _leak_or_load(self, seen: Evidence) -> str:
        """Say whether memory grows with the requests or by itself, over hours where known."""
        memory, slope = number(seen[self.memory]), number(seen[self.slope_hours])
        slope = number(seen[self.slope]) if slope is None else slope
        now, before = number(seen[self.rate]), number(seen[self.baseline])
        if not memory or slope is None:
            return "whether it grows could not be read"
        growth = slope * 3600 / memory
        if growth < self.given.memory_growth_ratio:
            return f"the API's memory hardly grows ({growth:+.0%} an hour)"
        much = f"{growth:.0%}" if growth < _FOLD else f"{growth:.0f} times its size"
        if now and before and now / before >= self.given.spike_ratio:
            return f"it grows by {much} an hour with {now / before:.1f} times the requests: load"
        return f"it grows by {much} an hour and the requests do not: a leak"

    def _findings(self, seen: Evidence) -> tuple[str, ...]:
        history = seen[self.releases]
        last = history.releases[0] if history and history.releases else None
        changed = f"last change: {last.name} by {last.author or 'unknown'}" if last else ""
        return (
            *self.who(seen[self.largest]),
            *([f"{changed}, {last.at:%d %b %H:%M}: review what it keeps"] if last else []),
            "find the leak: unbounded arrays and maps, listeners that are never removed",
            f"no heap snapshot above {self.given.memory_high_ratio:.0%}: it needs as much again",
            *seen.unread((self.used, self.largest, self.instances, self.capacity)),
        )
