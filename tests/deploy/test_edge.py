"""What the edge does with a flag: one table, for the Worker in JavaScript and for its stand-in."""

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from activities.edge import Flag, Hold
from deploy.gameday.standins import edge

ROOT = Path(__file__).resolve().parents[2]
TABLE = json.loads((ROOT / "tests/fixtures/edge/cases.json").read_text())
NOW = datetime.fromisoformat(TABLE["now"])
CASES: list[dict[str, Any]] = TABLE["cases"]
NODE = shutil.which("node")


def stored(case: dict[str, Any]) -> bytes:
    """The flag as the responder writes it, or something else where a case says so."""
    if "holds" not in case:
        return json.dumps(case["flag"]).encode()
    holders = {}
    for number, (until, share) in enumerate(case["holds"]):
        at = datetime.fromisoformat(f"2026-11-23T{until}:00+00:00")
        holders[f"incident-{number}"] = Hold(until=at, share=share)
    flag = Flag(holders=holders, message="Back <soon>", eta="unknown")
    if "bypass_header" in case:
        flag = flag.model_copy(update={"bypass_header": case["bypass_header"]})
    return flag.model_dump_json().encode()


def check(case: dict[str, Any], answered: dict[str, Any]) -> None:
    """Compare one answer, of whichever of the two, with what the case expects."""
    passed = [each["path"] for each in answered["seen"]]
    headers = answered["headers"]
    if case["expect"] == "origin":
        assert (answered["status"], passed) == (200, [case["path"]])
        assert "x-maintenance" not in headers
        assert case.get("unseen") not in answered["seen"][0]["headers"]
    else:
        assert (answered["status"], passed) == (503, []), "the platform hears nothing of it"
        assert headers["x-maintenance"] == "on"
        assert headers["retry-after"] == "60"
        assert headers["cache-control"] == "no-store", "no cache keeps the page after it"
        assert "Back" in answered["body"]
        assert headers["content-type"].startswith(case.get("type", ""))
        if case.get("type") == "text/html":
            assert "<soon>" not in answered["body"], "words are no markup"
    if case.get("sets_cookie"):
        assert "edge_bucket=1021" in headers["set-cookie"], "who was let in once stays in"


@pytest.fixture(scope="module")
def of_worker() -> list[dict[str, Any]]:
    if NODE is None:
        pytest.skip("node is not on PATH")
    asked = {**TABLE, "cases": [{**case, "stored": stored(case).decode()} for case in CASES]}
    ran = subprocess.run(
        [NODE, "--no-warnings", str(ROOT / "tests/deploy/worker.mjs")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case["name"] for case in CASES])
def test_the_worker_answers_as_the_table_says(number: int, of_worker: list[dict[str, Any]]) -> None:
    check(CASES[number], of_worker[number])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
async def test_the_stand_in_of_the_edge_answers_as_the_worker_does(
    case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "SECRET", TABLE["secret"])
    seen: list[dict[str, Any]] = []

    async def origin(request: Request, headers: Any) -> Response:
        seen.append({"path": request.url.path, "headers": list(headers)})
        return Response("from the origin")

    async def healthy() -> bool:
        return case["health"] == 200

    headers = {"accept": "*/*", **case.get("headers", {})}
    scope = {
        "type": "http",
        "method": case.get("method", "GET"),
        "path": case["path"],
        "query_string": b"",
        "server": ("127.0.0.1", 80),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    answered = await edge.answer(
        Request(scope), stored(case), now=NOW.astimezone(UTC), origin=origin, healthy=healthy
    )

    check(
        case,
        {
            "status": answered.status_code,
            "headers": dict(answered.headers),
            "body": bytes(answered.body).decode(),
            "seen": seen,
        },
    )
