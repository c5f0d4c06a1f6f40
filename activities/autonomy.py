"""How much each step may do without a person, as it has earned: kept by a long-lived workflow."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field
from temporalio import activity

from activities.freezing import coordinator_id
from activities.keepers import Keeper
from activities.words import Answer, Order, Risk

AUTONOMY = "Autonomy"
"""The workflow type; one for each environment."""
SUMMARY = "How much each step may do without a person"


class Level(StrEnum):
    """What a step may do on a target."""

    OBSERVE = "observe"
    """It is written down what would be done."""
    PROPOSE = "propose"
    """People are told, to do it by hand."""
    ASK = "ask"
    """It is done once somebody approves."""
    ACT = "act"
    """It is done as the policy says."""

    @property
    def rank(self) -> int:
        """Position from 0 (observe) to 3 (act)."""
        return list(Level).index(self)

    def moved(self, by: int) -> Level:
        """Give the level so many above; the outermost ones are as far as it goes."""
        levels = list(Level)
        return levels[min(max(self.rank + by, 0), len(levels) - 1)]


class Earning(Order):
    """How steps earn what they may do; off, the policy alone decides."""

    enabled: bool = False
    begins: Level = Level.ASK
    """The level of a step on a target of which nothing is known yet."""
    successes: int = Field(default=5, ge=1, le=1000)
    """Verified successes at a level after which the next one is proposed to people."""


class WhichLevel(Order):
    """A question for what a step may do now."""

    environment: str = Field(default="", max_length=300)
    step: str = Field(max_length=400)
    """Activity and target, as in ``host.restart_service@redis``."""
    risk: Risk
    effect: str = ""
    earning: Earning


class Standing(Answer):
    """What a step may do, and how it got there."""

    level: Level
    why: str = ""


class Verified(Order):
    """What verification saw of a step, once."""

    environment: str = Field(default="", max_length=300)
    step: str = Field(max_length=400)
    occasion: str = Field(max_length=700)
    """Of the incident, the step and its time: however often it is told, it counts once."""
    helped: bool
    risk: Risk
    effect: str = ""
    earning: Earning


class Counted(Answer):
    """What became of it in the ledger."""

    level: Level
    demoted_from: Level | None = None
    proposed: Level | None = None
    """What people are asked to let it do from now on."""
    successes: int = 0


def ledger_id(environment: str) -> str:
    """Name the ledger of *environment*."""
    return coordinator_id(environment).replace("coordinator-", "autonomy-", 1)


_KEEPER = Keeper(AUTONOMY, "the ledger", SUMMARY, ledger_id)


class AutonomyLedger:
    """Asks the ledger by an update, which starts it where there is none yet."""

    @activity.defn(name="autonomy.level")
    async def level(self, ask: WhichLevel) -> Standing:
        """Ask what a step may do."""
        return await _KEEPER.ask("level", ask, Standing)

    @activity.defn(name="autonomy.count")
    async def count(self, seen: Verified) -> Counted:
        """Tell what verification saw; the same occasion twice counts once."""
        return await _KEEPER.ask("count", seen, Counted)
