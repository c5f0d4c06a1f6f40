"""Which acts the root message offers as buttons, by where the incident stands."""

from __future__ import annotations

from activities.buttons import Pressed, Target, encode
from activities.messages import Button
from activities.record import Phase, Record
from workflows.policy import Policy

_NO_STEP_COMES = frozenset({Phase.WATCHING, Phase.JOINED})


def offered(record: Record, policy: Policy) -> tuple[Button, ...]:
    """Make the buttons for what can be done now, what is most urgent first."""
    if record.resolution is not None or record.phase is Phase.RESOLVED:
        return ()
    people, levels = record.people, policy.severities[record.severity].levels
    value = encode(Target(record.id, record.run))
    found = []
    if not people.acknowledged_by or people.renewal_asked:
        found.append(
            Button(action=Pressed.ACKNOWLEDGE, text="Acknowledge", value=value, style="primary")
        )
    if not people.taken_over_by and record.phase not in _NO_STEP_COMES:
        found += [
            Button(action=Pressed.HOLD, text="Hold 10 minutes", value=value),
            Button(action=Pressed.STOP, text="Stop", value=value, style="danger"),
        ]
    if people.level < len(levels):
        # The level is part of it: two who press at once call one level, not two.
        found.append(
            Button(
                action=Pressed.ESCALATE,
                text="Escalate",
                value=encode(Target(record.id, record.run, shown=str(people.level))),
                confirm=f"This calls {levels[people.level]} now.",
            )
        )
    if people.taken_over_by:
        found.append(Button(action=Pressed.HAND_BACK, text="Hand back", value=value))
    else:
        found.append(Button(action=Pressed.TAKE_OVER, text="Take over", value=value))
    found.append(Button(action=Pressed.RESOLVE, text="Resolve…", value=value))
    return tuple(found)
