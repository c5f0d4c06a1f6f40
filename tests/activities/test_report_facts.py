"""What a model may be told of an incident, and how its words are shown."""

from activities.documents import Paragraph
from activities.llm_summary import LONGEST_FACT, MOST_FACTS, Summarize
from activities.report_facts import facts
from activities.report_markdown import markdown
from activities.report_text import compose, summary
from tests.records import restarted


def test_the_facts_make_an_order():
    assert Summarize(facts=facts(restarted())).facts == facts(restarted())


def test_the_facts_are_short_and_few():
    record = restarted()
    record.findings = ["x" * 5000] * 500
    record.cause = "y" * 5000

    told = facts(record)

    assert len(told) <= MOST_FACTS
    assert all(len(each) <= LONGEST_FACT for each in told)
    assert Summarize(facts=told)


def test_nobody_is_named():
    record = restarted()
    record.people.acknowledged_by = record.people.taken_over_by = "dana.scully"
    record.resolution.by = "dana.scully"

    assert "dana.scully" not in "".join(facts(record))


def test_they_say_what_was_done_and_how_it_ended():
    record = restarted()
    told = "\n".join(facts(record))

    assert record.title in told
    assert record.resolution.reason in told
    for step in record.steps:
        if step.started_at:
            assert step.effect[:100] in told


def test_words_of_a_machine_are_called_so_and_cannot_be_markup():
    record = restarted()
    record.summary = "# All is **well** <script>alert(1)</script>"
    record.summary_by = "a-model"

    text = markdown(compose(record, "resolved"))

    assert "Written by a machine (a-model) from the facts below: " in text
    assert "<script>" not in text
    assert "**well**" not in text


def test_without_them_the_report_is_as_it_was():
    record = restarted()

    assert len([b for b in summary(record).blocks if isinstance(b, Paragraph)]) == 1
