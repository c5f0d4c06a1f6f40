"""What happens to our pages at PagerDuty, and what it does to the incident.

People do there what they do at any other door, by the same rules. What an integration does, and
the echo of what we have done ourselves, does nothing.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import AwareDatetime, ConfigDict, Field

from activities.paging import Paging
from activities.record import Phase
from activities.words import Order, Urgency, cut
from workflows.acts import Act, ActKind
from workflows.case import Case
from workflows.hands import Hands

_VIA = "pagerduty"
_MOST_KEPT = 200
_MOST_TEXT = 1000


class PageHappening(StrEnum):
    """What can happen to a page, as PagerDuty names it."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    ESCALATED = "escalated"
    REASSIGNED = "reassigned"
    DELEGATED = "delegated"
    ANNOTATED = "annotated"


class PageEvent(Order):
    """One event of one page; a newer door may know more of it than this worker."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str = Field(min_length=1, max_length=150)
    happening: PageHappening
    key: str = Field(min_length=1, max_length=255)
    """The page's deduplication key."""
    at: AwareDatetime
    by: str = Field(default="", max_length=200)
    """Name of the person as the policy has it; empty where it was none, or one we do not know."""
    agent: str = Field(default="", max_length=200)
    """What PagerDuty calls whoever did it."""
    human: bool = False
    text: str = Field(default="", max_length=3000)
    """The note, or who has the page now."""


_STATES = frozenset(
    {
        PageHappening.ACKNOWLEDGED,
        PageHappening.UNACKNOWLEDGED,
        PageHappening.RESOLVED,
        PageHappening.REOPENED,
    }
)
"""Of these the newest holds."""
_MOVED = frozenset({PageHappening.ESCALATED, PageHappening.REASSIGNED, PageHappening.DELEGATED})


