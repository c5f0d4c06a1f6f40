import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.documents import Code
from activities.record import Phase, Record, StepState
from activities.report import Reports, WriteReport, Written, place
from activities.report_html import page
from activities.report_markdown import inline, markdown
from activities.report_text import compose
from activities.report_words import readable
from activities.values import duration
from activities.words import Severity
from tests.records import after, bare, hostile, line, restarted, taken_over

RENDERER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
"""Comes with rich; lets HTML through, as the laxest renderer would."""

SECTIONS = [
    "Summary",
    "Timings",
    "Impact",
    "What happened",
    "Evidence",
    "Plan and steps",
    "What was changed",
    "Findings",
    "Follow-ups",
    "Post-mortem",
    "Who took part",
    "Alerts",
    "About this report",
]


async def write(folder: Path, record: Record, base_url: str | None = None) -> Written:
    return await ActivityEnvironment().run(
        Reports(folder, base_url).write, WriteReport(record=record, occasion="resolved")
    )


def text(record: Record) -> str:
    return markdown(compose(record, "resolved"))


class Seen(HTMLParser):
    """What a browser would make of a page: its elements, and its text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.headings: list[str] = []
        self.said = ""
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        if self.lasttag == "h2" and data.strip():
            self.headings.append(data)
        if self.lasttag != "style":
            self.said += f" {data}"


def words(source: str) -> set[str]:
    return set(re.findall(r"[A-Za-z0-9]{3,}", source))


@pytest.mark.parametrize(
    ("record", "sections"),
    [
        pytest.param(restarted(), SECTIONS, id="critical: with a post-mortem"),
        pytest.param(
            taken_over(), [s for s in SECTIONS if s != "Post-mortem"], id="warning: without one"
        ),
        pytest.param(
            bare(severity="critical"), SECTIONS, id="just opened and empty: nothing is left out"
        ),
    ],
)
async def test_both_forms_have_every_section(tmp_path, record, sections):
    written = await write(tmp_path, record)

    md = Path(written.markdown).read_text()
    html = Seen(Path(written.html).read_text())
    assert re.findall(r"^## (.*)$", md, re.MULTILINE) == sections
    assert html.headings == sections


@pytest.mark.parametrize("record", [restarted(), taken_over(), bare()], ids=lambda r: r.indicator)
def test_the_page_says_no_less_than_the_markdown(record):
    document = compose(record, "resolved")

    html = words(Seen(page(document)).said) | words(page(document))

    lost = words(markdown(document)) - html - {"Measure", "Took", "When", "text", "amp"}
    assert lost == set()


def test_the_summary_tells_a_repair_from_its_facts():
    said = text(restarted())

    assert (
        "RedisConnectionFailure began at 23 November 2026, 06:00:00 UTC by the alert's own "
        "account. The responder opened this incident at 06:00:03 and paged on-call at 06:00:05. "
        "Dana Reyes acknowledged it at 06:00:41. The responder made 1 change: Restart the Redis "
        "process redis-cache (helped). It was resolved at 06:12:26, 12 min 26 s after the alert "
        "began. Recovered: healthy for 10 minutes: 41 good looks, none bad."
    ) in said
    assert "| To page | 5 s | at 06:00:05 |" in said
    assert "| To mitigate | 1 min 15 s | at 06:01:15 |" in said
    assert "Nothing temporary is left in place" in said
    assert "To be held by 25 November 2026, 06:12:26 UTC" in said
    assert "Update the runbook" in said
    assert "pid 318" in said


def test_what_people_took_over_and_what_is_left_over_is_said():
    said = text(taken_over())

    assert "Priya Natarajan took over." in said
    assert "> **Needs attention**" in said
    assert "Still temporary: Scale the API from 3 to 5 replicas" in said
    assert "**Set it back to:** replicas 3" in said
    assert "`kubernetes.scale.undo`" in said
    assert "nobody: rejected by Priya Natarajan" in said
    assert "| 24 Nov 00:01:40 |" in said
    assert "Could not be read: Prometheus did not answer" in said
    assert "| To mitigate | not recorded |" in said
    assert "12 routine lines left out" in said
    assert r"/v1/search\|all" in said


def told(**fields) -> Record:
    return restarted().model_copy(update={"paged_at": None, "mitigated_at": None, **fields})


@pytest.mark.parametrize(
    ("record", "row"),
    [
        pytest.param(told(), "| To page | never |", id="a critical one that paged nobody"),
        pytest.param(
            told(severity=Severity.INFO), "| To page | not needed |", id="info is told, not paged"
        ),
        pytest.param(
            told(ladder=[]), "| To mitigate | not needed |", id="recovered before any step"
        ),
        pytest.param(told(), "| To mitigate | never |", id="closed, and no step counted"),
        pytest.param(bare(), "| To resolve | not yet |", id="still open"),
    ],
)
def test_a_missing_time_says_why_it_is_missing(record, row):
    assert row in text(record)


def test_an_uncertain_outcome_is_never_told_as_a_success():
    record = restarted()
    record.ladder[0].state = StepState.UNCERTAIN
    record.resolution = None
    record.phase = Phase.WATCHING

    said = text(record)

    assert "Outcome unknown: Restart the Redis process redis-cache" in said
    assert "Find out whether this took effect" in said
    assert "It is not resolved: in people's hands when this was written." in said


ATTACKS = [
    pytest.param("<script>alert(1)</script>", id="a script"),
    pytest.param('"><img src=x onerror=alert(1)>', id="out of an attribute"),
    pytest.param("javascript:alert(1)", id="an address that runs"),
    pytest.param("--></style></svg></pre><iframe src=//x>", id="out of what surrounds it"),
    pytest.param("a|b\n# head\n```\n<b>`x` [y](javascript:z) ![i](//x)", id="markdown"),
    pytest.param("\u202eevil\x00\x1b[31m", id="letters that turn text around"),
]


@pytest.mark.parametrize("attack", ATTACKS)
async def test_what_comes_from_outside_is_text_and_nothing_else(tmp_path, attack):
    written = await write(tmp_path, hostile(attack))

    source = Path(written.html).read_text()
    seen = Seen(source)
    assert not {"script", "iframe", "img", "b", "object"} & set(seen.tags)
    assert not [name for name, _ in seen.attributes if name.startswith("on")]
    links = [value or "" for name, value in seen.attributes if name in ("href", "src")]
    assert all(link.startswith(("#", "https://")) for link in links)
    md = Path(written.markdown).read_text()
    rendered = Seen(RENDERER.render(md))
    assert not {"script", "iframe", "b", "svg", "object"} & set(rendered.tags)
    assert rendered.tags.count("h1") == rendered.tags.count("img") == 1
    leads = {value for name, value in rendered.attributes if name in ("href", "src")}
    assert leads == {Path(written.chart).name}
    assert "".join(attack.split()) in "".join(rendered.said.split()) or "\x00" in attack
    assert not re.search("[\u202e\x00\x1b]", md + source)


@given(
    answer=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
        ),
        max_leaves=20,
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_answer_of_a_probe_can_be_shown(answer):
    record = bare()
    record.readings = [restarted().readings[0].model_copy(update={"answer": answer})]
    document = compose(record, "x")

    assert markdown(document).encode()
    assert page(document).encode()
    assert isinstance(readable(answer), tuple)


@given(said=st.text(alphabet="|`\\<>&[]()*_~!# -+=1.ab\n\t:/\"'", max_size=25))
@settings(max_examples=300, deadline=None)
def test_no_text_leaves_its_table_cell_or_counts_as_markup(said):
    for part in (said, Code(said)):
        row = f"| {inline(part, cell=True)} | end |"
        seen = Seen(RENDERER.render(f"| a | b |\n| --- | --- |\n{row}\n"))

        assert seen.tags.count("td") == 2
        assert set(seen.tags) <= {"table", "thead", "tbody", "tr", "th", "td", "code"}
        assert "".join(seen.said.split()) == "ab" + "".join(said.split()) + "end"


def test_evidence_is_laid_out_and_not_dumped():
    said = text(restarted())

    assert "| worker | no | 2,001 ms | timed out |" in said
    assert "**used memory:** 256.0 MiB" in said
    assert "06:00:01 * fsync is slow" in said
    assert "{" not in said


@pytest.mark.parametrize(
    "identity",
    [
        pytest.param("../../etc/passwd", id="upwards"),
        pytest.param("/etc/passwd", id="absolute"),
        pytest.param("..", id="the parent"),
        pytest.param("", id="empty"),
        pytest.param("a\x00b\n", id="letters no path has"),
        pytest.param("x" * 5000, id="too long"),
        pytest.param("💥", id="nothing that could stand in a path"),
    ],
)
async def test_no_id_leads_out_of_the_folder(tmp_path, identity):
    folder = tmp_path / "reports"

    written = await write(folder, bare(id=identity, run="../../run"))

    for name in (written.markdown, written.html):
        assert Path(name).resolve().is_relative_to(folder.resolve())
        assert Path(name).parent.parent == folder
    assert [path.name for path in tmp_path.iterdir()] == ["reports"]


def test_no_two_incidents_share_a_file():
    records = [
        bare(), bare(id="a/b"), bare(id="a_b"), bare(id="a:b"), bare(id="A_b"), bare(run="b" * 36),
        bare(run="other"), bare(opened_at=after(3)), bare(id="y" * 500), bare(id="y" * 501),
    ]  # fmt: skip

    names = [place(record).lower() for record in records if record.id != "A_b"]

    assert len(set(names)) == len(names)


async def test_the_same_record_gives_the_same_files_however_often(tmp_path):
    def all_files() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    first = await write(tmp_path, restarted())
    before = all_files()
    # What the workflow sends is what the far side decodes: through JSON and back.
    again = Record.model_validate(json.loads(restarted().model_dump_json()))
    second = await write(tmp_path, again)

    assert first == second
    assert all_files() == before
    assert {Path(name).suffix for name in before} == {".md", ".html", ".png"}
    assert Path(first.markdown).name == "20261123T060003Z-5b0e7c1d.md"


async def test_leftovers_of_a_writer_that_died_are_removed_and_drafts_are_not(tmp_path):
    folder = Path((await write(tmp_path, restarted())).html).parent
    old, young = folder / ".a.html.0.tmp", folder / ".b.html.0.tmp"
    old.write_text("half")
    young.write_text("half")
    os.utime(old, (0, 0))

    await write(tmp_path, restarted())

    assert not old.exists()
    assert young.exists()


async def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(ApplicationError) as failed:
        await write(tmp_path / "file", restarted())

    assert failed.value.type == "Unavailable"
    assert not failed.value.non_retryable


async def test_addresses_are_told_where_reports_are_served(tmp_path):
    written = await write(tmp_path, bare(), "https://reports.pravado.com/r/")

    name = "DiskAlmostFull-worker-00c0ffee/20261123T060002Z-0d9c8b7a"
    assert written.html_url == f"https://reports.pravado.com/r/{name}.html"
    assert written.links[1] == f"https://reports.pravado.com/r/{name}.md"
    assert written.chart == ""


async def test_the_page_is_self_contained_and_its_chart_in_place(tmp_path):
    source = Path((await write(tmp_path, restarted())).html).read_text()

    seen = Seen(source)
    assert seen.tags.count("svg") == 1
    assert 'aria-label="Redis cannot be reached: 46 looks' in source
    assert "var(--chart-line)" in source
    assert not {"link", "img", "script", "iframe"} & set(seen.tags)
    assert "default-src &#x27;none&#x27;" in source or "default-src 'none'" in source
    assert len(source) < 200_000


async def test_five_hundred_lines_of_timeline_are_all_there(tmp_path):
    record = restarted()
    record.timeline = [line(n, "message", f"line number {n}.") for n in range(500)]

    written = await write(tmp_path, record)

    md, html = Path(written.markdown).read_text(), Path(written.html).read_text()
    assert all(f"line number {n}." in md and f"line number {n}." in html for n in range(500))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (0.4, "under 1 s"), (59, "59 s"), (3600, "1 h"), (64900, "18 h 1 min"),
     (90061, "1 d 1 h"), (-5, "-5 s")],
)  # fmt: skip
def test_durations_are_said_in_two_units(seconds, said):
    assert duration(seconds) == said
