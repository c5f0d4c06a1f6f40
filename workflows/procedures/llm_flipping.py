"""Going from one LLM provider to the other: a share of the calls first, then all of them."""

from __future__ import annotations

import dataclasses

from activities.llm_findings import Provider, Standing
from activities.llm_providers import LlmProviders, LookAt, ProviderLook
from activities.prometheus import Prometheus, SeriesAnswer, SeriesQuery
from activities.record import Asks
from activities.status_pages import ProviderStatus, StatusOf, StatusPages
from activities.switches import Switch
from activities.verification import Answering, Below, Condition
from workflows import promql
from workflows.procedures.base import Evidence, Probe, Step
from workflows.procedures.instances import ActsOnInstances
from workflows.procedures.measured import known

TITLES: dict[str, str] = {"openai": "OpenAI", "anthropic": "Anthropic"}
OTHER: dict[str, Provider] = {"openai": "anthropic", "anthropic": "openai"}
FLIP_SECONDS = 1800.0
"""Between one flip and the next: two that chase each other are worse than either."""
_IN_CODE = "apps/api/src/services/llm.service.ts"
_BUSY = frozenset({Standing.OVERLOADED, Standing.LIMITED})


class RoutesCalls(ActsOnInstances):
    """Knows how LLM calls are routed, and plans to send them elsewhere: a share first, then all."""

    def routed(
        self,
        seen: Evidence,
        other: Provider,
        *,
        why: str,
        asks: Asks,
        beside: dict[Switch, str],
        details: tuple[str, ...] = (),
        proof: Condition | None = None,
    ) -> tuple[Step, Step]:
        """Plan to send a share of the calls to *other*, and all of them where *proof* is seen."""
        percent, app, title = self.given.llm_first_percent, self.given.app, TITLES[other]
        first, second = (
            dataclasses.replace(
                self.set_switches(seen, {Switch.LLM_ROUTING: to, **beside}, why=why, asks=asks),
                details=details,
                undo_when=Answering(checks=(f"llm.{OTHER[other]}",)),
                undo_hold_seconds=self.given.llm_hold_seconds,
                cool_down_seconds=FLIP_SECONDS,
            )
            for to in (f"split:{other}:{percent}", f"forcedProvider:{other}")
        )
        first = dataclasses.replace(
            first,
            key=f"{first.activity}@{app}/llm-first",
            effect=f"send {percent} % of the LLM calls to {title}: {first.effect}",
            expect=f"{title} answers them",
            proves=proof,
        )
        second = dataclasses.replace(
            second,
            key=f"{first.activity}@{app}/llm-all",
            effect=f"send all LLM calls to {title}, which restarts {app} once more",
            expect="calls are answered within a minute of the restart",
            needs=first.key,
            approved_with=first.key,
            completes=first.key,
        )
        return first, second

    def carries(self, other: Provider) -> Below:
        """Give what is true while *other* answers the calls that are sent to it."""
        return Below(
            expression=promql.llm_failing(other),
            threshold=self.given.llm_failing_ratio,
            traffic=promql.llm_calls(other),
        )

    def routing_doubt(self, seen: Evidence) -> str:
        """Say why a person has to look at how calls are routed now, before it is changed."""
        routing = self.present(seen, Switch.LLM_ROUTING)
        if not routing:
            unread = seen.why_not(self.instances) or "the instances do not agree on it"
            return f"how calls are routed now is not known: {unread}"
        if routing != self.given.default(Switch.LLM_ROUTING):
            return f"LLM routing is {routing}: somebody has set it"
        return ""


