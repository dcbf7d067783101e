"""Every stage with a network gives on a GPU what it gives on the CPU (run with ``-m gpu``)."""

from __future__ import annotations

import numpy as np
import pytest

from oldfix import IMAGE, Photo, Pipeline, Runner, StageSpec, discover
from oldfix.testing import TinyStore, example_photo, example_value

pytestmark = pytest.mark.gpu
_SPECS = [spec for spec in discover().stages.values() if spec.weights]


def _photo(spec: StageSpec, height: int, width: int, seed: int = 0) -> Photo:
    photo = example_photo(height, width, seed=seed)
    for key in sorted({*spec.needs, *spec.uses} - {IMAGE}, key=lambda k: k.name):
        photo = photo.put(key, example_value(key, photo))
    return photo


def _run(spec: StageSpec, photo: Photo, **how: object) -> Photo:
    plan = Pipeline.of(spec.name).plan(discover(), given=tuple(photo), store=TinyStore())
    with Runner(precision="float32", **how) as runner:  # type: ignore[arg-type]
        return runner.run(plan, photo)


def _assert_close(spec: StageSpec, one: Photo, other: Photo, tolerance: float) -> None:
    for key in spec.produces:
        if isinstance(one.get(key), np.ndarray):
            np.testing.assert_allclose(one[key], other[key], atol=tolerance)


@pytest.mark.parametrize("spec", _SPECS, ids=lambda spec: spec.name)
def test_cuda_equals_the_cpu_in_float32(spec: StageSpec) -> None:
    photo = _photo(spec, 200, 129)
    _assert_close(spec, _run(spec, photo, device="cpu"), _run(spec, photo, device="cuda"), 2e-3)


@pytest.mark.parametrize("spec", _SPECS, ids=lambda spec: spec.name)
def test_batched_tiles_equal_single_ones(spec: StageSpec) -> None:
    photo = _photo(spec, 200, 129)
    single = _run(spec, photo, device="cuda", tile=64, batch=1)
    batched = _run(spec, photo, device="cuda", tile=64, batch=8)
    _assert_close(spec, single, batched, 1e-4)
