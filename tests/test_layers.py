import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("activities", "workflows", "workers", "starters", "deploy", "tests")

TOP_LEVEL = {
    *LAYERS,
    ".ci",
    ".dockerignore",
    ".gitattributes",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "docs",
    "pyproject.toml",
    "requirements.lock",
}

LONGEST_MODULE = 300
"""Lines; a file is meant to be read in a few screens."""

LONGEST_TEST = 600
"""Lines; a test module is read one test at a time."""


def sources() -> list[Path]:
    return sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module


@pytest.mark.parametrize("path", sources(), ids=name)
def test_imports_point_left(path):
    allowed = LAYERS[: LAYERS.index(path.relative_to(ROOT).parts[0]) + 1]

    for line, module in imported(ast.parse(path.read_text())):
        layer = module.partition(".")[0]
        assert layer not in LAYERS or layer in allowed, (
            f"{name(path)}:{line} imports {module}, which is to its right. "
            f"Layers import leftwards only: {' <- '.join(LAYERS)}."
        )


@pytest.mark.parametrize("path", sources(), ids=name)
def test_no_import_is_relative(path):
    for node in ast.walk(ast.parse(path.read_text())):
        assert not (isinstance(node, ast.ImportFrom) and node.level), (
            f"{name(path)}:{node.lineno} imports relatively. Name the layer: readers look for it."
        )


@pytest.mark.parametrize("path", sources(), ids=name)
def test_modules_are_short(path):
    lines = len(path.read_text().splitlines())

    longest = LONGEST_TEST if path.is_relative_to(ROOT / "tests") else LONGEST_MODULE
    assert lines <= longest, (
        f"{name(path)} has {lines} lines. One concept a module: move what is another concept."
    )


def test_the_top_level_has_nothing_unexpected():
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"],  # noqa: S607 (git is where PATH has it)
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git work tree")

    found = {path.partition("/")[0] for path in listed.split("\0") if path}

    assert found <= TOP_LEVEL, (
        f"{sorted(found - TOP_LEVEL)} at the top level: put it into a layer, or say here why not."
    )
