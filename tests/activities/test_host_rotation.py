from collections.abc import AsyncIterator

import pytest

from activities.changes import Targets
from activities.errors import Ambiguous, Refused, Unwell
from activities.host_rotation import LogRotation, RotateLogs, Rotation
from activities.words import Nothing
from tests.activities.attempts import run
from tests.activities.scripted_host import ScriptedHost, scripted_host

ORDER = RotateLogs()
DEFAULTS = {"max_size": "10M", "retain": "30", "compress": "false", "rotateModule": "true"}


class Rotating(ScriptedHost):
    """A host whose pm2 may have its module for rotation."""

    def __init__(self, folder) -> None:
        super().__init__(folder)
        self.values = dict(DEFAULTS)
        self.takes = True

    def act(self, words):
        match words:
            case ["pm2", "get", "pm2-logrotate"]:
                told = [f"$ pm2 set pm2-logrotate:{k} {v}\n" for k, v in self.values.items()]
                return 0, "\x1b[1mModule: \x1b[22mpm2-logrotate\n" + "".join(told), ""
            case ["pm2", "set", key, value]:
                if self.takes:
                    self.values[key.removeprefix("pm2-logrotate:")] = value
                return 0, "[PM2] Module pm2-logrotate restarted\n", ""
        return super().act(words)


@pytest.fixture
async def machine(tmp_path) -> AsyncIterator[Rotating]:
    async with scripted_host(tmp_path, Rotating) as served:
        yield served


def rotation(machine: Rotating) -> LogRotation:
    return LogRotation(machine.ssh, targets=Targets())


@pytest.mark.parametrize(
    ("values", "installed", "on"),
    [
        pytest.param(DEFAULTS, True, True, id="as the module comes"),
        pytest.param(DEFAULTS | {"retain": "all"}, True, False, id="it never drops an old one"),
        pytest.param({}, False, False, id="there is no module"),
    ],
)
async def test_whether_logs_are_rotated(machine, values, installed, on):
    machine.values = values
    seen = await run(rotation(machine).look, Nothing())
    assert (seen.installed, seen.on) == (installed, on)


async def test_rotation_is_switched_on_with_what_was_ordered_and_nothing_else(machine):
    before = await run(rotation(machine).rotate_read, ORDER)
    done = await run(rotation(machine).rotate, ORDER, before)

    assert machine.values == DEFAULTS | {"max_size": "50M", "retain": "7", "compress": "true"}
    assert before.values == {name: DEFAULTS[name] for name in ("max_size", "retain", "compress")}
    assert done.said == "logs are cut at 50M, and 7 old ones are kept"


async def test_what_is_so_already_is_not_set_again(machine):
    machine.values |= ORDER.wanted
    before = await run(rotation(machine).rotate_read, ORDER)
    done = await run(rotation(machine).rotate, ORDER, before)

    assert (machine.count("pm2 set"), done.changed) == (0, False)


async def test_a_lost_answer_is_found_out_and_only_the_rest_is_set(machine):
    before = await run(rotation(machine).rotate_read, ORDER)
    machine.drop_after = {"pm2 set"}
    with pytest.raises(Ambiguous):
        await run(rotation(machine).rotate, ORDER, before)

    done = await run(rotation(machine).rotate, ORDER, before, attempt=2)

    assert machine.count("pm2 set pm2-logrotate:max_size") == 1
    assert done.changed


async def test_no_program_is_fetched_from_the_internet(machine):
    machine.values = {}
    with pytest.raises(Refused, match="for a person: `pm2 install pm2-logrotate`"):
        await run(rotation(machine).rotate_read, ORDER)
    assert machine.count("pm2 install") == 0


async def test_what_somebody_set_meanwhile_is_left_to_a_person(machine):
    before = await run(rotation(machine).rotate_read, ORDER)
    machine.values["max_size"] = "1G"
    with pytest.raises(Refused, match="meanwhile"):
        await run(rotation(machine).rotate, ORDER, before)
    assert machine.values["max_size"] == "1G"


async def test_a_value_that_is_not_taken_is_not_called_done(machine):
    machine.takes = False
    with pytest.raises(Unwell, match="not max_size, retain, compress"):
        await run(rotation(machine).rotate, ORDER, Rotation(installed=True, values=DEFAULTS))
