"""Shared fixtures: what is beside the repository, and a plugin that needs no network."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest

# Hypothesis fails whatever takes 200 ms, as anything may on a machine with other work.
hypothesis.settings.register_profile("busy", deadline=None)
hypothesis.settings.load_profile("busy")

_SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of photographs and published weights beside the repository, if it is there."""
    if not _SHARED.is_dir():
        pytest.skip("no shared folder beside the repository")
    return _SHARED


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the golden pictures instead of comparing with them",
    )
    parser.addoption(
        "--real-weights",
        action="store_true",
        help="run what needs published weights, wherever they are installed, and nothing else",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Choose the tests of published weights, as ``-m real_weights`` does."""
    if config.getoption("--real-weights"):
        config.option.markexpr = "real_weights"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none, with the reason visible."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked:
        import torch

        if not torch.cuda.is_available():
            for item in marked:
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))
