"""Folders of published diffusion models that will not do, and names beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("diffusers")
pytest.importorskip("transformers")

import diffusers

from oldfix import DEFECTS, IMAGE
from oldfix.errors import EnvironmentProblem, OldfixError, PipelineError, WeightsError
from oldfix.pipeline import Pipeline, Step
from oldfix.registry import discover
from oldfix.runner import Runner
from oldfix.testing import example_photo
from oldfix.weights.store import Store
from oldfix_diffusion.published import load_inpainting, load_upscaling
from tests.plugins.tiny_pipelines import (
    inpainting_folder,
    marked_photo,
    run,
)


def test_a_missing_component_is_named_before_anything_runs(
    inpainting: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(inpainting, folder)
    shutil.rmtree(folder / "vae")
    with pytest.raises(WeightsError, match=r"lacks vae/config\.json"):
        run(marked_photo(), "inpaint-diffusion", folder)


def test_a_folder_that_is_no_pipeline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"lacks model_index\.json"):
        run(marked_photo(), "inpaint-diffusion", tmp_path)
    with pytest.raises(WeightsError, match="no such folder"):
        run(marked_photo(), "inpaint-diffusion", tmp_path / "nowhere")


def test_another_tasks_pipeline_is_refused(inpainting: Path, latent_upscaling: Path) -> None:
    with pytest.raises(OldfixError, match="StableDiffusionInpaintPipeline"):
        run(example_photo(16, 16), "upscale-diffusion", inpainting)
    with pytest.raises(OldfixError, match="holds a LDMSuperResolutionPipeline"):
        load_inpainting(latent_upscaling)


def test_wrong_channels_are_refused(tmp_path: Path) -> None:
    folder = inpainting_folder(tmp_path / "text-to-image", planes=4)
    with pytest.raises(WeightsError, match=r"takes 4 channels, not 9"):
        load_inpainting(folder)


def test_damaged_files_are_refused(latent_upscaling: Path, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(latent_upscaling, folder)
    (file,) = (folder / "unet").glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(WeightsError, match="cannot be opened"):
        load_upscaling(folder)
    file.unlink()
    with pytest.raises(WeightsError, match="cannot be opened"):
        load_upscaling(folder)


@pytest.mark.parametrize("text", ["{", "[1]", ""])
def test_an_index_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text(text)
    with pytest.raises(WeightsError, match=r"model_index\.json: cannot be read .*copy the folder"):
        load_upscaling(tmp_path)


def test_a_library_that_misses_another_is_told_as_such(
    latent_upscaling: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ImportError("requires the transformers library")

    monkeypatch.setattr(diffusers.LDMSuperResolutionPipeline, "from_pretrained", missing)
    with pytest.raises(EnvironmentProblem, match=r"needs diffusers and transformers .*requires"):
        load_upscaling(latent_upscaling)


def test_names_are_still_names(tmp_path: Path) -> None:
    """Only what looks like a path is one."""
    pipeline = Pipeline((Step("inpaint-diffusion", options={"model": "sd-1.5-inpaintin"}),))
    with pytest.raises(PipelineError, match=r"did you mean 'sd-1\.5-inpainting'"):
        pipeline.plan(discover(), given={IMAGE, DEFECTS}, store=Store([tmp_path]))
    pipeline = Pipeline((Step("inpaint-diffusion", options={"model": "sd-1.5-inpainting"}),))
    with pytest.raises(WeightsError, match=r"is not installed; download it \(https"):
        pipeline.plan(discover(), given={IMAGE, DEFECTS}, store=Store([tmp_path]))


def test_a_folder_in_the_store_answers_to_its_name(inpainting: Path, tmp_path: Path) -> None:
    shutil.copytree(inpainting, tmp_path / "stable-diffusion-inpainting")
    step = Step("inpaint-diffusion", options={"model": "sd-1.5-inpainting", "steps": 1})
    plan = Pipeline((step,)).plan(discover(), given={IMAGE, DEFECTS}, store=Store([tmp_path]))
    with Runner(device="cpu") as runner:
        after = runner.run(plan, marked_photo())
    assert after.history[0]["options"]["model"] == "sd-1.5-inpainting"
