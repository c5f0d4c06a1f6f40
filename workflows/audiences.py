"""Who else hears of an incident: channels beside #incidents, each from a severity on.

An audience hears when it begins, gets worse, keeps users away, is over and comes back; what is
between stands in #incidents. Its first message begins a thread, in which the later ones are shown
in the channel too.
"""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.messages import Entry, Link, Part
from activities.outbox import Told, Unsent
from activities.record import Phase, Record
from activities.slack import Announce, PostEntry, Slack
from activities.words import Severity
from workflows.case import Case, kind_of, why
from workflows.efforts import MESSAGE, said
from workflows.glance import eta, impact, promise, words
from workflows.headline import brief, outage_step
from workflows.template import done, filled_in, heading

AUDIENCE = "audience"
"""Kind of the messages to an audience."""
_ENGINEERING = "engineering"
"""The one audience that reads what was found and done."""
_OVER, _OUTAGE = "over", "outage"
_FINAL = frozenset({"Refused", "NotConfigured", "NotFoundError", "Gone"})
_NOT_YET = frozenset({Phase.OPENING, Phase.INVESTIGATING})
"""What is wrong has not been measured."""
_OPEN = "https://slack.com/app_redirect?channel="


def address(case: Case) -> None:
    """Queue what each audience has to hear by now; what it has heard is not said again."""
    record = case.record
    if case.muted or record.slack.silent(case.now) or record.phase in _NOT_YET:
        return
    for role, mildest in sorted(case.policy.audiences.items()):
        told = record.slack.audiences.setdefault(role, Told())
        state = _news(record, told, mildest)
        if state and not told.off:
            payload = {"role": role, "state": state, "before": told.heard}
            told.heard = state
            record.slack.unsent.append(case.unsent(AUDIENCE, payload))


def _news(record: Record, told: Told, mildest: Severity) -> str:
    """Say what is new to an audience, or nothing."""
    if record.resolution is not None:
        return _OVER if told.heard not in ("", _OVER) and record.phase is Phase.RESOLVED else ""
    if not told.heard and record.severity.rank < mildest.rank:
        return ""
    state = _OUTAGE if outage_step(record) else record.severity.value
    known = told.heard in tuple(Severity) and state in tuple(Severity)
    milder = known and Severity(state).rank <= Severity(told.heard).rank
    return "" if milder or state == told.heard else state


async def speak(case: Case, message: Unsent, *, again: bool) -> None:
    """Post a message to its audience; a channel that refuses it holds up nobody else's."""
    role = message.payload["role"]
    told = case.record.slack.audiences.setdefault(role, Told())
    try:
        await _post(case, message, told, again=again)
    except ActivityError as error:
        if kind_of(error) == "Gone" and told.ts:
            # Somebody has deleted the first message, and with it the thread.
            told.channel_id = told.ts = ""
            await speak(case, message, again=False)
        elif kind_of(error) in _FINAL:
            told.off = why(error)
            case.note("problem", f"#{role} is not told: {told.off}")
        else:
            raise


async def _post(case: Case, message: Unsent, told: Told, *, again: bool) -> None:
    role, entry = message.payload["role"], _entry(case, message)
    effort, oldest = said(MESSAGE, f"Tell #{role}"), case.record.opened_at
    if told.ts:
        in_thread = PostEntry(
            channel_id=told.channel_id,
            thread_ts=told.ts,
            entry=entry.model_copy(update={"broadcast": True}),
            oldest=oldest,
            read_back=again,
        )
        await workflow.execute_activity_method(Slack.post_entry, in_thread, **effort)
        return
    announced = Announce(channel=role, entry=entry, oldest=oldest, read_back=again)
    posted = await workflow.execute_activity_method(Slack.announce, announced, **effort)
    told.channel_id, told.ts = posted.channel_id, posted.ts


def _entry(case: Case, message: Unsent) -> Entry:
    record, payload = case.record, message.payload
    state, before = payload["state"], payload["before"]
    engineering = payload["role"] == _ENGINEERING
    if state == _OVER:
        title, text = _over(record, engineering=engineering)
    else:
        title = heading(record) if engineering else _plainly(record)
        text = filled_in(record, case.policy) if engineering else _template(case)
        if before == _OVER:
            title = f"It is back. {title}"
        elif before == _OUTAGE:
            title = f"Users are let in again. {title}"
    channel = record.slack.channel_id
    followed = (Link(text="Follow it in Slack", url=f"{_OPEN}{channel}"),) if channel else ()
    return Entry(key=message.key, title=title, parts=(Part(text=text),), links=followed)


def _plainly(record: Record) -> str:
    down = outage_step(record)
    return f"{'OUTAGE' if down else record.severity.value.upper()}: {brief(record)}"


def _template(case: Case) -> str:
    """Fill the template in without what only engineers read."""
    record = case.record
    status = "users see the maintenance page" if outage_step(record) else "it is worked on"
    where = "in the incident's own thread; here when it gets worse, and when it is over"
    lines = (
        f"Impact: {impact(record)}",
        f"Status: {status}",
        f"ETA: {eta(record, case.policy)}",
        f"Updates: {promise(record, case.policy)}, {where}",
    )
    return "\n".join(lines)


def _over(record: Record, *, engineering: bool) -> tuple[str, str]:
    """Say that it is over: what was done, and what is still temporary."""
    end = record.resolution
    if end is None:
        return f"Over: {brief(record)}", ""
    lasted = words((end.at - record.starts_at).total_seconds())
    lines = [f"It lasted {lasted}."]
    if engineering:
        lines += [f"{end.how}: {end.reason}", *done(record)]
        lines += [f"Report: {path}" for path in record.report[:1]]
    lines += [f"Still temporary: {effect}" for effect in end.still_temporary]
    return f"Over: {brief(record)}", "\n".join(lines)
