"""Weights on the command line: listed, fetched, checked, and never opened when wrong."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from .conftest import Cli
from .plugins import kit

CONTENT = b"weights of the kit"


class TestWeights:
    def put(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "weights").mkdir(exist_ok=True)
        (tmp_path / "weights" / "kit-s.bin").write_bytes(content)

    def test_list_says_what_is_installed(self, cli: Cli, tmp_path: Path) -> None:
        self.put(tmp_path, CONTENT)
        rows = {row["id"]: row for row in json.loads(cli("weights", "list", "--json").stdout)}
        assert rows["kit-s"]["auto"] is True
        assert rows["kit-l"]["file"] is None

    def test_verify(self, cli: Cli, tmp_path: Path) -> None:
        self.put(tmp_path, CONTENT)
        assert cli("weights", "verify").exit_code == 0
        self.put(tmp_path, CONTENT[::-1])
        result = cli("weights", "verify")
        assert result.exit_code == 3
        assert "sha256" in result.stderr
        missing = cli("weights", "verify", "kit-l")
        assert missing.exit_code == 3

    def test_import(self, cli: Cli, tmp_path: Path) -> None:
        (tmp_path / "download.bin").write_bytes(CONTENT)
        result = cli("weights", "import", tmp_path / "download.bin", "--as", "kit-s")
        assert result.exit_code == 0, result.stderr
        assert (tmp_path / "weights" / "kit-s.bin").read_bytes() == CONTENT
        wrong = cli("weights", "import", tmp_path / "download.bin", "--as", "kit-l")
        assert wrong.exit_code == 3

    def answer(self, monkeypatch: pytest.MonkeyPatch, content: bytes | Exception) -> list[str]:
        asked: list[str] = []

        def urlopen(url: str, timeout: float) -> Any:
            asked.append(url)
            if isinstance(content, Exception):
                raise content
            return io.BytesIO(content)

        monkeypatch.setattr(urllib.request, "urlopen", urlopen)
        return asked

    def test_pull(self, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = self.answer(monkeypatch, CONTENT)
        assert cli("weights", "pull", "kit-s").exit_code == 0
        assert asked == ["https://weights.invalid/kit-s.bin"]
        assert (tmp_path / "weights" / "kit-s.bin").read_bytes() == CONTENT
        assert "installed already" in cli("weights", "pull", "kit-s").stdout
        assert len(asked) == 1

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (CONTENT[::-1], "sha256"),
            (CONTENT[:5], "sent 5 bytes"),
            (CONTENT * 2, "sends more than"),
            (urllib.error.URLError("no route to host"), "no route to host"),
            (urllib.error.HTTPError("u", 404, "Not Found", None, None), "Not Found"),  # type: ignore[arg-type]
            (TimeoutError("timed out"), "timed out"),
        ],
    )
    def test_pull_keeps_nothing_wrong(
        self,
        cli: Cli,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        content: bytes | Exception,
        words: str,
    ) -> None:
        self.answer(monkeypatch, content)
        result = cli("weights", "pull", "kit-s")
        assert result.exit_code == 3
        assert words in result.stderr
        assert len(result.stderr.strip().splitlines()) == 2, "what is fetched, and what went wrong"
        assert not (tmp_path / "weights" / "kit-s.bin").exists()

    def test_pull_of_what_has_no_address(self, cli: Cli) -> None:
        result = cli("weights", "pull", "kit-l")
        assert result.exit_code == 3
        assert "no https address" in result.stderr

    def test_missing_weights_stop_before_any_work(self, cli: Cli, album: Path) -> None:
        result = cli("run", album / "a.png", "--step", "open-kit")
        assert result.exit_code == 3
        assert "no weights for 'kit' are installed (known: kit-s, kit-l)" in result.stderr
        assert (
            "'oldfix weights pull kit-s'"
            in cli(
                "run", album / "a.png", "--step", "open-kit", "--set", "open-kit.model=kit-s"
            ).stderr
        )

    def test_wrong_digest_is_never_opened(self, cli: Cli, tmp_path: Path, album: Path) -> None:
        self.put(tmp_path, CONTENT[::-1])
        result = cli("run", album / "a.png", "--step", "open-kit")
        assert result.exit_code == 3
        assert "it was not opened" in result.stderr

    def test_pickles_that_ask_for_code_get_none(
        self, cli: Cli, tmp_path: Path, album: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("KIT_TRAP", str(tmp_path / "trap"))
        (tmp_path / "weights").mkdir()
        (tmp_path / "weights" / "evil.pth").write_bytes(kit.evil_weights())
        result = cli("run", album / "a.png", "--step", "open-evil")
        assert result.exit_code == 3
        assert "cannot be opened as evil" in result.stderr
        assert not (tmp_path / "trap").exists()
        assert not list(album.glob("*.restored.*"))
