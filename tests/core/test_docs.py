"""The documentation is true: pages equal the code, links lead somewhere, examples run."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main
from PIL import Image as Pillow
from skimage import data

import generate
from command_pages import walk_commands
from oldfix import Pipeline, errors, hookspecs
from oldfix.cli.app import build_app
from oldfix.degrade import load_recipe

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = [
    ROOT / "README.md",
    ROOT / "weights" / "README.md",
    *sorted((ROOT / "plugins").glob("*/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
GUIDES = [page for page in PAGES if page.parent.name in {"tutorial", "how-to"} or page == PAGES[0]]
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def registry() -> Any:
    with generate.strangers_blocked():
        return generate.discover()


@pytest.fixture(scope="module")
def commands() -> dict[str, Any]:
    with generate.strangers_blocked():
        group = typer.main.get_command(build_app())
    return dict(walk_commands(group, "oldfix"))


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    return [code for kind, code in _FENCE.findall(page.read_text("utf-8")) if kind == language]


def sections(page: Path) -> dict[str, str]:
    """Text below each second-level heading."""
    parts = re.split(r"^## (.+)$", page.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("path", generate.pages(), ids=name_of)
def test_generated_pages_are_what_the_code_says(path):
    assert path.read_text("utf-8") == generate.pages()[path], "run 'python docs/generate.py'"


def test_every_stage_and_option_is_described(registry):
    written = sections(REFERENCE / "stages.md")
    assert written.keys() == registry.stages.keys()
    for name, spec in registry.stages.items():
        for option in spec.options.model_fields:
            assert f"| `{option}` |" in written[name], f"{name}.{option}"


def test_every_command_is_described(commands):
    written = sections(REFERENCE / "commands.md")
    assert written.keys() == commands.keys()
    for name, command in commands.items():
        for option in (p for p in command.params if p.param_type_name == "option"):
            assert option.opts[-1] in written[name], f"{name} {option.opts[-1]}"


def test_every_exit_code_is_described():
    kinds = [kind for kind in vars(errors).values() if hasattr(kind, "exit_code")]
    written = sections(REFERENCE / "exit-codes.md")
    for kind in kinds:
        assert f"`{kind.__name__}`" in written[str(kind.exit_code)]
    assert "0" in written


def test_every_hook_is_described():
    hooks = {name for name in vars(hookspecs) if name.startswith("oldfix_")}
    assert sections(REFERENCE / "hooks.md").keys() == hooks


def test_every_card_is_described(registry):
    assert sections(REFERENCE / "cards.md").keys() == registry.cards.keys()


def links(page: Path) -> Iterator[str]:
    text = _FENCE.sub("", page.read_text("utf-8"))
    for pair in _LINK.findall(text):
        target = pair[0] or pair[1]
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name_of(page)} links to {link}"
        assert not anchor or anchor in anchors(target), f"{name_of(page)} links to {link}"


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_python_examples_run(page, tmp_path, monkeypatch):
    """Blocks of a page share their names; those that quote a file are compared with it.

    They find photographs in the folder, and ``image`` and ``rng`` as the pages describe them.
    """
    portrait = data.astronaut()[40:168, 160:288]
    for name in ("grandma.jpg", "aunt.jpg", "photo.jpg"):
        Pillow.fromarray(portrait).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    image = portrait.astype(np.float32) / 255
    names = {"__name__": "example", "image": image, "rng": np.random.default_rng(0)}
    for code in blocks(page, "python"):
        if code.startswith("# plugins/"):
            first, _, quoted = code.partition("\n")
            source = (ROOT / first.removeprefix("# ")).read_text("utf-8")
            assert quoted.strip() in source, f"{first} differs from what is quoted"
        else:
            exec(compile(code, name_of(page), "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_examples_exist(page, commands):
    for code in blocks(page, "bash"):
        for line in code.replace("\\\n", " ").splitlines():
            words = shlex.split(line.split(" && ")[0], comments=True)
            if words[:1] == ["oldfix"]:
                check_command(words, commands)


def values(words: list[str], option: str) -> list[str]:
    return [after for word, after in pairwise(words) if word == option]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_stages_options_and_networks_in_examples_exist(page, registry):
    trainable = {card.id for card in registry.cards.values() if card.train} | {"NAME"}
    for code in blocks(page, "bash"):
        for line in code.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            for name in set(values(words, "--step")) - {"trim-margin"}:  # the example's own
                registry.resolve(name)
            for name, option in (v.split("=")[0].split(".") for v in values(words, "--set")):
                fields = registry.resolve(name).options.model_fields
                assert option in fields, f"{name} has no option {option}"
            if words[:2] == ["oldfix", "train"]:
                assert words[2] in trainable, f"{words[2]} cannot be trained"


def check_command(words: list[str], commands: dict[str, Any]) -> None:
    path = " ".join(words[:2]) if " ".join(words[:2]) in commands else words[0]
    path = " ".join(words[:3]) if " ".join(words[:3]) in commands else path
    used = [word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    known = {opt for p in commands[path].params for opt in getattr(p, "opts", ())} | {"--help"}
    assert len(words) == 1 or path != "oldfix" or used, f"no such command: {' '.join(words)}"
    assert set(used) <= known, f"{path} has no {sorted(set(used) - known)}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pipelines_and_recipes_in_examples_can_be_read(page, registry, tmp_path):
    for code in blocks(page, "toml"):
        steps = tomllib.loads(code).get("step", [])
        if any("kind" in step for step in steps):
            (tmp_path / "recipe.toml").write_text(code, "utf-8")
            load_recipe(tmp_path / "recipe.toml")
        elif steps:
            for step in Pipeline.from_toml(code).steps:
                registry.resolve(step.use)
