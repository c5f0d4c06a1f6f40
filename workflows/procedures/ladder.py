"""What a procedure decides: causes, and steps in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from activities.record import Asks, PlannedStep
from activities.verification import Condition
from activities.words import Order, Risk
from workflows.procedures.probes import activity_name

Ask = TypeVar("Ask", bound=Order)


@dataclass(frozen=True)
class Step:
    """One mitigation: a change of a system, with its reason, its exact effect and its risk."""

    key: str
    activity: str
    order: Order
    target: str
    why: str
    effect: str
    risk: Risk
    details: tuple[str, ...] = ()
    """What exactly is touched, for the person who approves it."""
    expect: str = ""
    asks: Asks = Asks.POLICY
    alone_if: Condition | None = None
    undo: bool = False
    restarts: bool = False
    once: bool = False
    needs: str = ""
    approved_with: str = ""
    apply_seconds: float = 120.0
    mends: bool = True
    """Whether it can end what is wrong; what cannot is not waited for: the next step follows."""
    behind: Condition | None = None
    """What recovery is measured by while it keeps users away."""
    stages: tuple[float, ...] = ()
    """Shares of it that are given back one after the other, each verified, before the undo."""
    lasts_seconds: float = 0.0
    """After so long it ends by itself, unless it is renewed."""
    renew_seconds: float = 0.0
    proves: Condition | None = None
    completes: str = ""
    undo_when: Condition | None = None
    undo_hold_seconds: float = 0.0
    verify_seconds: float = 0.0
    cool_down_seconds: float = 0.0

    def planned(self) -> PlannedStep:
        """Give the form that travels: activity name and JSON."""
        flat = {each.name: getattr(self, each.name) for each in fields(self)}
        lists = {"details": list(self.details), "stages": list(self.stages)}
        return PlannedStep(**flat | lists | {"order": self.order.model_dump(mode="json")})


def step(
    change: Callable[[Any, Ask, Any], Awaitable[Any]],
    order: Ask,
    *,
    target: str,
    why: str,
    effect: str,
    risk: Risk,
    key: str = "",
    details: tuple[str, ...] = (),
    expect: str = "",
    asks: Asks = Asks.POLICY,
    undo: bool = False,
    restarts: bool = False,
    once: bool = False,
    needs: str = "",
    approved_with: str = "",
    apply_seconds: float = 120.0,
    mends: bool = True,
    behind: Condition | None = None,
    stages: tuple[float, ...] = (),
    lasts_seconds: float = 0.0,
    renew_seconds: float = 0.0,
) -> Step:
    """Plan a change with an order that it takes; *key* defaults to ``activity@target``."""
    name = activity_name(change)
    return Step(
        key=key or f"{name}@{target}",
        activity=name,
        order=order,
        target=target,
        why=why,
        effect=effect,
        details=details,
        risk=risk,
        expect=expect,
        asks=asks,
        undo=undo,
        restarts=restarts,
        once=once,
        needs=needs,
        approved_with=approved_with,
        apply_seconds=apply_seconds,
        mends=mends,
        behind=behind,
        stages=stages,
        lasts_seconds=lasts_seconds,
        renew_seconds=renew_seconds,
    )


@dataclass(frozen=True)
class Cause:
    """One cause that the evidence shows, with what treats it and what people should know."""

    words: str
    steps: tuple[Step, ...] = ()
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ladder:
    """The plan: a cause in words, steps in order, findings for people, and the last word."""

    cause: str
    steps: tuple[Step, ...] = ()
    findings: tuple[str, ...] = ()
    when_out: str = ""
    """What to say to people when the steps have run out."""
    waits: bool = False
    """Whether, behind a maintenance page, nobody can do more than wait for somebody else."""

    def __post_init__(self) -> None:
        keys = [step.key for step in self.steps]
        if len(set(keys)) != len(keys):
            raise ValueError(f"two steps of a ladder have the same key: {keys}")
        for position, each in enumerate(self.steps):
            named = {each.needs, each.approved_with, each.completes} - {""}
            if not named <= set(keys[:position]):
                raise ValueError(f"{each.key} builds on a step that is not before it: {named}")
