"""The example plugin is found, and keeps the contract, as a stranger's would."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "plugins" / "example"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Mapping[str, str]:
    """An environment in which the plugin's metadata and source are on the path."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    folder = tmp_path_factory.mktemp("site")
    name, version = project["name"], project["version"]
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    points = project["entry-points"]["oldfix"].items()
    lines = ["[oldfix]", *(f"{left} = {right}" for left, right in points)]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    path = os.pathsep.join([str(folder), str(EXAMPLE / "src")])
    return {**os.environ, "PYTHONPATH": path}


def run(command: list[str], environment: Mapping[str, str], folder: Path) -> str:
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_registry_finds_the_stage(installed, tmp_path):
    code = (
        "from oldfix import discover; r = discover(); "
        "print(r.owner('trim-margin'), r.version_of('trim-margin'), r.resolve('trim-margin').name)"
    )
    said = run([sys.executable, "-c", code], installed, tmp_path)
    assert said.split() == ["trim-margin", "0.1.0", "trim-margin"]


def test_its_own_tests_pass(installed, tmp_path):
    tests = str(EXAMPLE / "tests")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", tests]
    said = run(command, installed, tmp_path)
    assert "passed" in said
    assert "failed" not in said


@pytest.mark.slow
def test_it_installs_into_a_clean_environment(tmp_path):
    folder = tmp_path / "clean"
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run(["make", "-C", str(ROOT), "install", f"VENV={folder}"], clean, tmp_path)
    python = str(folder / "bin" / "python")
    run([python, "-m", "pip", "install", "-q", f"{EXAMPLE}[test]"], clean, tmp_path)
    run([python, "-m", "pytest", "-q", str(EXAMPLE / "tests")], clean, tmp_path)
