"""One measurement of ``oldfix bench``, in a process of its own so that its peak memory is its own.

Reads a request as JSON from the command line and prints the answer as JSON.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from oldfix.degrade import age
from oldfix.errors import OldfixError
from oldfix.jobs import preset
from oldfix.photo import DEFECTS, FACES, IMAGE, REFERENCES, Face, Key, Photo
from oldfix.pipeline import Pipeline
from oldfix.plan import Plan
from oldfix.registry import Registry, discover
from oldfix.runner import Runner

_PORTRAIT_PX = 512


def measure(request: Mapping[str, Any]) -> dict[str, Any]:
    """Run what a request asks for.

    Args:
        request: "kind" ("stage", "chain" or "faces"), "megapixels", "threads", "device",
            "repeats"; "stage" for stages, "faces" (how many) for faces.

    Returns:
        "first" and "seconds" of the first and the median later run, "peak_bytes", and "steps"
        (stage -> seconds) for chains.
    """
    _set_threads(request["threads"])
    registry = discover()
    with Runner(device=request["device"]) as runner:
        plan, photo = _KINDS[request["kind"]](request, registry, runner)
        first, _ = _timed(runner, plan, photo)
        later = [_timed(runner, plan, photo) for _ in range(request["repeats"])] or [(first, {})]
    seconds = statistics.median(total for total, _ in later)
    steps = {name: statistics.median(run[name] for _, run in later) for name in later[0][1]}
    peak = _peak_bytes()
    return {"first": first, "seconds": seconds, "steps": steps, "peak_bytes": peak} | _gpu_peak()


def portrait(megapixels: float) -> Photo:
    """An aged portrait enlarged to a size: scikit-image's astronaut, with its true damage."""
    from skimage import data

    side = max(16, round((megapixels * 1e6) ** 0.5))
    clean = np.asarray(data.astronaut(), np.float32) / 255
    how = cv2.INTER_AREA if side < _PORTRAIT_PX else cv2.INTER_CUBIC
    large = np.clip(cv2.resize(clean, (side, side), interpolation=how), 0, 1)
    aged = age(large, rng=np.random.default_rng(0), recipe="demo")
    photo = Photo.from_array(aged.image, source=f"portrait of {megapixels:g} megapixels")
    mask = (aged.defects >= 0.2).astype(np.float32)
    values: dict[Key[Any], Any] = {IMAGE: photo[IMAGE], DEFECTS: mask, REFERENCES: (clean,)}
    return Photo(values, meta=photo.meta)


def group(megapixels: float, count: int, faces: tuple[Face, ...]) -> Photo:
    """A picture of many equal portraits, the first ``count`` of them marked as faces."""
    from skimage import data

    tile = np.asarray(data.astronaut(), np.float32) / 255
    across = max(1, round((megapixels * 1e6) ** 0.5 / _PORTRAIT_PX))
    image = np.tile(tile, (across, across, 1))
    places = [(x, y) for y in range(across) for x in range(across)][:count]
    marked = tuple(
        _moved(face, x * _PORTRAIT_PX, y * _PORTRAIT_PX) for x, y in places for face in faces[:1]
    )
    return Photo.from_array(image, source=f"group of {count}").put(FACES, marked)


def _stage_job(request: Mapping[str, Any], registry: Registry, runner: Runner) -> Any:
    """A stage on the portrait; keys that no benchmark photograph has are found first."""
    spec = registry.resolve(request["stage"])
    photo = portrait(request["megapixels"])
    if FACES in spec.needs | spec.uses and FACES not in spec.produces:
        finder = Pipeline.of("detect-faces").plan(registry)
        photo = photo.put(FACES, runner.run(finder, photo)[FACES])
    wanted: set[Key[Any]] = {*spec.needs, *spec.uses} - spec.produces | {IMAGE}
    photo = Photo({key: photo[key] for key in photo if key in wanted}, meta=photo.meta)
    return Pipeline.of(spec.name).plan(registry, given=tuple(photo)), photo


def _chain_job(request: Mapping[str, Any], registry: Registry, runner: Runner) -> Any:
    """The preset with faces and colour, as far as its stages and weights are installed."""
    photo = portrait(request["megapixels"]).without(DEFECTS).without(REFERENCES)
    return preset(faces=True, colorize=True).plan(registry), photo


def _faces_job(request: Mapping[str, Any], registry: Registry, runner: Runner) -> Any:
    """The refiner on a number of faces of one size in a picture of some size."""
    single = group(0.26, 0, ())
    finder = Pipeline.of("detect-faces").plan(registry)
    found = runner.run(finder, single)[FACES]
    if not found:
        raise SystemExit("no face was found in the portrait, so none can be pasted")
    photo = group(request["megapixels"], request["faces"], found)
    return Pipeline.of("refine-faces").plan(registry, given=(FACES,)), photo


_KINDS = {"stage": _stage_job, "chain": _chain_job, "faces": _faces_job}


def _timed(runner: Runner, plan: Plan, photo: Photo) -> tuple[float, dict[str, float]]:
    """Seconds of a run, and of each of its steps."""
    start = time.perf_counter()
    after = runner.run(plan, photo)
    seconds = time.perf_counter() - start
    return seconds, {entry["stage"]: entry["seconds"] for entry in after.history}


def _moved(face: Face, right: float, down: float) -> Face:
    x0, y0, x1, y1 = face.box
    points = face.points + np.array([right, down], np.float32)
    return Face((x0 + right, y0 + down, x1 + right, y1 + down), face.score, points)


def _set_threads(count: int) -> None:
    import torch

    torch.set_num_threads(count)
    cv2.setNumThreads(count)


def _peak_bytes() -> int:
    """Largest resident memory of this process; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def _gpu_peak() -> dict[str, int]:
    import torch

    if not torch.cuda.is_initialized():
        return {}
    return {"gpu_peak_bytes": int(torch.cuda.max_memory_allocated())}


def main() -> None:
    """Answer the request on the command line."""
    try:
        answer = measure(json.loads(sys.argv[1]))
    except OldfixError as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