class FlipsProvider(RoutesCalls):
    """Knows how both LLM providers stand, and plans to send calls to the one that answers."""

    openai = Probe(
        LlmProviders.look, LookAt(provider="openai"), why="OpenAI: its models, and one completion"
    )
    anthropic = Probe(
        LlmProviders.look,
        LookAt(provider="anthropic"),
        why="Anthropic: its models, and one completion",
    )
    openai_page = Probe(StatusPages.status, StatusOf(provider="openai"), why="OpenAI's status page")
    anthropic_page = Probe(
        StatusPages.status, StatusOf(provider="anthropic"), why="Anthropic's status page"
    )
    failing = Probe(
        Prometheus.series,
        SeriesQuery(expression=promql.LLM_FAILING),
        why="share of calls that each LLM provider leaves unanswered",
    )
    calls = Probe(
        Prometheus.series,
        SeriesQuery(expression=promql.LLM_CALLS),
        why="calls a second to each LLM provider",
    )

    def flip(
        self,
        seen: Evidence,
        away: str,
        *,
        why: str,
        asks: Asks = Asks.POLICY,
        beside: dict[Switch, str] | None = None,
        proven: bool = True,
    ) -> tuple[tuple[Step, ...], tuple[str, ...]]:
        """Plan to go from *away* to the other provider in two steps, or say what is against it.

        Args:
            seen: What the probes found.
            away: The provider that is left.
            why: Why it is.
            asks: Whether people are asked in any case.
            beside: Switches that are set in the same restart.
            proven: Whether the first share is only there to prove that the other one carries it.
        """
        other = OTHER[away]
        against, doubts = self._against(seen, other)
        if against:
            return (), (f"not routed to {TITLES[other]}: {against}",)
        steps = self.routed(
            seen,
            other,
            why=why,
            asks=Asks.ALWAYS if doubts else asks,
            beside=beside or {},
            details=_details(self.looks(seen)[other], doubts),
            proof=self.carries(other) if proven else None,
        )
        permanent = (
            f"if calls shall stay with {TITLES[other]}, make it permanent in {_IN_CODE} and close "
            "this with a reason: the switch goes back by itself"
        )
        return steps, (*(f"routing asks first: {doubt}" for doubt in doubts), permanent)

    def looks(self, seen: Evidence) -> dict[str, ProviderLook | None]:
        """Give how each provider stands."""
        return {"openai": seen[self.openai], "anthropic": seen[self.anthropic]}

    def share_failing(self, seen: Evidence, provider: str) -> float | None:
        """Give the share of *provider*'s calls without an answer; None where none is measured."""
        return _of(seen[self.failing], provider)

    def standing(self, seen: Evidence, provider: str) -> str:
        """Say how *provider* stands, and why."""
        look = self.looks(seen)[provider]
        if look is None:
            probe = {"openai": self.openai, "anthropic": self.anthropic}[provider]
            return f"{TITLES[provider]} is not known: {seen.why_not(probe)}"
        said = f" ({look.said})" if look.said else ""
        return f"{TITLES[provider]}: {look.standing}{said}"

    def for_people(self, seen: Evidence) -> tuple[str, ...]:
        """Say what stands on the status pages, and which models are about to end."""
        found = []
        for provider, page in self._pages(seen).items():
            if page is None:
                probe = {"openai": self.openai_page, "anthropic": self.anthropic_page}[provider]
                found.append(seen.why_not(probe))
            elif page.state != "operational":
                found.append(f"{TITLES[provider]}'s page says {page.state}: {page.said} {page.url}")
        for provider, look in self.looks(seen).items():
            if look is not None and look.retires_on:
                found.append(f"{TITLES[provider]} ends {look.model} on {look.retires_on}")
        return tuple(found)

    def console(self, provider: str) -> str:
        """Say where people see *provider*'s limits, keys and bills."""
        return {"openai": self.given.openai_console, "anthropic": self.given.anthropic_console}[
            provider
        ]

    def _pages(self, seen: Evidence) -> dict[str, ProviderStatus | None]:
        return {"openai": seen[self.openai_page], "anthropic": seen[self.anthropic_page]}

    def _against(self, seen: Evidence, other: Provider) -> tuple[str, list[str]]:
        """Say what forbids to route to *other*, and what a person has to weigh before."""
        look, page = self.looks(seen)[other], self._pages(seen)[other]
        if self.present(seen, Switch.LLM_ROUTING) == f"forcedProvider:{other}":
            return "all calls go there already", []
        if look is not None and not look.answers and look.standing.known:
            return self.standing(seen, other), []
        doubts = []
        if look is None or not look.answers:
            doubts.append(self.standing(seen, other))
        elif short := self._short(seen, look):
            doubts.append(short)
        failing = self.share_failing(seen, other)
        if failing is not None and failing > self.given.llm_failing_ratio:
            return f"{failing:.0%} of the platform's calls there are not answered", []
        if page is not None and page.state in ("outage", "maintenance"):
            doubts.append(f"{TITLES[other]}'s status page says {page.state}")
        if doubt := self.routing_doubt(seen):
            doubts.append(doubt)
        return "", doubts

    def _short(self, seen: Evidence, look: ProviderLook) -> str:
        """Say where the provider's limit is less than all calls need."""
        calls = [each.value or 0.0 for each in known(seen[self.calls])]
        needed, limit = sum(calls) * 60, look.limits.requests
        if limit is None or needed <= limit:
            return ""
        return (
            f"{TITLES[look.provider]} lets {limit} requests a minute through, and {needed:.0f} come"
        )


def busy(look: ProviderLook | None) -> bool:
    """Whether the provider is there, and has too much to do for us or for all."""
    return look is not None and look.standing in _BUSY


def _of(answer: SeriesAnswer | None, provider: str) -> float | None:
    values = [each.value for each in known(answer) if each.labels.get("provider") == provider]
    return max((value for value in values if value is not None), default=None)


def _details(look: ProviderLook | None, doubts: list[str]) -> tuple[str, ...]:
    if look is None:
        return tuple(doubts)
    left = look.limits.requests_left
    room = "" if left is None else f", {left} requests left of {look.limits.requests or '?'}"
    seen = f"{TITLES[look.provider]} {look.standing} with {look.model}{room}"
    return (seen, *doubts)
