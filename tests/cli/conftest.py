"""The command line as users meet it, with quick stages in place of the real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from oldfix.cli.app import build_app

PLUGINS = Path(__file__).with_name("plugins")
OWN = "colorize,denoise,diffusion,faces,scratch,tone,triplet,upscale"
Cli = Callable[..., Any]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Run ``oldfix`` with arguments; the result has stdout, stderr and exit_code."""
    monkeypatch.setenv("OLDFIX_PLUGINS", str(PLUGINS))
    monkeypatch.setenv("OLDFIX_BLOCK", OWN)
    monkeypatch.setenv("OLDFIX_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("OLDFIX_DEBUG", raising=False)

    def run(*arguments: object) -> Any:
        result = CliRunner().invoke(build_app(), [str(item) for item in arguments])
        assert "Traceback" not in result.stderr
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A folder with three small photographs, one of them in a subfolder."""
    folder = tmp_path / "album"
    (folder / "sub").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.jpg", "sub/c.tif"):
        Image.fromarray(rng.integers(0, 200, (8, 10, 3), dtype=np.uint8)).save(folder / name)
    return folder
