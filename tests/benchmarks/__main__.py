"""`python -m tests.benchmarks [first|burst|whole|memory|freeze]`: measure, and print tables."""

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.burst import bursts
from tests.benchmarks.figures import Table, machine, write
from tests.benchmarks.first import first
from tests.benchmarks.freezing import freezing
from tests.benchmarks.memory import memory
from tests.benchmarks.stage import Stage
from tests.benchmarks.whole import whole

RESULTS = Path(__file__).with_name("RESULTS.md")
PARTS = ("first", "whole", "burst", "memory", "freeze")


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int = 40
    bursts: int = 2
    burst: int = 200
    flood: int = 2000
    open: int = 1000
    hold_seconds: float = 20.0
    freezes: int = 3
    busy: int = 20


QUICK = Size(rounds=1, bursts=1, burst=5, flood=20, open=10, hold_seconds=1.0, freezes=1, busy=2)


async def measure(part: str, stage: Stage, size: Size) -> Table:
    """Measure one part of them."""
    match part:
        case "first":
            return await first(stage, size.rounds)
        case "burst":
            return await bursts(stage, size.bursts, size.burst, size.flood, hold=size.hold_seconds)
        case "memory":
            return await memory(stage, size.open, idle=size.hold_seconds)
        case "freeze":
            return await freezing(size.freezes, size.busy)
        case _:
            return await whole()


async def run(parts: Sequence[str], size: Size) -> list[Table]:
    """Measure the parts one after the other, and print each as soon as it is there."""
    tables = []
    with tempfile.TemporaryDirectory() as folder:
        for part in parts:
            async with Stage(Path(folder) / part) as stage:  # each of its own, with no past
                tables.append(await measure(part, stage, size))
            sys.stdout.write(f"{tables[-1].markdown()}\n")
            sys.stdout.flush()
    await asyncio.sleep(0.3)  # sdk-python#300: an exit just after the last use may crash
    return tables


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the command line says; all of it is kept as well."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; or all")
    parser.add_argument("--quick", action="store_true", help="only show that it works")
    parser.add_argument("--rounds", type=int, default=40, help="of the first page")
    chosen = parser.parse_args(arguments)
    if strange := set(chosen.parts) - set(PARTS):
        parser.error(f"there is no {', '.join(sorted(strange))}")
    # What hangs on purpose is cut off in the end, and every page is a request.
    logging.disable(logging.CRITICAL)
    about = machine()
    sys.stdout.write(f"{about}\n\n")
    size = QUICK if chosen.quick else Size(rounds=chosen.rounds)
    tables = asyncio.run(run(chosen.parts or PARTS, size))
    if not (chosen.parts or chosen.quick):
        write(RESULTS, about, tables)
        sys.stdout.write(f"kept in {RESULTS.relative_to(Path.cwd())}\n")


if __name__ == "__main__":
    main()
