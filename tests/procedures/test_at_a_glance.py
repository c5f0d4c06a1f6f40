"""Whatever is wrong, the root message says who is hit and what was deployed last."""

import pytest

from tests.procedures.asking import consult
from workflows.glance import DEPLOYMENT, FAILING
from workflows.procedures import PROCEDURES


@pytest.mark.parametrize("name", [procedure.__name__ for procedure in PROCEDURES])
def test_every_alert_is_looked_at_for_the_share_that_fails_and_the_last_deployment(name) -> None:
    asked = [probe.key for probe in consult(name).probes]

    assert asked.count(FAILING) == asked.count(DEPLOYMENT) == 1
