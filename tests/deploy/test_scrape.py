"""What has to be scraped so that the rules can fire at all."""

import re
import shutil
import subprocess
from pathlib import Path

import yaml

from deploy.local import programs
from workflows import promql

PROMETHEUS = Path(__file__).resolve().parents[2] / "deploy/prometheus"
SCRAPE = yaml.safe_load((PROMETHEUS / "scrape.yml").read_text())
JOBS = {each["job_name"]: each for each in SCRAPE["scrape_configs"]}


def test_promtool_takes_it(tmp_path):
    for name in ("scrape.yml", "rules.yml"):
        shutil.copy(PROMETHEUS / name, tmp_path / name)
    promtool = programs.promtool()

    done = subprocess.run(
        [str(promtool), "check", "config", str(tmp_path / "scrape.yml")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=programs.working_folder(promtool),
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_job_that_an_expression_asks_for_is_scraped():
    said = Path(promql.__file__).read_text()

    assert set(re.findall(r'job="([\w-]+)"', said)) == set(JOBS)


def test_the_dashboard_is_looked_at_by_the_module_that_there_is():
    modules = yaml.safe_load((PROMETHEUS / "blackbox.yml").read_text())["modules"]
    [named] = JOBS["pravado-dashboard"]["params"]["module"]

    assert modules[named]["http"]["fail_if_body_not_matches_regexp"]
