import re
import shlex
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel

from deploy.console import console
from workers.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in (
    "settings", "people", "temporal-ui", "command-line",
))]  # fmt: skip
README = "\n".join(page.read_text() for page in PAGES)
MAKEFILE = (ROOT / "Makefile").read_text()


def named_settings() -> list[str]:
    """Every variable named; a table row names its section once, then `__FIELD` alone."""
    names: list[str] = []
    for line in README.splitlines():
        section = ""
        for name in re.findall(r"(?<![\w/])((?:RESPONDER_)?_*[A-Z][A-Z_]+)(?=[`=_…])", line):
            if name.startswith("RESPONDER_"):
                section = name.rstrip("_").rsplit("__", 1)[0]
                names.append(name.rstrip("_"))
            elif name.startswith("__") and section:
                names.append(section + name)
    return sorted(set(names) - {"RESPONDER"})


@pytest.mark.parametrize("variable", named_settings())
def test_every_variable_of_the_readme_is_a_setting(variable: str) -> None:
    kind: type[BaseModel] = Settings
    for part in variable.removeprefix("RESPONDER_").lower().split("__"):
        assert part in kind.model_fields, f"README.md names {variable}: there is no {part}"
        annotation = kind.model_fields[part].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            kind = annotation


def test_the_readme_names_settings_at_all() -> None:
    assert {"RESPONDER_POLICY__MODE", "RESPONDER_SLACK__TOKEN"} <= set(named_settings())


def shown(program: str) -> list[str]:
    lines = [line.removeprefix("$ ") for line in README.splitlines() if line.startswith("$ ")]
    return sorted({line.split("#")[0].strip() for line in lines if line.startswith(program)})


@pytest.mark.parametrize("line", shown("responder "))
def test_every_command_of_the_readme_exists_with_its_options(line: str) -> None:
    command = typer.main.get_command(console())
    words = shlex.split(line)[1:]
    known = command.get_command(typer.Context(command), words[0])  # type: ignore[attr-defined]
    assert known is not None, f"README.md names `responder {words[0]}`: there is none"
    options = {opt for param in known.params for opt in param.opts}
    assert {word for word in words if word.startswith("--")} <= options


@pytest.mark.parametrize("line", shown("make "))
def test_every_target_of_the_readme_exists(line: str) -> None:
    assert re.search(rf"^{shlex.split(line)[1]}:", MAKEFILE, re.MULTILINE)


def linked() -> list[tuple[Path, str]]:
    found = []
    for page in PAGES:
        targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
        found += [(page, each) for each in targets if "://" not in each]
    return found


@pytest.mark.parametrize(("page", "target"), linked(), ids=lambda each: getattr(each, "name", each))
def test_every_link_and_picture_leads_somewhere(page: Path, target: str) -> None:
    assert (page.parent / target).exists()


def test_pictures_are_small_and_each_is_shown() -> None:
    shown = {(page.parent / target).resolve() for page, target in linked()}
    kept = set((ROOT / "docs" / "pictures").glob("*.png"))
    assert kept
    assert kept <= shown
    assert [each.name for each in kept if each.stat().st_size > 150_000] == []
