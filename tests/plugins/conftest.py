"""Tiny published pipelines, for those tests that ask for them where diffusers is installed."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def inpainting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.plugins.tiny_pipelines import inpainting_folder

    return inpainting_folder(tmp_path_factory.mktemp("sd") / "pipeline")


@pytest.fixture(scope="module")
def latent_upscaling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.plugins.tiny_pipelines import latent_upscaling_folder

    return latent_upscaling_folder(tmp_path_factory.mktemp("ldm") / "pipeline")
