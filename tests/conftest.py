"""Shared fixtures: what is beside the repository, and a plugin that needs no network."""

from __future__ import annotations

from pathlib import Path

import pytest

_SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of photographs and published weights beside the repository, if it is there."""
    if not _SHARED.is_dir():
        pytest.skip("no shared folder beside the repository")
    return _SHARED
