"""The API server answers what an operator may say, and nothing else."""

import re

import asyncssh
import pytest


@pytest.mark.parametrize(
    ("command", "code", "out", "error"),
    [
        pytest.param("date +%s.%N", 0, r"\d{10}\.\d{9}\n", "", id="the clock"),
        pytest.param("nproc", 0, r"\d+\n", "", id="the processors"),
        pytest.param("cat /proc/loadavg", 0, r"(\d+\.\d\d ){3}1/\d+ \d+\n", "", id="the load"),
        pytest.param("free -b", 0, r" +total .*\nMem:( +\d+){6}\nSwap:.*\n", "", id="memory"),
        pytest.param(
            "df -B1 --output=target,size,avail /",
            0,
            r"Mounted on +1B-blocks +Avail\n/ +\d+ +\d+\n",
            "",
            id="the disk",
        ),
        pytest.param(
            "tail -n 1 /var/lib/pravado/deployments.log",
            0,
            r'\{"at": ".*", "release": "v1\.42\.0", .*"migrations": false, .*\}\n',
            "",
            id="the last deployment",
        ),
        pytest.param("tail -n 1 /etc/passwd", 127, "", "may not run", id="no other file"),
        pytest.param(
            "systemctl show postgresql --property=LoadState,MainPID",
            0,
            r"LoadState=not-found\nMainPID=0\n",
            "",
            id="a unit there is none of",
        ),
        pytest.param(
            "redis-cli -h 127.0.0.1 -p 1 ping",
            1,
            "",
            "Could not connect to Redis at 127.0.0.1:1: Connection refused",
            id="a port where no Redis is",
        ),
        pytest.param("pm2 scale pravado-api 2", 1, "", "Nothing to do", id="as many as there are"),
        pytest.param("pm2 scale pravado-api 500", 1, "", "not possible", id="far too many"),
        pytest.param("pm2 restart nosuch", 1, "", "nosuch not found", id="an app there is none of"),
        pytest.param(
            "env LD_PRELOAD=/tmp/x pm2 restart pravado-api --update-env",
            1,
            "",
            "no switch",
            id="a variable that is no switch",
        ),
        pytest.param("nproc; id", 127, "", "may not run", id="no second command"),
        pytest.param("nproc 'x", 2, "", "cannot be read", id="an open quote"),
        pytest.param("", 127, "", "may not run", id="no shell"),
    ],
)
async def test_the_host_answers_its_commands_and_no_others(running, command, code, out, error):
    done = await running.ssh.run(command)
    assert done.exit_status == code
    assert re.fullmatch(out, done.stdout)
    assert error in done.stderr


async def test_the_host_lets_nobody_in_without_the_key(running):
    with pytest.raises(asyncssh.PermissionDenied):
        await asyncssh.connect(
            running.ssh.host,
            running.ssh.port,
            username="responder",
            client_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            known_hosts=str(running.ssh.known_hosts),
            agent_path=None,
            config=None,
        )
