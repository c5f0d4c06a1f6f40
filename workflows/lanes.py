"""All lanes to people."""

from __future__ import annotations

from workflows.case import Case
from workflows.channels import Lane, PagerDutyLane
from workflows.email_lane import EmailLane
from workflows.on_call_lane import OnCallLane
from workflows.phone_lane import PhoneLane, ReceiptLane
from workflows.public_word import PublicPageLane
from workflows.slack_lane import SlackLane


def lanes(case: Case, *, last: bool = False) -> tuple[Lane, ...]:
    """Make a lane for each channel; the *last* one who has them waits for what comes late."""
    return (
        PagerDutyLane(case, case.record.pagerduty),
        SlackLane(case, case.record.slack),
        PhoneLane(case),
        EmailLane(case),
        ReceiptLane(case, last=last),
        PublicPageLane(case),
        *([OnCallLane(case)] if case.policy.names_on_call and not last else []),
    )
