"""Figures name the commit that they were measured on."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from oldfix import checkout

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("oldfix", "plugins", "weights", "docs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("first")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first")
    monkeypatch.setattr(checkout, "_ROOT", tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    """What a process has looked up, it keeps."""
    checkout.commit.cache_clear()
    yield
    checkout.commit.cache_clear()


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_checkout_is_named_by_its_commit(repository: Path) -> None:
    assert checkout.commit() == git(repository, "rev-parse", "--short", "HEAD") != ""


def test_changed_code_is_marked_and_changed_pages_are_not(repository: Path) -> None:
    (repository / "docs" / "file").write_text("other")
    assert not checkout.commit().endswith("+")
    checkout.commit.cache_clear()
    (repository / "weights" / "file").write_text("other")
    assert checkout.commit().endswith("+")


def test_a_commit_made_on_the_way_is_not_taken_for_that_of_the_beginning(
    repository: Path,
) -> None:
    first = checkout.commit()
    git(
        repository,
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "commit",
        "-qm",
        "b",
        "--allow-empty",
    )
    assert checkout.commit() == first != git(repository, "rev-parse", "--short", "HEAD")


def test_without_a_checkout_there_is_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkout, "_ROOT", tmp_path)
    assert checkout.commit() == ""


def test_without_git_there_is_no_commit(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert checkout.commit() == ""
