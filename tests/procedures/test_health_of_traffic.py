"""What a release's health and a lasting outage are measured by, evaluated by Prometheus itself."""

import json
import subprocess

import pytest

from deploy.local import programs
from workflows import promql

MINUTES = 12


def series(failing: float, slow: float, *, stops: int = MINUTES) -> list[dict[str, str]]:
    """A request a second: so many fail, so many take between 0.5 and 2 seconds."""
    ten, label = int(stops * 6), 'job="pravado-api"'
    good, bad = (1 - failing) * 10, failing * 10
    quick = (1 - slow) * 10
    request, took = "http_requests_total", "http_request_duration_seconds_bucket"
    return [
        {"series": f'{request}{{{label},status="200"}}', "values": f"0+{good}x{ten}"},
        {"series": f'{request}{{{label},status="500"}}', "values": f"0+{bad}x{ten}"},
        {"series": f'{took}{{{label},le="0.4"}}', "values": f"0+{quick}x{ten}"},
        {"series": f'{took}{{{label},le="2"}}', "values": f"0+10x{ten}"},
        {"series": f'{took}{{{label},le="+Inf"}}', "values": f"0+10x{ten}"},
    ]


def holds(folder, expression: str, given, expected: float | None, at: str = "11m") -> str:
    """Evaluate by promtool; empty where it is as expected."""
    samples = [] if expected is None else [{"labels": "{}", "value": expected}]
    test = {
        "evaluation_interval": "10s",
        "tests": [
            {
                "interval": "10s",
                "input_series": given,
                "promql_expr_test": [{"expr": expression, "eval_time": at, "exp_samples": samples}],
            }
        ],
    }
    written = folder / "test.json"  # which is YAML, too
    written.write_text(json.dumps(test))
    promtool = programs.promtool()
    done = subprocess.run(
        [str(promtool), "test", "rules", str(written)],
        capture_output=True, text=True, check=False, timeout=60,
        cwd=programs.working_folder(promtool),
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(series(0.0, 0.0), 1, id="all is well"),
        pytest.param(series(0.04, 0.04), 1, id="just under both thresholds"),
        pytest.param(series(0.06, 0.0), 0, id="too many fail"),
        pytest.param(series(0.0, 0.2), 0, id="too many are slow"),
        pytest.param(series(0.0, 0.0, stops=5), None, id="without traffic it is neither"),
    ],
)
def test_traffic_is_well_while_it_is_under_both_warning_thresholds(tmp_path, given, expected):
    assert not holds(tmp_path, promql.well(), given, expected)


@pytest.mark.parametrize(
    ("given", "at", "expected"),
    [
        pytest.param(series(0.75, 0.0), "11m", 0.75, id="most have failed for five minutes"),
        pytest.param(series(0.25, 0.0), "11m", 0.25, id="a quarter has"),
        pytest.param(series(0.75, 0.0), "3m", None, id="nobody measured for all of five minutes"),
        pytest.param(series(0.75, 0.0, stops=5), "11m", None, id="no traffic since"),
    ],
)
def test_an_outage_lasts_only_where_all_of_the_time_was_measured(tmp_path, given, at, expected):
    assert not holds(tmp_path, promql.failing_throughout(300), given, expected, at)
    rest = None if expected is None else 1 - expected
    assert not holds(tmp_path, promql.succeeding_throughout(300), given, rest, at)


def test_one_good_minute_ends_an_outage(tmp_path):
    given = series(0.75, 0.0)
    # Six looks of ten seconds in which nothing fails.
    given[0]["values"] = "0+2.5x42 115+10x6 175+2.5x20"
    given[1]["values"] = "0+7.5x42 315+0x6 315+7.5x20"

    assert not holds(tmp_path, promql.failing_throughout(300), given, 0, "9m")
