"""A world that answers each probe with what a situation of the runbook says it finds."""

import json
from typing import Any

from activities.changes import READ
from tests.lifecycle.world import Town, World
from workflows.procedures.base import Given
from workflows.situations import SITUATIONS
from workflows.situations.base import Situation, Situations

GIVEN = Given(redis_persists=True)
"""As the library of the lifecycle's tests is given it."""


def first_with_steps(situations: Situations) -> Situation:
    """The first situation in which the procedure does something, by what the tests declare."""
    found = (each for each in situations if situations.plan(each, GIVEN).steps)
    return next(found, situations.these[0])


class ByEvidence(World):
    """Whatever is changed here helps."""

    def __init__(self, town: Town, situations: Situations, situation: Situation) -> None:
        super().__init__(town)
        answers = {**situations.usual, **situation.found}
        self._found = {
            self._asked(probe.activity, probe.question(GIVEN).model_dump(mode="json")): answers[
                probe.key
            ]
            for probe in situations.procedure(GIVEN).probes()
        }

    @staticmethod
    def _asked(name: str, ask: Any) -> str:
        return f"{name} {json.dumps(ask, sort_keys=True, default=repr)}"

    async def call(self, name: str, arguments: list[Any]) -> Any:
        answer = self._found.get(self._asked(name, arguments[0])) if arguments else None
        if answer is not None:
            self.calls.append((name, arguments))
            return answer.model_dump(mode="json")
        if name in self.answers and not name.startswith(("processes", "switches", "postgres")):
            return await super().call(name, arguments)
        self.calls.append((name, arguments))
        if name.endswith(READ):
            return {}
        self.up = True
        return {"said": f"{name} is done", "share": arguments[2] if len(arguments) > 2 else 0.0}


ALL = {each.procedure.__name__: each for each in SITUATIONS}
