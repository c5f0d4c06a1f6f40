import ast
from pathlib import Path

import pytest

from workflows.sandbox import DEFINITIONS, PASSED_THROUGH

FOLDER = Path(__file__).resolve().parents[2] / "workflows"
CONSULTED = {"consult", "promql", "sandbox"}
MODULES = sorted(path for path in FOLDER.glob("*.py") if path.stem not in {"__init__", *CONSULTED})
FORBIDDEN_MODULES = {
    *("time", "random", "secrets", "uuid", "os", "io", "pathlib", "socket", "threading"),
    *("subprocess", "tempfile", "httpx", "concurrent", "multiprocessing"),
}
FORBIDDEN_CALLS = {"now", "utcnow", "today", "fromtimestamp"}
OWN_CLOCKS = {"workflow"}


def strays(source: str) -> list[str]:
    """What a workflow would not repeat when it is replayed, or must not wait for."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                names = [each.name for each in names]
            case ast.ImportFrom(module=module):
                names = [module or ""]
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=called)):
                names = []
                if called in FORBIDDEN_CALLS and owner not in OWN_CLOCKS:
                    found.append(f"line {node.lineno}: {owner}.{called}()")
            case ast.Call(func=ast.Name(id=("open" | "input" | "print" | "hash" | "id") as called)):
                names = []
                found.append(f"line {node.lineno}: {called}()")
            case _:
                names = []
        found += [
            f"line {node.lineno}: import of {name}"
            for name in names
            if name.partition(".")[0] in FORBIDDEN_MODULES
        ]
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_the_lifecycle_has_no_clock_no_dice_and_no_io_of_its_own(module):
    assert not strays(module.read_text())


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from random import choice",
        "from datetime import datetime\ndatetime.now()",
        "from os import path",
        "open('file')",
    ],
)
def test_a_stray_is_found(source):
    assert strays(source)


def test_every_module_is_either_shared_or_a_definition():
    modules = {f"workflows.{path.stem}" for path in MODULES}
    shared = {name for name in PASSED_THROUGH if name.startswith("workflows.")}

    assert modules - shared == set(DEFINITIONS)
    assert not shared & set(DEFINITIONS)