class PageEvents:
    """Takes in events of pages, in whatever order and however often they come."""

    def __init__(self, case: Case, hands: Hands) -> None:
        self._case = case
        self._hands = hands

    def absorb(self, event: PageEvent) -> None:
        """Take in one event."""
        if not self._news(event):
            return
        match event.happening:
            case PageHappening.ACKNOWLEDGED:
                self._acknowledged(event)
            case PageHappening.UNACKNOWLEDGED:
                self._unacknowledged(event)
            case PageHappening.RESOLVED:
                self._resolved(event)
            case PageHappening.ANNOTATED:
                self._annotated(event)
            case PageHappening.REOPENED:
                self._note(f"{event.agent or 'somebody'} has opened a page again")
            case moved if moved in _MOVED and not self._over:
                now = f": it is with {event.text} now" if event.text else ""
                by = f" by {event.by or event.agent}" if event.agent else ""
                self._note(f"a page was {moved.value}{by}{now}")

    @property
    def _paging(self) -> Paging:
        return self._case.record.paging

    @property
    def _over(self) -> bool:
        record = self._case.record
        return record.phase is Phase.RESOLVED or record.resolution is not None

    def _news(self, event: PageEvent) -> bool:
        """Tell whether it is of this incident, new, and newer than what is known of the page."""
        record, paging = self._case.record, self._paging
        # An earlier incident of the same name had other pages.
        ours = event.key.startswith(f"{record.id}/{record.run}/") or event.key == paging.there
        if not ours or event.id in paging.events:
            return False
        paging.events.append(event.id)
        del paging.events[:-_MOST_KEPT]
        if event.happening not in _STATES:
            return True
        known = paging.heard.get(event.key)
        if known is not None and event.at < known:
            return False
        paging.heard.pop(event.key, None)
        paging.heard[event.key] = event.at
        while len(paging.heard) > _MOST_KEPT:
            del paging.heard[next(iter(paging.heard))]
        return True

    def _acknowledged(self, event: PageEvent) -> None:
        record = self._case.record
        if self._over or self._echoes(event):
            return
        if self._counts(event, "acknowledged a page"):
            if event.key not in record.acknowledged_pages:
                record.acknowledged_pages.append(event.key)  # it need not be told what it told us
            self._perform(ActKind.ACKNOWLEDGE, event)

    def _echoes(self, event: PageEvent) -> bool:
        """Take our own word for what it is; PagerDuty says it in the name of one of its users."""
        people, paging = self._case.record.people, self._paging
        echoes = paging.told_there and event.key == paging.there
        if echoes:
            paging.told_there = False
        return echoes and bool(people.acknowledged_by) and not people.renewal_asked

    def _unacknowledged(self, event: PageEvent) -> None:
        """Withdraw an acknowledgement that ran out there: it calls people again, and so do we."""
        case, record, people = self._case, self._case.record, self._case.record.people
        if self._over or event.key not in record.paged:
            return
        if event.key in record.acknowledged_pages:
            record.acknowledged_pages.remove(event.key)
        if event.key == self._paging.there:
            self._paging.told_there = False
        who, since = people.acknowledged_by, people.acknowledged_at
        # Whoever has taken it over, or came since, is here.
        if not who or people.taken_over_by or (since is not None and since > event.at):
            self._note("the acknowledgement of a page ran out: people are called again")
            return
        people.acknowledged_by, people.acknowledged_at, people.renewal_asked = "", None, False
        record.clocks.renew_at = None
        case.start_clocks()
        asks = f"the acknowledgement ran out, {who}'s too: please acknowledge again"
        self._note(asks, tell=True)

    def _resolved(self, event: PageEvent) -> None:
        """Take the last open page's end for the incident's; of several, one ends nothing.

        Unless it is what a person has opened there: that is the incident itself.
        """
        record = self._case.record
        record.paged.pop(event.key, None)
        if self._over:
            return
        counts = self._counts(event, "resolved a page")
        waiting = [m for m in record.pagerduty.unsent if m.kind == "page" and m.key != event.key]
        others = len(record.paged) + len(waiting)
        if counts and (not others or event.key == self._paging.there):
            self._perform(ActKind.RESOLVE, event, f"resolved in PagerDuty by {event.by}")
        elif counts:
            self._perform(ActKind.ACKNOWLEDGE, event)
            pages = "another page is" if others == 1 else f"{others} other pages are"
            more = f"{event.by} has resolved one page; {pages} open, so the incident goes on"
            self._note(more, tell=True)
        else:
            self._open_again(event, others)

    def _open_again(self, event: PageEvent, others: int) -> None:
        """Page anew: it was closed there by nobody who may, and is open here."""
        case, record = self._case, self._case.record
        said = (
            f"a page was resolved by {event.agent or 'PagerDuty itself'}, and the incident goes on"
        )
        self._note(said)
        if not others and not record.people.acknowledged_by:
            case.call(said, record.page_urgency or Urgency.LOW)

    def _annotated(self, event: PageEvent) -> None:
        if event.text.strip() and self._counts(event, "wrote a note"):
            self._perform(ActKind.NOTE, event, event.text)

    def _counts(self, event: PageEvent, did: str) -> bool:
        """Tell whether a person did it whom we know; a stranger is told of, once."""
        if event.by:
            return True
        if event.human and event.agent not in self._paging.strangers:
            self._paging.strangers.append(event.agent)
            del self._paging.strangers[:-_MOST_KEPT]
            said = (
                f"the user {event.agent} {did}, which does not count here: it is not known who "
                "that is. The setting pagerduty.people says it; every other door is open"
            )
            self._note(said, tell=True)
        return False

    def _perform(self, kind: ActKind, event: PageEvent, text: str = "") -> None:
        act = Act(id=f"pagerduty-{event.id}", by=event.by, via=_VIA, text=text)
        self._hands.perform_signal(kind, act)

    def _note(self, said: str, *, tell: bool = False) -> None:
        self._case.note("page", f"PagerDuty: {cut(said, _MOST_TEXT)}", tell=tell)
        self._case.changed(root=tell)
