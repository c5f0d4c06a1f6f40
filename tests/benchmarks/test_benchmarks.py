import pytest

from tests.benchmarks.__main__ import PARTS, QUICK, measure
from tests.benchmarks.stage import Stage


@pytest.fixture(scope="session")
async def stage(tmp_path_factory):
    async with Stage(tmp_path_factory.mktemp("stage")) as standing:
        yield standing


@pytest.mark.parametrize("part", PARTS)
async def test_what_measures_works(stage, part):
    table = await measure(part, stage, QUICK)

    assert table.rows
    assert table.aims
    assert table.markdown().count("\n") > len(table.rows)
