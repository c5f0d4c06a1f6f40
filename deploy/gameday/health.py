"""Whether the platform is truly well: asked from outside, as a user and as an operator would."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import psycopg
from redis.asyncio import Redis

from deploy.gameday import llm, llm_throttle, units
from deploy.gameday.host import INSTANCES
from deploy.gameday.shell import Ssh
from deploy.gameday.switches import SWITCHES

SLOW_SECONDS = 0.5
MOST_SESSIONS_SHARE = 0.8
MOST_USED = 0.85
"""Of the machine's memory, and of each of its disks."""
FULL_SHARE = 0.9
ROUNDS = 5
AT_ONCE = 4
TIMEOUT_SECONDS = 10.0

_ROUTES = ("/api/orgs", "/api/users/7", "/api/dashboard", "/api/chat")


class Health:
    """The checks; each gives the reasons why the platform is not well, in words."""

    def __init__(
        self, *, api_url: str, redis_port: int, dsn: str, ssh: Ssh, traffic_seen: Path
    ) -> None:
        self._api_url = api_url
        self._redis_port = redis_port
        self._dsn = dsn
        self._ssh = ssh
        self._traffic_seen = traffic_seen

    async def reasons(self) -> list[str]:
        """Check everything; an empty list is health."""
        checks = {
            "API": self._requests,
            "Redis": self._redis,
            "Redis from the API server": self._redis_from_host,
            "PostgreSQL": self._database,
            "instances": self._instances,
            "users": self._users,
            "machine": self._machine,
            "LLM throttle": self._throttled,
            "push queue": self._push_queue,
        }
        found = await asyncio.gather(*(_checked(name, ask) for name, ask in checks.items()))
        return [reason for reasons in found for reason in reasons]

    async def _requests(self) -> list[str]:
        """Request every route through the balancer and measure."""
        slots = asyncio.Semaphore(AT_ONCE)
        took: list[float] = []
        wrong: set[str] = set()
        limit = httpx.Timeout(TIMEOUT_SECONDS)
        async with httpx.AsyncClient(
            base_url=self._api_url, timeout=limit, trust_env=False
        ) as client:

            async def ask(route: str) -> None:
                method = "POST" if route == "/api/chat" else "GET"
                async with slots:
                    began = time.monotonic()
                    answer = await client.request(method, route)
                    took.append(time.monotonic() - began)
                if answer.status_code != 200:
                    wrong.add(f"{route} answers {answer.status_code}")

            async with asyncio.TaskGroup() as tasks:
                for route in ("/healthz", *(_ROUTES * ROUNDS)):
                    tasks.create_task(ask(route))
        p95 = sorted(took)[int(len(took) * 0.95)]
        slow = [f"p95 is {p95:.2f} s, measured from outside"] if p95 > SLOW_SECONDS else []
        return sorted(wrong) + slow

    async def _redis(self) -> list[str]:
        answer = await units.ping("127.0.0.1", self._redis_port)
        if answer != "PONG":
            return [f"PING answers {answer}"]
        async with Redis(port=self._redis_port, decode_responses=True) as client:
            memory = await client.info("memory")
            settings = {name: (await client.config_get(name))[name] for name in units.AS_FOUND}
        share = memory["used_memory"] / memory["maxmemory"]
        full = [f"Redis uses {share:.0%} of its memory"] if share > FULL_SHARE else []
        return full + [
            f"Redis runs with {name} {settings[name]!r}"
            for name, value in units.AS_FOUND.items()
            if settings[name] != value
        ]

    async def _redis_from_host(self) -> list[str]:
        answer = await self._ssh.run(f"redis-cli -h 127.0.0.1 -p {self._redis_port} ping")
        return [] if str(answer.stdout).strip() == "PONG" else [str(answer.stderr).strip()]

    async def _database(self) -> list[str]:
        connection = await psycopg.AsyncConnection.connect(self._dsn, connect_timeout=5)
        async with connection:
            found = await connection.execute(
                "SELECT count(*), current_setting('max_connections')::int FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            [(used, most)] = await found.fetchall()
        full = used > MOST_SESSIONS_SHARE * most
        return [f"{used} of {most} database sessions are taken"] if full else []

    async def _push_queue(self) -> list[str]:
        connection = await psycopg.AsyncConnection.connect(self._dsn, connect_timeout=5)
        async with connection:
            found = await connection.execute(
                "SELECT count(*) FROM push_queue WHERE state IN ('queued', 'claimed')"
            )
            [(waiting,)] = await found.fetchall()
        return [f"{waiting} push notifications still wait in the queue"] if waiting else []

    async def _instances(self) -> list[str]:
        listed = await self._ssh.jlist()
        reasons = [
            f"instance {entry['pm_id']} is {entry['pm2_env']['status']}"
            for entry in listed
            if entry["pm2_env"]["status"] != "online"
        ]
        if len(listed) != INSTANCES:
            reasons.append(f"{len(listed)} instances run instead of {INSTANCES}")
        for entry in listed:
            environment = entry["pm2_env"]["env"]
            reasons += [
                f"instance {entry['pm_id']} runs with {name}={environment.get(name)}"
                for name, value in SWITCHES.items()
                if environment.get(name) != value
            ]
        return reasons

    async def _throttled(self) -> list[str]:
        headers = {"authorization": f"Bearer {llm_throttle.TOKEN}"}
        async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
            answer = await client.get(f"{self._api_url}{llm.THROTTLE}")
        rates = answer.raise_for_status().json()["organizations"]
        return [f"organization {each} is slowed down" for each in rates]

    async def _machine(self) -> list[str]:
        """Ask the machine for its memory and its disks."""
        memory = str((await self._ssh.run("free -b")).stdout).splitlines()[1].split()
        listed = await self._ssh.run("df --local -B1 --output=source,fstype,size,avail")
        disks = [line.split() for line in str(listed.stdout).splitlines()[1:]]
        full = {
            "memory": 1 - int(memory[-1]) / int(memory[1]),
            **{row[-1]: 1 - int(row[3]) / int(row[2]) for row in disks},
        }
        return [f"{used:.0%} of {what} is used" for what, used in full.items() if used > MOST_USED]

    async def _users(self) -> list[str]:
        seen = json.loads(self._traffic_seen.read_text())
        if not seen["answered"]:
            return ["no user had an answer lately"]
        if seen["failed"]:
            return [f"{seen['failed']} of the users' last {seen['answered']} requests failed"]
        return []


async def _checked(name: str, ask: Callable[[], Awaitable[list[str]]]) -> list[str]:
    try:
        async with asyncio.timeout(3 * TIMEOUT_SECONDS):
            return await ask()
    except Exception as error:  # noqa: BLE001 (a check that fails in any way is not health)
        causes = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
        return [f"{name} cannot be checked: {type(causes[0]).__name__}: {causes[0]}"]
